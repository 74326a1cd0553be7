"""LU factorisations with partial pivoting, and products of reflections."""

from __future__ import annotations

from facula.base import dtypes
from facula.graph.primitives import host
from facula.operators import kit
from facula.operators.joining import cat
from facula.operators.linear_algebra import (
    check_matrix,
    check_square,
    column,
    dtype_of,
    hermitian,
    identity_like,
    matmul,
    raise_if_failed,
    shape_of,
    swapped,
    tril,
    triu,
)
from facula.operators.linear_algebra_solve import _solve_triangular
from facula.operators.operator import operator
from facula.operators.results import result
from facula.operators.slicing import narrow

# LU ---------------------------------------------------------------------------------------------


def _lu_grad(g_l, g_u, p, low, up):
    """Gradient of A from those of L and U, where A = P L U."""
    m, k = shape_of(low)[-2:]
    n = shape_of(up)[-1]
    low1, up1 = narrow(low, -2, 0, k), narrow(up, -1, 0, k)
    strict = matmul(hermitian(low1), narrow(g_l, -2, 0, k))
    upper = matmul(narrow(g_u, -1, 0, k), hermitian(up1))
    if n > k:
        g_u2 = narrow(g_u, -1, k, n - k)
        strict = strict - matmul(g_u2, hermitian(narrow(up, -1, k, n - k)))
    if m > k:
        g_l2 = narrow(g_l, -2, k, m - k)
        upper = upper - matmul(hermitian(narrow(low, -2, k, m - k)), g_l2)
    core = tril(strict, -1) + triu(upper)
    core = hermitian(_solve_triangular(up1, hermitian(core), True, False))
    if n > k:
        core = cat([core, g_u2], -1)
    top = _solve_triangular(hermitian(low1), core, True, True)
    if m > k:
        bottom = hermitian(_solve_triangular(up1, hermitian(g_l2), True, False))
        # L2 depends on U alone here: its own part of A is gL2 U^-H.
        top = cat([top, bottom], -2)
    return matmul(p, top)


def _factor_grad(gs, outs):
    p = permutation_of(outs[2], shape_of(outs[0])[-2], dtype_of(outs[0]))
    return {"input": _lu_grad(gs[0], gs[1], p, outs[0], outs[1])}


@operator(name="LinalgLu", derivative=_factor_grad)
def _lu(input):
    packed, pivots, _ = kit.bind(host.lu, input)
    return (*_triangles(packed), pivots)


def _triangles(packed):
    k = min(shape_of(packed)[-2:])
    left, right = narrow(packed, -1, 0, k), narrow(packed, -2, 0, k)
    return _with_unit_diagonal(left), triu(right)


@operator(name="LuUnpack")
def lu_triangles(LU_data):
    """L and U from the matrix that holds both."""
    return _triangles(LU_data)


def _with_unit_diagonal(x):
    return tril(x, -1) + identity_like(x)


@operator(differentiable=False)
def permutation_of(pivots, size: int, dtype: dtypes.dtype):
    """P with A = P L U from the pivots."""
    return kit.bind(host.permutation, pivots, size=size, dtype=dtype)


def _check_lu(name, A, pivot):
    if len(shape_of(A)) < 2:
        raise RuntimeError(
            f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(shape_of(A))} "
            "instead"
        )
    check_matrix(name, A)
    if not pivot:
        raise RuntimeError(f"{name}: LU without pivoting is not implemented on the CPU")


def linalg_lu(A, *, pivot=True):
    """P, L, U with A = P L U: a permutation, unit lower and upper triangular matrices."""
    _check_lu("linalg.lu", A, pivot)
    low, up, pivots = _lu(A)
    return result("linalg_lu", (permutation_of(pivots, shape_of(A)[-2], dtype_of(A)), low, up))


def _lu_factor_grad(g, outs, input):
    m, n = shape_of(input)[-2:]
    k = min(m, n)
    p = permutation_of(outs[1], m, dtype_of(input))
    low, up = lu_triangles(outs[0])
    g_l = tril(narrow(g, -1, 0, k), -1)
    g_u = triu(narrow(g, -2, 0, k))
    return {"input": _lu_grad(g_l, g_u, p, low, up)}


@operator(name="LinalgLuFactorEx", derivative=_lu_factor_grad)
def _lu_factor(input):
    return kit.bind(host.lu, input)


def linalg_lu_factor(A, *, pivot=True):
    """L and U packed in one matrix, and the pivots (counted from 1)."""
    _check_lu("torch.lu_factor", A, pivot)
    packed, pivots, info = _lu_factor(A)
    raise_if_failed("torch.linalg.lu_factor", info, _zero_pivot, RuntimeError)
    return result("linalg_lu_factor", (packed, pivots))


def _zero_pivot(i):
    return (
        f"U[{i},{i}] is zero and using it on lu_solve would result in a division by zero. If you "
        "still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
        "linalg.lu_factor_ex(A, pivot)"
    )


def linalg_lu_factor_ex(A, *, pivot=True, check_errors=False):
    """``lu_factor`` that reports a zero pivot in ``info`` instead of raising."""
    _check_lu("torch.lu_factor", A, pivot)
    packed, pivots, info = _lu_factor(A)
    if check_errors:
        raise_if_failed("torch.linalg.lu_factor_ex", info, _zero_pivot, RuntimeError)
    return result("linalg_lu_factor_ex", (packed, pivots, info))


def lu(A, pivot=True, get_infos=False):
    """``linalg.lu_factor`` under the older name, with ``info`` if asked."""
    packed, pivots, info = linalg_lu_factor_ex(A, pivot=pivot, check_errors=not get_infos)
    return (packed, pivots, info) if get_infos else (packed, pivots)


def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """P, L, U from a packed factorisation; parts that are not wanted are empty."""
    if dtype_of(LU_pivots) is not dtypes.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype"
        )
    p = permutation_of(LU_pivots, shape_of(LU_data)[-2], dtype_of(LU_data))
    low, up = lu_triangles(LU_data)
    empty = narrow(_flat(LU_data), 0, 0, 0)
    parts = (
        p if unpack_pivots else empty,
        low if unpack_data else empty,
        up if unpack_data else empty,
    )
    return result("lu_unpack", parts)


def _flat(x):
    return x.reshape(-1)


@operator(name="LinalgLuSolve")
def _lu_solve(LU, pivots, B, left: bool, adjoint: bool):
    if not left:
        solved = _lu_solve.call_body([LU, pivots, hermitian(B), True, not adjoint])
        return hermitian(solved)
    p = permutation_of(pivots, shape_of(LU)[-1], dtype_of(LU))
    low, up = _triangles(LU)
    if not adjoint:
        half = _solve_triangular(low, matmul(swapped(p), B), False, True)
        return _solve_triangular(up, half, True, False)
    half = _solve_triangular(hermitian(up), B, False, False)
    return matmul(p, _solve_triangular(hermitian(low), half, True, True))


def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """X with A X = B (or X A = B, or A^H X = B) from A's packed LU factorisation."""
    check_square("linalg.lu_solve", LU)
    return _lu_solve(LU, pivots, B, bool(left), bool(adjoint))


def lu_solve(b, LU_data, LU_pivots):
    """``linalg.lu_solve`` with the older order of arguments."""
    return linalg_lu_solve(LU_data, LU_pivots, b)


# Householder products ---------------------------------------------------------------------------


@operator(name="LinalgHouseholderProduct")
def linalg_householder_product(A, tau):
    """The first n columns of H_1 H_2 ... H_k, reflections given by columns of A and by tau."""
    k = shape_of(tau)[-1]
    vectors = _with_unit_diagonal(A)
    out = identity_like(A)
    for i in range(k - 1, -1, -1):
        v = narrow(vectors, -1, i, 1)
        factor = column(narrow(tau, -1, i, 1))
        out = out - factor * matmul(v, matmul(hermitian(v), out))
    return out


orgqr = linalg_householder_product

NAMESPACES = {
    "torch": ["lu", "lu_unpack", "lu_solve", "orgqr"],
    "method": ["lu", "lu_solve", "orgqr"],
}
