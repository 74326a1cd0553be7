"""Linear systems: solve, inverse, determinant, least squares, pseudo-inverse."""

from __future__ import annotations

import numpy as np

from facula.autograd.modes import modes
from facula.base import dtypes
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import host
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.basic import conj, full, imag_part
from facula.operators.linear_algebra import (
    as_complex,
    check_matrix,
    check_square,
    column,
    dtype_of,
    hermitian,
    identity_like,
    is_complex,
    matmul,
    raise_if_failed,
    row,
    same_dtypes,
    shape_of,
    swapped,
    tril,
    triu,
)
from facula.operators.movement import _view
from facula.operators.operator import Operand, operator
from facula.operators.pointwise import abs as abs_
from facula.operators.reduction import _sum
from facula.operators.results import result
from facula.operators.transcendental import log

# Triangular systems -----------------------------------------------------------------------------


def _triangular_grad(g, A, B, out, upper, left, unit, needs):
    g_b = _triangular(hermitian(A), g, not upper, left, unit)
    grads = {"B": g_b}
    if "A" in needs:
        g_a = -matmul(g_b, hermitian(out)) if left else -matmul(hermitian(out), g_b)
        cut = 1 if unit else 0
        grads["A"] = triu(g_a, cut) if upper else tril(g_a, -cut)
    return grads


@operator(name="LinalgSolveTriangular", derivative=_triangular_grad)
def _triangular(A, B, upper: bool, left: bool, unit: bool):
    if not left:
        return swapped(_triangular.call_body([swapped(A), swapped(B), not upper, True, unit]))
    a, b = _common_batches(A, B)
    return kit.bind(host.solve_triangular, a, b, upper=upper, unit=unit)


def _common_batches(a, b):
    """Both operands repeated to the common shape of their leading dimensions."""
    shape_a, shape_b = shape_of(a), shape_of(b)
    batch = kit.kinds.broadcast_shapes("solve", shape_a[:-2], shape_b[:-2])
    return kit.broadcast_to(a, (*batch, *shape_a[-2:])), kit.broadcast_to(
        b, (*batch, *shape_b[-2:])
    )


def _solve_triangular(a, b, upper, unit):
    return _triangular(a, b, upper, True, unit)


def _check_systems(name, shape_a, shape_b, left):
    (n, m), (rows, columns) = shape_a[-2:], shape_b[-2:]
    if (rows if left else columns) != m:
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {equation} ({n}x{m} and "
            f"{rows}x{columns})"
        )


def linalg_solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """X with A X = B (or X A = B) for triangular A; the other triangle is not read.

    A zero on the diagonal gives infinities, not an error.
    """
    name = "linalg.solve_triangular"
    check_square(name, A)
    check_matrix(name, B, "B")
    same_dtypes(name, A, B)
    _check_systems(name, shape_of(A), shape_of(B), left)
    return _triangular(A, B, bool(upper), bool(left), bool(unitriangular))


def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """(X, copy of A) with A X = b; ``transpose`` solves A^T X = b."""
    check_square("triangular_solve", A)
    own = swapped(A) if transpose else A
    solution = _triangular(own, b, bool(upper) != bool(transpose), True, bool(unitriangular))
    return result("triangular_solve", (solution, A.clone()))


def _cholesky_solve_grad(g, L, out, upper):
    g_b = _cholesky_solve(g, L, upper)
    both = matmul(g_b, hermitian(out))
    both = both + hermitian(both)
    return {"B": g_b, "L": -matmul(L, both) if upper else -matmul(both, L)}


@operator(name="CholeskySolve", derivative=_cholesky_solve_grad)
def _cholesky_solve(B, L, upper: bool):
    low = hermitian(L) if upper else L
    return _solve_triangular(hermitian(low), _solve_triangular(low, B, False, False), True, False)


def cholesky_solve(B, L, upper=False):
    """X with (L L^H) X = B from the Cholesky factor L."""
    for name, x in (("b", B), ("u", L)):
        if len(shape_of(x)) < 2:
            raise RuntimeError(
                f"{name} should have at least 2 dimensions, but has {len(shape_of(x))} dimensions "
                "instead"
            )
    return _cholesky_solve(B, L, bool(upper))


def _cholesky_inverse_grad(g, L, out, upper):
    both = matmul(matmul(out, g + hermitian(g)), out)
    return {"L": -matmul(L, both) if upper else -matmul(both, L)}


@operator(name="CholeskyInverse", derivative=_cholesky_inverse_grad)
def _cholesky_inverse(L, upper: bool):
    return _cholesky_solve.call_body([identity_like(L), L, upper])


def cholesky_inverse(L, upper=False):
    """The inverse of L L^H from the Cholesky factor L."""
    check_square("cholesky_inverse", L)
    return _cholesky_inverse(L, bool(upper))


# Systems and inverses ---------------------------------------------------------------------------


def _solve_grad(g, A, B, out, left, vector):
    if vector:
        g, out = column(g), column(out)
    g_b = _solve_raw(hermitian(A), g, left, False)[0]
    g_a = -matmul(g_b, hermitian(out)) if left else -matmul(hermitian(out), g_b)
    return {"A": g_a, "B": _view(g_b, shape_of(g_b)[:-1]) if vector else g_b}


@operator(name="LinalgSolveEx", derivative=_solve_grad)
def _solve_raw(A, B, left: bool, vector: bool):
    if not left:
        out, info = _solve_raw.call_body([swapped(A), swapped(B), True, False])
        return swapped(out), info
    b = kit.reshape(B, (*shape_of(B), 1)) if vector else B
    out, info = kit.bind(host.solve, *_common_batches(A, b))
    return (kit.reshape(out, shape_of(out)[:-1]) if vector else out), info


def _solved(name, A, B, left):
    check_square(name, A)
    same_dtypes(name, A, B)
    shape_a, shape_b = shape_of(A), shape_of(B)
    vector = len(shape_b) == 1 or (len(shape_a) - 1 == len(shape_b) and shape_b == shape_a[:-1])
    _check_systems(name, shape_a, (*shape_b, 1) if vector else shape_b, left or vector)
    return _solve_raw(A, B, bool(left or vector), vector)


def _singular(i):
    return "The solver failed because the input matrix is singular."


def linalg_solve(A, B, *, left=True):
    """X with A X = B (or X A = B) for square, invertible A.

    >>> import facula as torch
    >>> torch.linalg.solve(torch.tensor([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    out, info = _solved("linalg.solve", A, B, left)
    raise_if_failed("torch.linalg.solve", info, _singular)
    return out


def linalg_solve_ex(A, B, *, left=True, check_errors=False):
    """``solve`` that reports a singular matrix in ``info`` instead of raising."""
    out, info = _solved("linalg.solve", A, B, left)
    if check_errors:
        raise_if_failed("torch.linalg.solve_ex", info, _singular)
    return result("linalg_solve_ex", (out, info))


@operator(
    name="LinalgInvEx",
    derivative={"A": lambda g, out: -matmul(matmul(hermitian(out), g), hermitian(out))},
)
def _inverse(A):
    return kit.bind(host.inverse, A)


def _no_inverse(i):
    return (
        f"The diagonal element {i} is zero, the inversion could not be completed because the input "
        "matrix is singular."
    )


def linalg_inv(A):
    """The inverse of square matrices; LinAlgError when there is none.

    >>> import facula as torch
    >>> torch.linalg.inv(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    check_square("linalg.inv", A)
    out, info = _inverse(A)
    raise_if_failed("linalg.inv", info, _no_inverse)
    return out


def inverse(input):
    """The inverse of square matrices."""
    return linalg_inv(input)


def linalg_inv_ex(A, *, check_errors=False):
    """``inv`` that reports a singular matrix in ``info`` instead of raising."""
    check_square("linalg.inv_ex", A)
    out, info = _inverse(A)
    if check_errors:
        raise_if_failed("linalg.inv_ex", info, _no_inverse)
    return result("linalg_inv_ex", (out, info))


# Determinants -----------------------------------------------------------------------------------


def _each_matrix(x):
    """A number for each matrix, as a factor of the matrices."""
    return column(column(x))


def _cofactors_grad(g, A, out):
    """C = det(A) A^-T; with K = A^-H the gradient is <C, g> K - K g^T conj(C)."""
    k = conj(swapped(_inverse(A)[0]))
    c = conj(out)
    inner = _sum(g * c, (-2, -1), False, None)
    return _each_matrix(inner) * k - matmul(matmul(k, swapped(g)), c)


@operator(name="Cofactors", derivative={"A": _cofactors_grad})
def _cofactors(A):
    return kit.bind(host.cofactors, A)


@operator(
    name="LinalgDet",
    derivative={"A": lambda g, A: _each_matrix(g) * conj(_cofactors(A))},
)
def _det(A):
    return kit.bind(host.det, A)


def linalg_det(A):
    """The determinant of square matrices; its gradient exists for singular ones too."""
    check_square("linalg.det", A)
    return _det(A)


def det(input):
    """The determinant of square matrices.

    >>> import facula as torch
    >>> torch.det(torch.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    return linalg_det(input)


def _slogdet_grad(gs, outs, A):
    g = gs[1]
    if is_complex(A):
        # The phase turns by the imaginary part of tr(A^-1 dA).
        turn = -imag_part(conj(gs[0]) * outs[0])
        g = as_complex(g) + as_complex(turn) * 1j
    return {"A": _each_matrix(g) * hermitian(_inverse(A)[0])}


@operator(name="LinalgSlogdet", derivative=_slogdet_grad)
def _slogdet(A):
    return kit.bind(host.slogdet, A)


def linalg_slogdet(A):
    """Sign (or phase) of the determinant and the logarithm of its size."""
    check_square("linalg.slogdet", A)
    return result("linalg_slogdet", _slogdet(A))


def slogdet(input):
    """Sign (or phase) of the determinant and the logarithm of its size."""
    check_square("linalg.slogdet", input)
    return result("slogdet", _slogdet(input))


def logdet(input):
    """The logarithm of the determinant; NaN where it is negative."""
    check_square("logdet", input)
    sign, size = _slogdet(input)
    if is_complex(input):
        return log(sign) + size
    return _select(sign == -1.0, float("nan"), size)


# Least squares ----------------------------------------------------------------------------------


def _pinv_grad(g, A, out):
    """Golub and Pereyra (1973), arranged so that the products stay small."""
    m, n = shape_of(A)[-2:]
    g_h, p, p_h = hermitian(g), out, hermitian(out)
    if m <= n:
        k = matmul(g_h, p)
        kp = matmul(k, p_h)
        return (
            kp - hermitian(matmul(p, k)) - matmul(matmul(A, p), kp)
            + matmul(matmul(p_h, p), g_h - matmul(k, A))
        )  # fmt: skip
    k = matmul(p, g_h)
    pk = matmul(p_h, k)
    return (
        pk - hermitian(matmul(k, p)) + matmul(matmul(g_h - matmul(A, k), p), p_h)
        - matmul(matmul(pk, p), A)
    )  # fmt: skip


@operator(name="LinalgPinv", derivative={"A": _pinv_grad})
def _pinv(A, atol: Operand, rtol: Operand, hermitian_input: bool):
    if hermitian_input:
        s, right, _ = kit.bind(host.eigh, A, uplo="L")
        left = right
    else:
        left, s, vh, _ = kit.bind(host.svd, A, full_matrices=False)
        right = hermitian(vh)
    inverse_s = _inverted(s, _tolerance(s, atol, rtol))
    return matmul(right * row(inverse_s), hermitian(left))


def _tolerance(s, atol, rtol):
    """max(atol, rtol * largest), one for each matrix."""
    own = dtype_of(s)
    size = kit.bind(e.absolute, s)
    axis = len(shape_of(s)) - 1
    if shape_of(s)[axis] == 0:
        return kit.full((*shape_of(s)[:-1], 1), 0, own)
    largest = kit.reshape(kit.bind(r.maximum, size, axes=(axis,)), (*shape_of(s)[:-1], 1))
    atol, rtol = [_limit(x, own) for x in (atol, rtol)]
    return kit.bind(e.maximum, atol, kit.bind(e.mul, rtol, largest))


def _limit(x, own):
    x = kit.as_dtype(x, own)
    shape = shape_of(x)
    return kit.reshape(x, (*shape, 1)) if shape else x


def _inverted(s, tolerance):
    own = dtype_of(s)
    kept = kit.bind(e.less, tolerance, kit.bind(e.absolute, s))
    one, zero = kit.number(1, own), kit.number(0, own)
    safe = kit.bind(e.select, kept, s, one)
    return kit.bind(e.select, kept, kit.bind(e.div, one, safe), zero)


def default_tolerances(x, atol, rtol):
    """PyTorch's defaults: relative eps * max(m, n), unless an absolute one is given."""
    real = dtype_of(x).to_real()
    relative = float(np.finfo(real.numpy).eps) * max(shape_of(x)[-2:])
    if rtol is None:
        if atol is None or isinstance(atol, (bool, int, float)):
            rtol = relative if not atol else 0.0
        else:
            rtol = _select(atol > 0, 0.0, relative)
    if isinstance(atol, (bool, int)) or atol is None:
        atol = float(atol or 0)
    return atol, float(rtol) if isinstance(rtol, (bool, int)) else rtol


def linalg_pinv(A, *, atol=None, rtol=None, hermitian=False, rcond=None):
    """The Moore-Penrose pseudo-inverse; singular values below the tolerance count as 0."""
    own = dtype_of(A)
    floats = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)
    if len(shape_of(A)) < 2 or own not in floats:
        raise RuntimeError(
            f"linalg.pinv({own.legacy}{{{list(shape_of(A))}}}): expected a tensor with 2 or more "
            "dimensions of float, double, cfloat or cdouble types"
        )
    atol, rtol = default_tolerances(A, atol, rtol if rcond is None else rcond)
    return _pinv(A, atol, rtol, bool(hermitian))


def pinverse(input, rcond=1e-15):
    """The pseudo-inverse; singular values below ``rcond`` times the largest count as 0."""
    return linalg_pinv(input, rtol=rcond)


def _lstsq_grad(g, A, B, rtol):
    p = _pinv(A, 0.0, rtol, False)
    return {
        "A": _pinv_grad(matmul(g, hermitian(B)), A, p),
        "B": matmul(hermitian(p), g),
    }


@operator(name="LinalgLstsq", derivative=_lstsq_grad)
def _lstsq(A, B, rtol: Operand):
    left, s, vh, _ = kit.bind(host.svd, A, full_matrices=False)
    tolerance = _tolerance(s, 0.0, rtol)
    inner = matmul(hermitian(left), B)
    solution = matmul(hermitian(vh), column(_inverted(s, tolerance)) * inner)
    kept = kit.as_dtype(kit.bind(e.less, tolerance, s), dtypes.int64)
    return solution, kit.bind(r.total, kept, axes=(len(shape_of(s)) - 1,)), s


def linalg_lstsq(input, b=None, rcond=None, *, driver=None, B=None):
    """X that makes |A X - B| smallest; of several the one with the smallest norm.

    Differs from PyTorch: every driver works through the singular values.
    """
    other = b if b is not None else B
    if driver is None:
        driver = "gelsy"
    if driver not in ("gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            "torch.linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)"
        )
    if len(shape_of(input)) < 2:
        raise RuntimeError("torch.linalg.lstsq: input must have at least 2 dimensions.")
    if dtype_of(input) is not dtype_of(other):
        raise RuntimeError(
            "torch.linalg.lstsq: Expected input and other to have the same dtype, but got input's "
            f"dtype {dtype_of(input).legacy} and other's dtype {dtype_of(other).legacy}"
        )
    check_matrix("linalg.lstsq", input)
    m = shape_of(input)[-2]
    vector = shape_of(other) == shape_of(input)[:-1]
    wide = column(other) if vector else other
    if shape_of(wide)[-2] != m:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    _, rtol = default_tolerances(input, None, rcond)
    solution, rank, singular = _lstsq(input, wide, rtol)
    empty = full((0,), 0, dtype_of(input).to_real())
    residuals = empty if driver == "gelsy" else _residuals(input, wide, solution, rank)
    if vector:
        solution = _view(solution, shape_of(solution)[:-1])
    rank = rank if driver != "gels" else full((0,), 0, dtypes.int64)
    singular = singular.detach() if driver in ("gelsd", "gelss") else empty
    return result("linalg_lstsq", (solution, residuals, rank, singular))


def _residuals(a, b, solution, rank):
    """Squared lengths of A X - B, for overdetermined systems of full rank; else empty."""
    m, n = shape_of(a)[-2:]
    full_rank = m > n and (modes.trace is not None or bool(np.all(rank._buffer() == n)))
    if not full_rank:
        return full((0,), 0, dtype_of(a).to_real())
    return _sum(abs_(matmul(a, solution) - b) ** 2, (-2,), False, None)


NAMESPACES = {
    "torch": [
        "triangular_solve", "cholesky_solve", "cholesky_inverse", "inverse", "det", "slogdet",
        "logdet", "pinverse",
    ],
    "method": [
        "triangular_solve", "cholesky_solve", "cholesky_inverse", "inverse", "det", "slogdet",
        "logdet", "pinverse",
    ],
}  # fmt: skip
