"""Functions of one tensor, element by element."""

from __future__ import annotations

import builtins
import math

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER
from facula.graph.primitives import elementwise as p
from facula.graph.primitives import special_calls
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum, minimum
from facula.operators.basic import cast, conj, full, imag_part, real_part, zero_like
from facula.operators.operator import Operand, operator
from facula.operators.rename import renamed


def _unary(name, primitive, rule, node=None, to_float=True, doc=""):
    """An operator that applies one primitive; ``rule`` is its derivative."""

    def body(input):
        own = kit.spec_of(input).dtype
        if to_float:
            input = kit.as_dtype(input, kit.floating(own))
        return kit.bind(primitive, input)

    renamed(body, name, doc)
    return operator(body, name=node, derivative={"input": rule} if rule else None)


def _two_over_root_pi(x):
    return 2 / math.sqrt(math.pi) * exp(-(x * x))


exp = _unary("exp", p.exp, lambda g, out: g * conj(out), doc="e to the power of each element.")
exp2 = _unary("exp2", p.exp2, lambda g, out: g * conj(out) * math.log(2), doc="2 ** input.")
expm1 = _unary("expm1", p.expm1, lambda g, out: g * (conj(out) + 1), doc="exp(input) - 1, accurate near 0.")
log = _unary("log", p.log, lambda g, input: g / conj(input), doc="Natural logarithm.")
log2 = _unary("log2", p.log2, lambda g, input: g / (conj(input) * math.log(2)), doc="Logarithm to base 2.")
log10 = _unary("log10", p.log10, lambda g, input: g / (conj(input) * math.log(10)), doc="Logarithm to base 10.")
log1p = _unary("log1p", p.log1p, lambda g, input: g / conj(input + 1), doc="log(1 + input), accurate near 0.")
sqrt = _unary("sqrt", p.sqrt, lambda g, out: g / (2 * conj(out)), doc="Square root.")
rsqrt = _unary("rsqrt", p.rsqrt, lambda g, out: -0.5 * g * conj(out * out * out), doc="1 / sqrt(input).")
sin = _unary("sin", p.sin, lambda g, input: g * conj(cos(input)), doc="Sine of angles in radians.")
cos = _unary("cos", p.cos, lambda g, input: g * -conj(sin(input)), doc="Cosine of angles in radians.")
tan = _unary("tan", p.tan, lambda g, out: g * conj(1 + out * out), doc="Tangent of angles in radians.")
asin = _unary("asin", p.asin, lambda g, input: g * conj(rsqrt(1 - input * input)), doc="Inverse sine, in radians.")
acos = _unary("acos", p.acos, lambda g, input: g * -conj(rsqrt(1 - input * input)), doc="Inverse cosine, in radians.")
atan = _unary("atan", p.atan, lambda g, input: g / conj(input * input + 1), doc="Inverse tangent, in radians.")
sinh = _unary("sinh", p.sinh, lambda g, input: g * conj(cosh(input)), doc="Hyperbolic sine.")
cosh = _unary("cosh", p.cosh, lambda g, input: g * conj(sinh(input)), doc="Hyperbolic cosine.")
tanh = _unary("tanh", p.tanh, lambda g, out: g * conj(1 - out * out), doc="Hyperbolic tangent.")
asinh = _unary("asinh", p.asinh, lambda g, input: g * conj(rsqrt(input * input + 1)), doc="Inverse hyperbolic sine.")
acosh = _unary(
    "acosh", p.acosh, lambda g, input: g * conj(rsqrt(input - 1) * rsqrt(input + 1)), doc="Inverse hyperbolic cosine."
)
atanh = _unary("atanh", p.atanh, lambda g, input: g / conj(1 - input * input), doc="Inverse hyperbolic tangent.")
erf = _unary("erf", p.erf, lambda g, input: g * _two_over_root_pi(input), doc="The error function.")
erfc = _unary("erfc", p.erfc, lambda g, input: -g * _two_over_root_pi(input), doc="1 - erf(input).")
erfinv = _unary(
    "erfinv", p.erfinv, lambda g, out: g * (math.sqrt(math.pi) / 2) * exp(out * out), doc="Inverse of erf."
)
lgamma = _unary("lgamma", p.lgamma, lambda g, input: g * digamma(input), doc="log |gamma(input)|.")
digamma = _unary(
    "digamma", p.digamma, lambda g, input: g * _polygamma(1, input), doc="Derivative of lgamma."
)


@operator(name="Polygamma", derivative={"input": lambda g, n, input: g * _polygamma(n + 1, input)})
def _polygamma(n: int, input):
    """The n-th derivative of digamma, n >= 1."""
    own = kit.floating(input._value.spec.dtype)
    return kit.bind(special_calls.polygamma, kit.as_dtype(input, own), n=n)


floor = _unary("floor", p.floor, lambda g: zero_like(g), to_float=False, doc="Round down.")
ceil = _unary("ceil", p.ceil, lambda g: zero_like(g), to_float=False, doc="Round up.")
trunc = _unary("trunc", p.trunc, lambda g: zero_like(g), to_float=False, doc="Round towards zero.")
_round = _unary("round", p.round_even, lambda g: zero_like(g), to_float=False)
for _rounding in (floor, ceil, trunc, _round):
    _plain = _rounding.body
    _rounding.body = lambda input, _plain=_plain: (
        input if kit.spec_of(input).dtype.category <= INTEGER else _plain(input)
    )


def round(input, *, decimals=0):  # noqa: A001 (PyTorch's name)
    """Round to nearest, halves to even; ``decimals`` places behind the point."""
    if decimals == 0:
        return _round(input)
    scale = 10.0 ** builtins.abs(decimals)
    return _round(input * scale) / scale if decimals > 0 else _round(input / scale) * scale


fix = trunc


@operator(name="Neg", derivative={"input": lambda g: -g})
def neg(input):
    """``-input``."""
    if input._value.spec.dtype.category == BOOL:
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )
    return kit.bind(p.neg, input)


negative = neg


@operator(derivative={"input": lambda g, input: g * sgn(input)})
def abs(input):  # noqa: A001
    """Absolute value; of complex numbers the (real) modulus."""
    category = input._value.spec.dtype.category
    if category == COMPLEX:
        return kit.bind(p.complex_abs, input)
    return input if category == BOOL else kit.bind(p.absolute, input)


absolute = abs


@operator(derivative={"input": lambda g: zero_like(g)})
def sign(input):
    """-1, 0 or 1 with the element's sign."""
    if input._value.spec.dtype.category == COMPLEX:
        raise RuntimeError("Unlike NumPy, torch.sign doesn't yet support complex; use torch.sgn")
    return input if input._value.spec.dtype.category == BOOL else kit.bind(p.sign, input)


@operator(derivative={"input": lambda g, input: _sgn_grad(g, input)})
def sgn(input):
    """Sign of real numbers; z/|z| of complex ones."""
    return input if input._value.spec.dtype.category == BOOL else kit.bind(p.sign, input)


def _sgn_grad(g, input):
    if input._value.spec.dtype.category != COMPLEX:
        return zero_like(g)
    size = abs(input)
    unit = sgn(input)
    grad = (g - real_part(g * conj(unit)) * unit) / cast(size, g._value.spec.dtype)
    return _select(size == 0, zero_like(grad), grad)


@operator(name="Pow", derivative={"input": lambda g, input: g * conj(2 * input)})
def square(input):
    """``input ** 2``."""
    own = input._value.spec.dtype
    if own.category == BOOL:
        input = kit.as_dtype(input, dtypes.int64)
    return kit.bind(p.mul, input, input)


@operator(derivative={"input": lambda g, out: -g * conj(out * out)})
def reciprocal(input):
    """``1 / input``."""
    own = kit.floating(input._value.spec.dtype)
    return kit.bind(p.div, kit.number(1, own), kit.as_dtype(input, own))


@operator(derivative={"input": lambda g, out: g * conj((1 - out) * out)})
def sigmoid(input):
    """``1 / (1 + exp(-input))``."""
    own = kit.floating(input._value.spec.dtype)
    one = kit.number(1, own)
    return kit.bind(p.div, one, kit.bind(p.add, one, kit.bind(p.exp, kit.bind(p.neg, kit.as_dtype(input, own)))))


expit = sigmoid


@operator
def logit(input, eps=None):
    """``log(input / (1 - input))``, the input first limited to [eps, 1 - eps] if given."""
    input = kit.as_dtype(input, kit.floating(input._value.spec.dtype))
    if eps is not None:
        input = minimum(maximum(input, eps), 1 - eps)
    return log(input / (1 - input))


@operator
def frac(input):
    """The fractional part, with the input's sign."""
    return input - trunc(input)


@operator
def deg2rad(input):
    """Degrees to radians."""
    return input * (math.pi / 180)


@operator
def rad2deg(input):
    """Radians to degrees."""
    return input * (180 / math.pi)


@operator(differentiable=False)
def isnan(input):
    """True where the element is NaN."""
    if input._value.spec.dtype.category < FLOAT:
        return kit.full(input._value.spec.shape, False, dtypes.bool_)
    return kit.bind(p.is_nan, input)


@operator(differentiable=False)
def isinf(input):
    """True where the element is an infinity."""
    return _matches(input, (math.inf, -math.inf))


@operator(differentiable=False)
def isposinf(input):
    """True where the element is +infinity."""
    return _matches(input, (math.inf,))


@operator(differentiable=False)
def isneginf(input):
    """True where the element is -infinity."""
    return _matches(input, (-math.inf,))


def _matches(input, values):
    own = input._value.spec
    if own.dtype.category == COMPLEX:
        re, im = kit.bind(p.real, input), kit.bind(p.imag, input)
        return kit.bind(p.bit_or, _matches(re, values), _matches(im, values))
    if own.dtype.category < FLOAT:
        return kit.full(own.shape, False, dtypes.bool_)
    found = [kit.bind(p.equal, input, kit.number(v, own.dtype)) for v in values]
    return found[0] if len(found) == 1 else kit.bind(p.bit_or, *found)


@operator(differentiable=False)
def isfinite(input):
    """True where the element is neither infinite nor NaN."""
    bad = kit.bind(p.bit_or, isnan(input), isinf(input))
    return kit.bind(p.bit_not, bad)


def isreal(input):
    """True where the imaginary part is zero."""
    if input._value.spec.dtype.category == COMPLEX:
        return imag_part(input) == 0
    return full(input._value.spec.shape, True, dtypes.bool_)


@operator(differentiable=False)
def signbit(input):
    """True where the sign bit is set (negative numbers and -0.0)."""
    own = input._value.spec.dtype
    if own.category != FLOAT:
        return input < 0
    return kit.bind(p.copysign, kit.number(1, own), input) < 0


@operator(
    derivative={
        "input": lambda g, input, min, max: _inside(g, input, min, max),
        "min": lambda g, input, min, max: _at_limit(g, input, min, max, "min"),
        "max": lambda g, input, min, max: _at_limit(g, input, min, max, "max"),
    }
)
def clamp(input, min: Operand = None, max: Operand = None):
    """Limit the elements to [min, max]; either may be None, a number or a tensor.

    >>> import facula as torch
    >>> torch.clamp(torch.tensor([-1.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    limits = [x for x in (min, max) if x is not None]
    to = kit.result_type(input, *limits)
    if to.category == COMPLEX:
        raise NotImplementedError("clamp is not supported for complex types")
    out = kit.as_dtype(input, to)
    if min is not None:
        out = kit.bind(p.maximum, out, kit.as_dtype(min, to))
    if max is not None:
        out = kit.bind(p.minimum, out, kit.as_dtype(max, to))
    return out


def _inside(g, input, min, max):
    keep = None
    if min is not None:
        keep = input >= min
    if max is not None:
        below = input <= max
        keep = below if keep is None else keep & below
    return _select(keep, g, zero_like(g))


def _at_limit(g, input, min, max, which):
    """Gradient of a limit that is a tensor: where the input lies beyond it."""
    if which == "min":
        hit = input < min
        if max is not None:
            hit = hit & (min < max)
    else:
        hit = input > max
        if min is not None:
            hit = hit | (max < min)
    return _select(hit, g, zero_like(g))


clip = clamp


def clamp_min(input, min):
    """Limit the elements from below."""
    return clamp(input, min=min)


def clamp_max(input, max):
    """Limit the elements from above."""
    return clamp(input, max=max)


@operator(name="Sinc")
def sinc(input):
    """``sin(pi x) / (pi x)``, 1 at 0."""
    x = kit.as_dtype(input, kit.floating(input._value.spec.dtype)) * math.pi
    safe = _select(x == 0, full_like_one(x), x)
    return _select(x == 0, full_like_one(x), sin(safe) / safe)


def full_like_one(x):
    return kit.full(x._value.spec.shape, 1, x._value.spec.dtype)


@operator(name="NanToNum", derivative={"input": lambda g, input: _select(isfinite(input), g, zero_like(g))})
def nan_to_num(input, nan=0.0, posinf=None, neginf=None):
    """NaN and infinities replaced by numbers (by default 0 and the dtype's extremes)."""
    own = input._value.spec.dtype
    if own.category < FLOAT:
        return input
    top = 3.3895313892515355e38 if own is dtypes.bfloat16 else float(np.finfo(own.numpy).max)
    high = kit.as_dtype(top if posinf is None else posinf, own)
    low = kit.as_dtype(-top if neginf is None else neginf, own)
    out = _select(isnan(input), kit.as_dtype(0.0 if nan is None else nan, own), input)
    out = _select(isposinf(input), high, out)
    return _select(isneginf(input), low, out)


arcsin, arccos, arctan, arcsinh, arccosh, arctanh = asin, acos, atan, asinh, acosh, atanh


NAMESPACES = {
    "torch": [
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos",
        "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
        "erfc", "erfinv", "lgamma", "digamma", "floor", "ceil", "trunc", "fix", "round", "neg",
        "negative", "abs", "absolute", "sign", "sgn", "square", "reciprocal", "sigmoid", "logit",
        "frac", "deg2rad", "rad2deg", "isnan", "isinf", "isposinf", "isneginf", "isfinite",
        "isreal", "signbit", "clamp", "clip", "clamp_min", "clamp_max", "sinc", "nan_to_num",
        "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh",
    ],
    "method": [
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos",
        "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
        "erfc", "erfinv", "lgamma", "digamma", "floor", "ceil", "trunc", "fix", "round", "neg",
        "negative", "abs", "absolute", "sign", "sgn", "square", "reciprocal", "sigmoid", "logit",
        "frac", "deg2rad", "rad2deg", "isnan", "isinf", "isposinf", "isneginf", "isfinite",
        "isreal", "signbit", "clamp", "clip", "clamp_min", "clamp_max", "sinc", "nan_to_num",
        "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh",
    ],
    "inplace": [
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "sin", "cos",
        "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf",
        "erfc", "erfinv", "lgamma", "digamma", "floor", "ceil", "trunc", "fix", "round", "neg",
        "negative", "abs", "absolute", "sign", "sgn", "square", "reciprocal", "sigmoid", "logit",
        "frac", "deg2rad", "rad2deg", "clamp", "clip", "clamp_min", "clamp_max", "sinc",
        "nan_to_num", "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh",
    ],
}
