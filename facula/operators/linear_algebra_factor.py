"""Matrix factorisations: Cholesky, QR, SVD, eigenvalues, LU."""

from __future__ import annotations

import numpy as np

from facula.autograd.modes import modes
from facula.graph.primitives import host
from facula.operators import kit
from facula.operators.basic import conj, real_part, zero_like
from facula.operators.joining import cat
from facula.operators.linear_algebra import (
    as_complex,
    check_matrix,
    check_square,
    column,
    diagonal_of,
    dtype_of,
    halved_tril,
    hermitian,
    is_complex,
    matmul,
    quotient,
    raise_if_failed,
    row,
    shape_of,
    swapped,
    triu,
)
from facula.operators.linear_algebra_solve import _solve_raw, _solve_triangular
from facula.operators.operator import operator
from facula.operators.rearranging import diag_embed
from facula.operators.results import result
from facula.operators.slicing import narrow

# Cholesky ---------------------------------------------------------------------------------------


def _cholesky_grad(g, out, upper):
    """Murray (2016): A' = L^-H sym(phi(L^H g)) L^-1."""
    low = hermitian(out) if upper else out
    grad = hermitian(g) if upper else g
    phi = halved_tril(matmul(hermitian(low), grad))
    phi = (phi + hermitian(phi)) * 0.5
    half = _solve_triangular(hermitian(low), phi, True, False)
    return hermitian(_solve_triangular(hermitian(low), hermitian(half), True, False))


def _cholesky_body(input, upper):
    a = hermitian(input) if upper else input
    out, info = kit.bind(host.cholesky, a)
    return (hermitian(out) if upper else out), info


@operator(
    name="LinalgCholeskyEx",
    derivative={"input": lambda g, out, upper: _cholesky_grad(g, out, upper)},
)
def _cholesky_ex(input, upper: bool):
    return _cholesky_body(input, upper)


@operator(
    name="Cholesky", derivative={"input": lambda g, out, upper: _cholesky_grad(g, out, upper)}
)
def _cholesky(input, upper: bool):
    return _cholesky_body(input, upper)


def _not_positive(order):
    return (
        "The factorization could not be completed because the input is not positive-definite (the "
        f"leading minor of order {order} is not positive-definite)."
    )


def linalg_cholesky(A, *, upper=False):
    """The lower (or upper) triangular factor of positive-definite matrices, A = L L^H.

    >>> import facula as torch
    >>> torch.linalg.cholesky(torch.tensor([[4.0, 2.0], [2.0, 5.0]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    check_square("linalg.cholesky", A)
    out, info = _cholesky_ex(A, bool(upper))
    raise_if_failed("linalg.cholesky", info, _not_positive)
    return out


def linalg_cholesky_ex(A, *, upper=False, check_errors=False):
    """``cholesky`` that reports failure in ``info`` instead of raising."""
    check_square("linalg.cholesky_ex", A)
    out, info = _cholesky_ex(A, bool(upper))
    if check_errors:
        raise_if_failed("linalg.cholesky_ex", info, _not_positive)
    return result("linalg_cholesky_ex", (out, info))


def cholesky(input, upper=False):
    """The Cholesky factor, under the older name."""
    check_square("cholesky", input)
    out, info = _cholesky(input, bool(upper))
    raise_if_failed("cholesky", info, _not_positive)
    return out


# QR ---------------------------------------------------------------------------------------------


def _qr_grad(gs, input, outs, mode):
    m, n = shape_of(input)[-2:]
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please "
            "use linalg.qr(A, mode='reduced') if you are going to require its derivative."
        )
    if mode == "complete" and m > n:
        raise RuntimeError(
            "The QR decomposition is not differentiable when mode='complete' and nrows > ncols."
        )
    (g_q, g_r), (q, r_) = gs[:2], outs[:2]
    if m >= n:
        return {"input": _tall_qr_grad(g_q, g_r, q, r_)}
    # A = [X Y], R = [U V], X = Q U and Y = Q V: V's gradient flows to Y and, through Q, to X.
    right = narrow(input, -1, m, n - m)
    g_v = narrow(g_r, -1, m, n - m)
    g_q = g_q + matmul(right, hermitian(g_v))
    left = _tall_qr_grad(g_q, narrow(g_r, -1, 0, m), q, narrow(r_, -1, 0, m))
    return {"input": cat([left, matmul(q, g_v)], -1)}


def _tall_qr_grad(g_q, g_r, q, r_):
    """Walter and Lehmann (2018): (gQ + Q copyltu(M)) R^-H with M = R gR^H - gQ^H Q."""
    inner = matmul(g_r, hermitian(r_)) - matmul(hermitian(q), g_q)
    upper = triu(inner)
    balanced = upper + hermitian(upper)
    real_diagonal = diagonal_of(inner)
    if is_complex(inner):
        real_diagonal = as_complex(real_part(real_diagonal))
    twice = diagonal_of(balanced)
    balanced = balanced - diag_embed(twice) + diag_embed(real_diagonal)
    return hermitian(_solve_triangular(r_, hermitian(g_q + matmul(q, balanced)), True, False))


@operator(name="LinalgQr", derivative=_qr_grad)
def _qr(input, mode: str):
    if mode == "r":
        _, out = kit.bind(host.qr, input, mode="reduced")
        return kit.full((0,), 0, dtype_of(input)), out
    return kit.bind(host.qr, input, mode=mode)


def linalg_qr(A, mode="reduced"):
    """Q (orthonormal columns) and R (upper triangular) with A = Q R.

    ``mode`` is "reduced", "complete" (Q square) or "r" (only R; Q is empty).
    """
    check_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', "
            "or 'complete'"
        )
    return result("linalg_qr", _qr(A, mode))


def qr(input, some=True):
    """QR under the older name: ``some=False`` is mode "complete"."""
    check_matrix("linalg.qr", input)
    return result("qr", _qr(input, "reduced" if some else "complete"))


# SVD --------------------------------------------------------------------------------------------


def _svd_grad(gs, outs, input):
    """Wan and Zhang (2019), with the terms outside the column and row space."""
    m, n = shape_of(input)[-2:]
    k = min(m, n)
    g_u, g_s, g_vh = gs[:3]
    u, s, vh = outs[:3]
    g_u, u = narrow(g_u, -1, 0, k), narrow(u, -1, 0, k)
    g_vh, vh = narrow(g_vh, -2, 0, k), narrow(vh, -2, 0, k)
    in_u = _skew(matmul(hermitian(u), g_u))
    in_v = _skew(matmul(vh, hermitian(g_vh)))
    squares = s * s
    gaps = row(squares) - column(squares)
    core = in_u * row(s) + column(s) * in_v
    core = quotient(core - diag_embed(diagonal_of(core)), gaps) + diag_embed(g_s)
    if is_complex(input):
        core = core + diag_embed(quotient(diagonal_of(in_u), 2 * s))
    if m > k:
        over = quotient(g_u, row(s))
        grad = matmul(u, core) + over - matmul(u, matmul(hermitian(u), over))
        return {"input": matmul(grad, vh)}
    if n > k:
        over = quotient(g_vh, column(s))
        grad = matmul(core, vh) + over - matmul(matmul(over, hermitian(vh)), vh)
        return {"input": matmul(u, grad)}
    return {"input": matmul(matmul(u, core), vh)}


def _skew(x):
    return x - hermitian(x)


@operator(name="LinalgSvd", derivative=_svd_grad)
def _svd(input, full_matrices: bool):
    return kit.bind(host.svd, input, full_matrices=full_matrices)


@operator(differentiable=False)
def _svdvals(input):
    return kit.bind(host.svdvals, input, full_matrices=False)


def _needs_vectors(x) -> bool:
    """Whether a gradient may be wanted, which takes the vectors."""
    return modes.grad and x._node is not None


def _svd_failed(code):
    return "The algorithm failed to converge because the input matrix contained non-finite values."


def _checked_svd(A, full_matrices):
    check_matrix("linalg.svd", A)
    u, s, vh, info = _svd(A, full_matrices)
    raise_if_failed("linalg.svd", info, _svd_failed)
    return u, s, vh


def linalg_svd(A, full_matrices=True, *, driver=None):
    """U, the singular values (descending) and V^H with A = U diag(S) V^H.

    >>> import facula as torch
    >>> torch.linalg.svd(torch.tensor([[0.0, 2.0], [1.0, 0.0]])).S
    tensor([2., 1.])
    """
    return result("linalg_svd", _checked_svd(A, bool(full_matrices)))


def linalg_svdvals(A, *, driver=None):
    """The singular values, in descending order."""
    if _needs_vectors(A):
        return _checked_svd(A, False)[1]
    check_matrix("linalg.svd", A)
    values, info = _svdvals(A)
    raise_if_failed("linalg.svd", info, _svd_failed)
    return values


def svd(input, some=True, compute_uv=True):
    """U, S and V (not V^H); ``some`` keeps only as many columns as there are singular values."""
    if len(shape_of(input)) < 2:
        raise RuntimeError(
            f"linalg.svd: input should have at least 2 dimensions, but has {len(shape_of(input))} "
            "dimensions instead"
        )
    u, s, vh = _checked_svd(input, not some or not compute_uv)
    if not compute_uv:
        return result("svd", (zero_like(u), s, zero_like(swapped(vh))))
    return result("svd", (u, s, adjoint_view(vh)))


def adjoint_view(x):
    """The conjugate transpose, a view where nothing has to be conjugated."""
    return conj(x.transpose(-2, -1))


# Eigenvalues ------------------------------------------------------------------------------------


def _eigh_grad(gs, outs):
    values, vectors = outs[:2]
    turned = matmul(hermitian(vectors), gs[1])
    turned = (turned - hermitian(turned)) * 0.5
    core = turned - diag_embed(diagonal_of(turned))
    core = quotient(core, row(values) - column(values)) + diag_embed(gs[0])
    return {"input": matmul(matmul(vectors, core), hermitian(vectors))}


@operator(name="LinalgEigh", derivative=_eigh_grad)
def _eigh(input, uplo: str):
    return kit.bind(host.eigh, input, uplo=uplo)


@operator(differentiable=False)
def _eigvalsh(input, uplo: str):
    return kit.bind(host.eigvalsh, input, uplo=uplo)


def _eigh_failed(code):
    return (
        "The algorithm failed to converge because the input matrix is ill-conditioned or has too "
        f"many repeated eigenvalues (error code: {code})."
    )


def _checked_eigh(function, A, UPLO):
    """All results of one of the two operators but its info."""
    check_square("linalg.eigh", A)
    if str(UPLO).upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    *found, info = function(A, UPLO.upper())
    raise_if_failed("linalg.eigh", info, _eigh_failed)
    return found


def linalg_eigh(A, UPLO="L"):
    """Eigenvalues (ascending) and eigenvectors (columns) of Hermitian matrices."""
    return result("linalg_eigh", _checked_eigh(_eigh, A, UPLO))


def linalg_eigvalsh(A, UPLO="L"):
    """Eigenvalues of Hermitian matrices, ascending."""
    return _checked_eigh(_eigh if _needs_vectors(A) else _eigvalsh, A, UPLO)[0]


def _eig_grad(gs, outs):
    values, vectors = outs[:2]
    turned = matmul(hermitian(vectors), gs[1])
    lengths = as_complex(real_part(diagonal_of(turned)))
    turned = turned - matmul(hermitian(vectors), vectors * row(lengths))
    core = turned - diag_embed(diagonal_of(turned))
    gaps = conj(values)
    core = quotient(core, row(gaps) - column(gaps)) + diag_embed(gs[0])
    grad = _solve_raw(hermitian(vectors), matmul(core, hermitian(vectors)), True, False)[0]
    return {"input": grad}


@operator(name="LinalgEig", derivative=_eig_grad)
def _eig(input):
    return kit.bind(host.eig, input)


@operator(differentiable=False)
def _eigvals(input):
    return kit.bind(host.eigvals, input)


def _checked_eig(name, function, A):
    check_square(name, A)
    *found, info = function(A)
    if modes.trace is None and np.asarray(info._buffer()).any():
        raise RuntimeError(f"torch.{name}: input tensor should not contain infs or NaNs.")
    return found


def linalg_eig(A):
    """Eigenvalues and eigenvectors (columns) of square matrices; complex."""
    return result("linalg_eig", _checked_eig("linalg.eig", _eig, A))


def linalg_eigvals(A):
    """Eigenvalues of square matrices; complex."""
    return _checked_eig("linalg.eigvals", _eig if _needs_vectors(A) else _eigvals, A)[0]


NAMESPACES = {
    "torch": ["cholesky", "qr", "svd"],
    "method": ["cholesky", "qr", "svd"],
}
