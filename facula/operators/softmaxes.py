"""Softmax and its relatives along one dimension."""

from __future__ import annotations

import warnings

from facula.base.dtypes import FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.operator import operator
from facula.operators.pointwise import neg
from facula.operators.precision import narrowed, wide_dtype, widened
from facula.operators.reduction import _sum
from facula.operators.transcendental import exp, log


def _own(x):
    return x._value.spec.dtype


def _wide_input(kernel, input, dtype):
    """The input in the dtype to compute in, and the dtype of the result."""
    to = dtype or _own(input)
    if to.category < FLOAT:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{to.legacy}'")
    return kit.as_dtype(input, wide_dtype(to)), to


def shifted(x, axes):
    """``x`` less its largest element along ``axes``: exponentials of it cannot overflow."""
    if x._value.spec.numel == 0:
        return x
    top = kit.bind(r.maximum, x, axes=axes)
    return kit.bind(e.sub, x, kit.reshape(top, kept_shape(x, axes)))


def kept_shape(x, axes):
    """Shape of ``x`` with ``axes`` of size 1."""
    return tuple([1 if i in axes else n for i, n in enumerate(x._value.spec.shape)])


def total_kept(x, axes):
    """Sum along ``axes``, which stay with size 1 (inside bodies)."""
    return kit.reshape(kit.bind(r.total, x, axes=axes), kept_shape(x, axes))


def _softmax_grad(g, out, dim):
    g, y = widened(g), widened(out)
    weighted = g * y
    if not y._value.spec.ndim:
        return weighted - y * weighted
    return weighted - y * _sum(weighted, dim, True, None)


@operator(name="Softmax", derivative={"input": _softmax_grad})
def _softmax(input, dim, dtype):
    x, to = _wide_input("softmax_lastdim_kernel_impl", input, dtype)
    axes = kit.axes_of((dim,), x._value.spec.ndim)
    powers = exp(shifted(x, axes))
    return narrowed(kit.bind(e.div, powers, total_kept(powers, axes)), to)


def _log_softmax_grad(g, out, dim):
    g, y = widened(g), widened(out)
    total = g if not y._value.spec.ndim else _sum(g, dim, True, None)
    return g - exp(y) * total


@operator(name="LogSoftmax", derivative={"input": _log_softmax_grad})
def _log_softmax(input, dim, dtype):
    x, to = _wide_input("log_softmax_lastdim_kernel_impl", input, dtype)
    return narrowed(log_softmax_body(x, kit.axes_of((dim,), x._value.spec.ndim)), to)


def log_softmax_body(x, axes):
    """log softmax inside a body, of a tensor in its computing dtype."""
    low = shifted(x, axes)
    return kit.bind(e.sub, low, log(total_kept(exp(low), axes)))


def _checked_dim(input, dim):
    ndim = input._value.spec.ndim
    axis = kit.axis_of(dim, ndim)
    return axis if ndim else 0


def softmax(input, dim, dtype=None):
    """Exponentials along ``dim``, scaled so that they sum to 1.

    >>> import facula as torch
    >>> torch.softmax(torch.tensor([0.0, 0.0]), 0)
    tensor([0.5000, 0.5000])
    """
    return _softmax(input, _checked_dim(input, dim), dtype)


def log_softmax(input, dim, dtype=None):
    """``log(softmax(input, dim))``, accurate where the softmax underflows."""
    return _log_softmax(input, _checked_dim(input, dim), dtype)


def implicit_dim(name, ndim, stacklevel):
    """PyTorch's old guess of the dimension, with its warning."""
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
        "dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if ndim in (0, 1, 3) else 1


def functional_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """``softmax`` as torch.nn.functional has it: ``dim`` may be left out, with a warning."""
    if dim is None:
        dim = implicit_dim("softmax", input._value.spec.ndim, _stacklevel)
    return softmax(input, dim, dtype)


def functional_log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """``log_softmax`` as torch.nn.functional has it: ``dim`` may be left out, with a warning."""
    if dim is None:
        dim = implicit_dim("log_softmax", input._value.spec.ndim, _stacklevel)
    return log_softmax(input, dim, dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """Softmax of the negated input."""
    if dim is None:
        dim = implicit_dim("softmin", input._value.spec.ndim, _stacklevel)
    return softmax(neg(input), dim, dtype)


NAMESPACES = {
    "torch": ["softmax", "log_softmax"],
    "functional": ["softmin"],
    "method": ["softmax", "log_softmax"],
}
