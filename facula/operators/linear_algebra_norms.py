"""Norms, distances, condition numbers and rank."""

from __future__ import annotations

import math

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.dtypes import FLOAT
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast, zero_like
from facula.operators.linear_algebra import (
    check_matrix,
    check_square,
    dtype_of,
    shape_of,
)
from facula.operators.linear_algebra_factor import linalg_eigvalsh, linalg_svdvals
from facula.operators.linear_algebra_solve import _inverse, default_tolerances
from facula.operators.movement import permute, unsqueeze
from facula.operators.operator import Operand, operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import nan_to_num
from facula.operators.reduction import _amax, _amin, _sum
from facula.operators.slicing import select
from facula.operators.vector_norms import _vector_norm


def _float_check(name, x, dtype=None):
    own = dtype or dtype_of(x)
    if own.category < FLOAT:
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {own.legacy}"
        )


def _number(ord):
    """A norm's order as a number (it may be a 0-d tensor)."""
    return float(ord.item()) if isinstance(ord, TensorBase) else float(ord)


def linalg_vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None):
    """(sum |x|^ord)^(1/ord) over ``dim`` (all dimensions if None); inf is the largest |x|."""
    _float_check("linalg.vector_norm", x)
    if isinstance(dim, list):
        dim = tuple(dim)
    return _vector_norm(x, (_number(ord),), dim, bool(keepdim), dtype)


def _last_two(x, dim):
    """The matrix dimensions moved to the end."""
    ndim = len(shape_of(x))
    a, b = [kit.axis_of(d, ndim) for d in dim]
    if a == b:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    rest = [i for i in range(ndim) if i not in (a, b)]
    return (x if rest == list(range(ndim - 2)) and a < b else permute(x, (*rest, a, b))), (a, b)


def _kept_dims(out, x, axes):
    """Put the two reduced dimensions back with size 1."""
    for axis in sorted(axes):
        out = unsqueeze(out, axis)
    return out


_MATRIX_ORDERS = (2.0, -2.0, 1.0, -1.0, math.inf, -math.inf)


def linalg_matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of matrices: "fro", "nuc", inf, 1, 2 (largest singular value), or -p."""
    name = "linalg.matrix_norm"
    check_matrix(name, A, low=True)
    if len(tuple(dim)) != 2:
        raise RuntimeError(f"{name}: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    if isinstance(ord, str) and ord not in ("fro", "nuc"):
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    if not isinstance(ord, str) and float(ord) not in _MATRIX_ORDERS:
        raise RuntimeError(f"{name}: Order {ord} not supported.")
    if dtype is not None:
        A = cast(A, dtype)
    if ord == "fro":
        return linalg_vector_norm(A, 2, tuple(dim), keepdim)
    x, axes = _last_two(A, dim)
    if ord == "nuc" or abs(ord) == 2:
        values = linalg_svdvals(x)
        if ord == "nuc":
            out = _sum(values, (-1,), False, None)
        else:
            out = (_amax if ord > 0 else _amin)(values, (-1,), False)
    else:
        summed, reduced = (-2, -1) if abs(ord) == 1 else (-1, -1)
        totals = linalg_vector_norm(x, 1, (summed,))
        out = (_amax if ord > 0 else _amin)(totals, (reduced,), False)
    return _kept_dims(out, A, axes) if keepdim else out


def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """A vector or matrix norm, by the number of dimensions.

    >>> import facula as torch
    >>> torch.linalg.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    ndim = len(shape_of(A))
    if isinstance(dim, int):
        dim = (dim,)
    if ord is None:
        return linalg_vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None and ndim not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{ndim}D."
        )
    if dim is not None and len(dim) not in (1, 2):
        raise RuntimeError(
            "linalg.norm: If dim is specified, it must be of length 1 or 2. Got "
            f"[{', '.join(map(str, dim))}]"
        )
    if isinstance(ord, str) or (len(dim) == 2 if dim is not None else ndim == 2):
        return linalg_matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return linalg_vector_norm(A, ord, dim, keepdim, dtype=dtype)


def norm(input, p="fro", dim=None, keepdim=False, out=None, dtype=None):
    """The p-norm over ``dim``; "fro" is the 2-norm of all elements, "nuc" that of singular values.

    >>> import facula as torch
    >>> torch.norm(torch.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if isinstance(dim, int):
        dim = (dim,)
    if p == "fro" or p is None:
        return linalg_vector_norm(input, 2, dim, keepdim, dtype=dtype)
    if p == "nuc":
        return linalg_matrix_norm(input, p, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    if isinstance(p, str):
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    return linalg_vector_norm(input, p, dim, keepdim, dtype=dtype)


def norm_except_dim(v, pow=2, dim=0):
    """The norm over all dimensions but one, as weight normalisation uses it; -1: over all."""
    if dim == -1:
        return norm(v, pow)
    axes = tuple([i for i in range(len(shape_of(v))) if i != dim])
    return linalg_vector_norm(v, pow, axes, True)


def frobenius_norm(input, dim, keepdim=False):
    """The square root of the sum of squares over ``dim``."""
    return linalg_vector_norm(input, 2, dim, keepdim)


def linalg_cond(A, p=None):
    """How much a matrix enlarges relative errors: norm(A, p) * norm(A^-1, p)."""
    if len(shape_of(A)) < 2:
        raise RuntimeError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if p is None or (not isinstance(p, str) and abs(p) == 2):
        values = linalg_svdvals(A)
        k = shape_of(values)[-1]
        first, last = select(values, -1, 0), select(values, -1, k - 1)
        return last / first if p == -2 else first / last
    check_square("linalg.cond", A)
    inverse, info = _inverse(A)
    product = linalg_matrix_norm(A, p) * linalg_matrix_norm(inverse, p)
    return _select(info != 0, math.inf, nan_to_num(product, math.inf))


def linalg_matrix_rank(A, *, atol=None, rtol=None, hermitian=False, tol=None):
    """How many singular values exceed the tolerance max(atol, rtol * largest)."""
    name = "torch.linalg.matrix_rank"
    if len(shape_of(A)) < 2:
        raise RuntimeError(f"{name}: The input tensor input must have at least 2 dimensions.")
    if dtype_of(A).category < FLOAT:
        raise RuntimeError("This function doesn't handle types other than float and double")
    if tol is not None:
        atol, rtol = tol, 0.0
    atol, rtol = default_tolerances(A, atol, rtol)
    values = abs_(linalg_eigvalsh(A)) if hermitian else linalg_svdvals(A)
    return _count_above(values, atol, rtol)


@operator(differentiable=False)
def _count_above(values, atol: Operand, rtol: Operand):
    own = dtype_of(values)
    if shape_of(values)[-1] == 0:
        return kit.full(shape_of(values)[:-1], 0, dtypes.int64)
    atol, rtol = [_lifted(x, own) for x in (atol, rtol)]
    relative = _amax(values, (-1,), True) * rtol
    limit = _select(relative > atol, relative, atol)
    return _sum(values > limit, (-1,), False, None)


def _lifted(x, own):
    x = kit.as_dtype(x, own)
    return kit.reshape(x, (*shape_of(x), 1)) if shape_of(x) else x


# Distances --------------------------------------------------------------------------------------


@operator(name="Dist")
def _dist(input, other, p):
    return _vector_norm(input - other, p, None, False, None)


def dist(input, other, p=2):
    """The p-norm of ``input - other``."""
    return _dist(input, other, (float(p),))


@operator(name="Renorm")
def _renorm(input, p, dim, maxnorm: Operand):
    axes = tuple([i for i in range(len(shape_of(input))) if i != dim])
    norms = _vector_norm(input, p, axes, True, None)
    factor = _select(norms > maxnorm, maxnorm / (norms + 1e-7), zero_like(norms) + 1)
    return input * factor


def renorm(input, p, dim, maxnorm):
    """Slices along ``dim`` whose p-norm exceeds ``maxnorm`` scaled down to it."""
    ndim = len(shape_of(input))
    if ndim < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {ndim} dimensions")
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    return _renorm(input, (float(p),), kit.axis_of(dim, ndim), float(maxnorm))


NAMESPACES = {
    "torch": ["norm", "norm_except_dim", "frobenius_norm", "dist", "renorm"],
    "method": ["norm", "dist", "renorm"],
    "inplace": ["renorm"],
}
