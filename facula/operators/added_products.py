"""Products added to a tensor: addmm and its relatives, ``beta * input + alpha * product``."""

from __future__ import annotations

from facula.base.dtypes import FLOAT
from facula.graph.primitives import contraction as p
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.arithmetic import mul
from facula.operators.basic import conj
from facula.operators.contraction import (
    bmm,
    check_batches,
    check_inner,
    check_mv,
    check_tensors,
    conjugate_transpose,
    mm,
    mv,
    not_bool,
    outer,
    product_mv,
)
from facula.operators.expanding import _expand
from facula.operators.linear import check_addable
from facula.operators.movement import _permute, _view
from facula.operators.operator import Number, operator
from facula.operators.precision import narrowed, widened


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


def _factor(value):
    """None for the default 1, which costs nothing; any other number is an input of the program."""
    return None if value.__class__ is int and value == 1 else value


def _times(x, factor):
    return x if factor is None else mul(x, conj(factor))


def _scaled(x, factor):
    """In a body: ``x * factor`` in the dtype of ``x``."""
    if factor is None:
        return x
    return kit.bind(e.mul, x, kit.as_dtype(factor, _dtype(x)))


def _sum_of(input, product, beta, alpha):
    check_addable(input, _shape(product))
    product = _scaled(product, alpha)
    if beta is None:
        return kit.bind(e.add, input, product)
    return kit.bind(e.add, _ignoring_nan(input, beta), product)


def _ignoring_nan(input, beta):
    """``beta * input``, and 0 where beta is 0 even if the input is not a number."""
    zero = kit.bind(e.equal, kit.as_dtype(beta, _dtype(input)), kit.number(0, _dtype(input)))
    return kit.bind(e.select, zero, kit.number(0, _dtype(input)), _scaled(input, beta))


def _same_dtype(name, input, a, b):
    for label, own, other in (("mat1", _dtype(a), _dtype(b)), ("self", _dtype(input), _dtype(b))):
        if own is not other:
            raise RuntimeError(
                f"{label} and mat2 must have the same dtype, but got {own.legacy} and "
                f"{other.legacy}"
            )
    not_bool(a)


@operator(
    name="Addmm",
    derivative={
        "input": lambda g, beta: _times(g, beta),
        "mat1": lambda g, mat2, alpha: _times(mm(g, conjugate_transpose(mat2)), alpha),
        "mat2": lambda g, mat1, alpha: _times(mm(conjugate_transpose(mat1), g), alpha),
    },
)
def _addmm(input, mat1, mat2, beta: Number, alpha: Number):
    check_tensors("addmm", input=input, mat1=mat1, mat2=mat2)
    for label, x in (("mat1", mat1), ("mat2", mat2)):
        if len(_shape(x)) != 2:
            raise RuntimeError(f"{label} must be a matrix, got {len(_shape(x))}-D tensor")
    check_inner(_shape(mat1), _shape(mat2))
    _same_dtype("addmm", input, mat1, mat2)
    own = input._value.spec.dtype  # 16-bit floats are rounded once, at the end
    product = kit.bind(p.matmul, widened(mat1), widened(mat2))
    return narrowed(_sum_of(widened(input), product, beta, alpha), own)


def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat1 @ mat2)``; the input is broadcast."""
    return _addmm(input, mat1, mat2, _factor(beta), _factor(alpha))


@operator(
    name="Addmv",
    derivative={
        "input": lambda g, beta: _times(g, beta),
        "mat": lambda g, vec, alpha: _times(outer(g, conj(vec)), alpha),
        "vec": lambda g, mat, alpha: _times(mv(conjugate_transpose(mat), g), alpha),
    },
)
def _addmv(input, mat, vec, beta: Number, alpha: Number):
    check_tensors("addmv", input=input, mat=mat, vec=vec)
    check_mv(mat, vec)
    if _dtype(input) is not _dtype(mat):
        raise RuntimeError(
            f"addmv input tensors must have the same dtype, but got {_dtype(input).legacy}, "
            f"{_dtype(mat).legacy}, and {_dtype(vec).legacy}"
        )
    return _sum_of(input, product_mv(mat, vec), beta, alpha)


def addmv(input, mat, vec, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat @ vec)``."""
    return _addmv(input, mat, vec, _factor(beta), _factor(alpha))


@operator(
    name="Addr",
    derivative={
        "input": lambda g, beta: _times(g, beta),
        "vec1": lambda g, vec2, alpha: _times(mv(g, conj(vec2)), alpha),
        "vec2": lambda g, vec1, alpha: _times(mv(_permute(g, (1, 0)), conj(vec1)), alpha),
    },
)
def _addr(input, vec1, vec2, beta: Number, alpha: Number):
    for label, x in (("vec1", vec1), ("vec2", vec2)):
        if len(_shape(x)) != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {label}, but got {len(_shape(x))}-D")
    to = kit.result_type(input, vec1, vec2)
    for label, x in (("beta", beta), ("alpha", alpha)):
        if x is not None and kit.spec_of(x).dtype.category >= FLOAT > to.category:
            raise RuntimeError(
                f"For integral input tensors, argument {label} must not be a floating point number."
            )
    a, b = kit.as_dtype(vec1, to), kit.as_dtype(vec2, to)
    product = kit.bind(e.mul, kit.reshape(a, (*_shape(a), 1)), b)
    return _sum_of(kit.as_dtype(input, to), product, beta, alpha)


def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """``beta * input + alpha * outer(vec1, vec2)``."""
    return _addr(input, vec1, vec2, _factor(beta), _factor(alpha))


@operator(
    name="Baddbmm",
    derivative={
        "input": lambda g, beta: _times(g, beta),
        "batch1": lambda g, batch2, alpha: _times(bmm(g, conjugate_transpose(batch2)), alpha),
        "batch2": lambda g, batch1, alpha: _times(bmm(conjugate_transpose(batch1), g), alpha),
    },
)
def _baddbmm(input, batch1, batch2, beta: Number, alpha: Number):
    check_tensors("baddbmm", input=input, batch1=batch1, batch2=batch2)
    check_batches(batch1, batch2)
    if _dtype(input) is not _dtype(batch1):
        raise RuntimeError(
            f"Input dtypes must be the same, got: input: {_name(input)}, batch1: {_name(batch1)}, "
            f"batch2: {_name(batch2)}"
        )
    return _sum_of(input, kit.bind(p.matmul, batch1, batch2), beta, alpha)


def _name(x):
    return f"torch.{_dtype(x).name}"


def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * (batch1 @ batch2)`` for batches of matrices."""
    return _baddbmm(input, batch1, batch2, _factor(beta), _factor(alpha))


def _each(g, batch):
    """The gradient of a sum over a batch: the same for every member."""
    shape = _shape(g)
    return _expand(_view(g, (1, *shape)), (_shape(batch)[0], *shape))


@operator(
    name="Addbmm",
    derivative={
        "input": lambda g, beta: _times(g, beta),
        "batch1": lambda g, batch2, alpha: _times(
            bmm(_each(g, batch2), conjugate_transpose(batch2)), alpha
        ),
        "batch2": lambda g, batch1, alpha: _times(
            bmm(conjugate_transpose(batch1), _each(g, batch1)), alpha
        ),
    },
)
def _addbmm(input, batch1, batch2, beta: Number, alpha: Number):
    check_tensors("addbmm", input=input, batch1=batch1, batch2=batch2)
    check_batches(batch1, batch2)
    total = kit.bind(r.total, kit.bind(p.matmul, batch1, batch2), axes=(0,))
    return _sum_of(input, total, beta, alpha)


def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * sum over the batch of (batch1 @ batch2)``."""
    return _addbmm(input, batch1, batch2, _factor(beta), _factor(alpha))


_NAMES = ["addmm", "addmv", "addr", "addbmm", "baddbmm"]
NAMESPACES = {"torch": _NAMES, "method": _NAMES, "inplace": _NAMES}
