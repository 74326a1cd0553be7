"""Dense linear algebra that NumPy lacks or refuses, for the reference engine."""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import lapack
from facula.graph.spec import spec


def each(routine, a, like, params):
    """``routine`` on all matrices at once; where one fails, NaN and info 1 for that matrix only."""
    specs = like([spec(a.shape, dtypes.from_numpy(a.dtype))], params)
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        found = routine(a)
        return (*_typed(found, specs), info)
    except np.linalg.LinAlgError:
        pass
    outs = [np.full(s.shape, np.nan, s.dtype.numpy) for s in specs[:-1]]
    for at in np.ndindex(*a.shape[:-2]):
        try:
            for out, value in zip(outs, routine(a[at]), strict=True):
                out[at] = value
        except np.linalg.LinAlgError:
            info[at] = 1
    return (*outs, info)


def _typed(found, specs):
    return [
        np.asarray(r).astype(s.dtype.numpy, copy=False) for r, s in zip(found, specs, strict=False)
    ]


def cholesky(a):
    """(L, info): info > 0 names the leading minor that is not positive-definite."""
    lower = np.tril(a)
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.cholesky(_filled(lower)), info
    except np.linalg.LinAlgError:
        pass
    out = np.zeros_like(a)
    for at in np.ndindex(*a.shape[:-2]):
        out[at], info[at] = _one_cholesky(lower[at])
    return out, info


def _filled(lower):
    """The Hermitian matrix that a lower triangle stands for."""
    strict = np.tril(lower, -1)
    return lower + np.conj(np.swapaxes(strict, -1, -2))


def _one_cholesky(lower):
    try:
        return np.linalg.cholesky(_filled(lower)), 0
    except np.linalg.LinAlgError:
        pass
    out = lower.copy()
    for j in range(out.shape[-1]):
        row = out[j, :j]
        pivot = out[j, j].real - np.vdot(row, row).real
        if not pivot > 0:
            return out, j + 1
        out[j, j] = np.sqrt(pivot)
        out[j + 1 :, j] = (out[j + 1 :, j] - out[j + 1 :, :j] @ row.conj()) / out[j, j]
    return out, 0


def inverse(a):
    """(inverse, info): all matrices at once if none is singular."""
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.inv(a), info
    except np.linalg.LinAlgError:
        pass
    out = a.copy()
    for at in np.ndindex(*a.shape[:-2]):
        try:
            out[at] = np.linalg.inv(a[at])
        except np.linalg.LinAlgError:
            info[at] = max(int(lu(a[at])[2]), 1)
    return out, info


def solve(a, b):
    """(A^-1 B, info)."""
    info = np.zeros(a.shape[:-2], np.int32)
    try:
        return np.linalg.solve(a, b), info
    except np.linalg.LinAlgError:
        pass
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    out = np.broadcast_to(b, (*batch, *b.shape[-2:])).copy()
    wide = np.broadcast_to(a, (*batch, *a.shape[-2:]))
    for at in np.ndindex(*batch):
        try:
            out[at] = np.linalg.solve(wide[at], out[at])
        except np.linalg.LinAlgError:
            own = at[len(at) - (a.ndim - 2) :]
            info[own] = max(int(lu(a[own])[2]), 1)
    return out, info


def lu(a):
    """(packed LU, 1-based pivots, info) with partial pivoting, all matrices of a batch together."""
    found = lapack.lu(a)
    if found is not None:
        return found
    m, n = a.shape[-2:]
    k = min(m, n)
    count = math.prod(a.shape[:-2])
    work = np.array(a).reshape(count, m, n)
    rows = np.arange(count)
    pivots = np.zeros((count, k), np.int32)
    info = np.zeros(count, np.int32)
    for j in range(k):
        at = j + np.argmax(_size(work[:, j:, j]), axis=1)
        pivots[:, j] = at + 1
        kept = work[rows, j].copy()
        work[rows, j] = work[rows, at]
        work[rows, at] = kept
        pivot = work[:, j, j]
        zero = pivot == 0
        info = np.where(zero & (info == 0), j + 1, info)
        factor = work[:, j + 1 :, j] / np.where(zero, 1, pivot)[:, None]
        work[:, j + 1 :, j] = factor
        work[:, j + 1 :, j + 1 :] -= factor[:, :, None] * work[:, j, None, j + 1 :]
    batch = a.shape[:-2]
    return work.reshape(a.shape), pivots.reshape(*batch, k), info.astype(np.int32).reshape(batch)


def _size(x):
    """What LAPACK compares pivots by: |re| + |im|."""
    return np.abs(x.real) + np.abs(x.imag) if x.dtype.kind == "c" else np.abs(x)


def permutation(pivots, size, dtype):
    """The row exchanges that 1-based pivots stand for, as a matrix on the left of L U."""
    flat = pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    out = np.zeros((flat.shape[0], size, size), dtype)
    for p, exchanges in zip(out, flat, strict=True):
        order = np.arange(size)
        for i, j in enumerate(exchanges - 1):
            order[i], order[j] = order[j], order[i]
        p[order, np.arange(size)] = 1
    return out.reshape(*pivots.shape[:-1], size, size)


def solve_triangular(a, b, upper, unit):
    """By BLAS, else by substitution, one row of the result at a time."""
    found = lapack.solve_triangular(a, b, upper, unit)
    if found is not None:
        return found
    n = a.shape[-1]
    x = np.zeros(np.broadcast_shapes(a.shape[:-2], b.shape[:-2]) + b.shape[-2:], b.dtype)
    for i in range(n - 1, -1, -1) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        row = b[..., i, :] - np.matmul(a[..., i : i + 1, known], x[..., known, :])[..., 0, :]
        x[..., i, :] = row if unit else row / a[..., i, i, None]
    return x


def cofactors(a):
    """det(A) A^-T where that is accurate, else through the singular values."""
    n = a.shape[-1]
    if n == 0 or a.size == 0:
        return a.copy()
    if not np.isfinite(a).all():
        return np.full_like(a, np.nan)
    found = _cofactors_by_inverse(a)
    if found is not None:
        return found
    u, s, vh = np.linalg.svd(a)
    others = np.ones_like(s)
    for i in range(n):
        others[..., i] = np.prod(np.delete(s, i, axis=-1), axis=-1)
    phase = np.linalg.det(u) * np.linalg.det(vh)
    out = np.matmul(np.conj(u) * others[..., None, :].astype(a.dtype), np.conj(vh))
    return (out * phase[..., None, None]).astype(a.dtype)


def _cofactors_by_inverse(a):
    """det(A) A^-T; None where it would be off by more than a thousandth."""
    try:
        inverse, det = np.linalg.inv(a), np.linalg.det(a)
    except np.linalg.LinAlgError:
        return None
    condition = np.abs(a).sum(-1).max(-1) * np.abs(inverse).sum(-1).max(-1)
    if not (condition * np.finfo(a.dtype).eps < 1e-3).all() or not np.isfinite(det).all():
        return None
    return (det[..., None, None] * np.swapaxes(inverse, -1, -2)).astype(a.dtype, copy=False)


_PADE = (64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0,
         129060195264000.0, 10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0,
         40840800.0, 960960.0, 16380.0, 182.0, 1.0)  # fmt: skip


def matrix_exp(a):
    """exp(A) by scaling, the (13, 13) Pade approximant, and squaring (Higham 2005)."""
    if a.size == 0:
        return a.copy()
    wide = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    norm = np.abs(wide).sum(axis=-2).max(axis=-1)
    if not np.isfinite(norm).all():
        return np.full_like(a, np.nan)
    squarings = np.maximum(
        0, np.ceil(np.log2(np.maximum(norm, 1e-300) / 5.371920351148152))
    ).astype(int)
    x = wide / (2.0**squarings)[..., None, None]
    c, eye = _PADE, np.eye(a.shape[-1])
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    odd = x @ (x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2)
               + c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * eye)  # fmt: skip
    even = (
        x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2) + c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * eye
    )
    out = np.linalg.solve(even - odd, even + odd)
    for i in range(int(squarings.max())):
        out = np.where((squarings > i)[..., None, None], out @ out, out)
    return out.astype(a.dtype)
