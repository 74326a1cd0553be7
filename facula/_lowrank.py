"""Singular values of large matrices from random projections: ``svd_lowrank``, ``pca_lowrank``.

Source: N. Halko, P. G. Martinsson, J. Tropp, "Finding structure with randomness" (2009).
"""

from __future__ import annotations

from facula.operators.namespaces import TORCH
from facula.tensors import Tensor
from facula.tensors.random import randn

_svd = TORCH["svd"]
_qr = TORCH["qr"]


def _range(matrix: Tensor, columns: int, iterations: int) -> Tensor:
    """Orthonormal columns that nearly span the range of ``matrix`` (Halko et al., 4.4)."""
    start = randn(matrix.shape[-1], columns, dtype=matrix.dtype, device=matrix.device)
    basis = _qr(matrix @ start).Q
    for _ in range(iterations):
        basis = _qr(matrix.mH @ basis).Q
        basis = _qr(matrix @ basis).Q
    return basis


def svd_lowrank(
    A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """The ``q`` largest singular values of ``A - M`` with their vectors: U, S, V.

    ``A`` is (*, m, n), ``M`` broadcasts to it; U is (*, m, q), S (*, q), V (*, n, q). The result is
    near when the singular values fall off; ``niter`` sharpens it.
    """
    q = 6 if q is None else q
    matrix = A if M is None else A - M
    wide = matrix.shape[-2] < matrix.shape[-1]
    if wide:
        matrix = matrix.mH
    basis = _range(matrix, q, 2 if niter is None else niter)
    left, values, right = _svd(basis.mH @ matrix)
    left = basis @ left
    return (right, values, left) if wide else (left, values, right)


def pca_lowrank(
    A: Tensor, q: int | None = None, center: bool = True, niter: int = 2
) -> tuple[Tensor, Tensor, Tensor]:
    """The ``q`` main directions of the rows of ``A`` (*, m, n): U, S, and V (*, n, q).

    ``A @ V`` projects the rows on them; ``center`` subtracts the mean row first; ``q`` is at most 6
    unless given. ValueError where ``q`` or ``niter`` is out of range.
    """
    rows, columns = A.shape[-2:]
    if q is None:
        q = min(6, rows, columns)
    elif not 0 <= q <= min(rows, columns):
        raise ValueError(
            f"q(={q}) must be non-negative integer and not greater than "
            f"min(m, n)={min(rows, columns)}"
        )
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - A.mean(-2, keepdim=True) if center else A, q, niter)
