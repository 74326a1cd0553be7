"""torch.relu_ and its like: in-place methods that are functions of torch, too."""

from __future__ import annotations

from facula import operators as ops
from facula.operators import activation, dropouts
from facula.operators.inplace import write
from facula.operators.random_activation import rrelu
from facula.operators.rename import renamed
from facula.tensors.tensor_class import Tensor

_METHODS = """
    abs acos acosh addmv arccos arccosh arcsin arcsinh arctan arctanh as_strided asin asinh atan
    atanh ceil clamp clamp_max clamp_min clip conj_physical cos cosh deg2rad detach erf erfc exp
    exp2 expm1 fill fix floor frac gcd i0 index_put lcm ldexp log log10 log1p log2 logit nan_to_num
    neg negative rad2deg reciprocal relu resize_as round rsqrt sigmoid sin sinc sinh sqrt square
    tan tanh trunc xlogy zero
""".split()


def _method(name):
    """The method ``name`` as a function of its tensor and the further arguments."""
    method = getattr(Tensor, name)

    def function(input, *args, **kwargs):
        return method(input, *args, **kwargs)

    return renamed(function, name, method.__doc__ or f"In-place form of ``{name[:-1]}``.")


def _dropout(name):
    """A kind of dropout that changes its input."""
    drop = getattr(dropouts, name)

    def function(input, p, train):
        return drop(input, p, train, True)

    return renamed(function, f"{name}_", f"In-place form of ``{name}``.")


def celu_(input, alpha=1.0):
    """In-place form of ``celu``."""
    return write(input, activation.celu(input, alpha))


def selu_(input):
    """In-place form of ``selu``."""
    return write(input, activation.selu(input))


def threshold_(input, threshold, value):
    """In-place form of ``threshold``."""
    return write(input, activation.threshold(input, threshold, value))


def rrelu_(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """In-place form of ``rrelu``."""
    return rrelu(input, lower, upper, training, True)


def fill(input, value):
    """A tensor like ``input`` with every element ``value``."""
    return ops.identity(input).fill_(value)


FUNCTIONS = {f"{name}_": _method(f"{name}_") for name in _METHODS}
FUNCTIONS |= {
    f"{name}_": _dropout(name)
    for name in ("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
}
FUNCTIONS |= {f.__name__: f for f in (celu_, selu_, threshold_, rrelu_, fill)}
