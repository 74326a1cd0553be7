"""Host calls: linear algebra that runs in LAPACK (through NumPy) on every engine.

A routine that can fail returns ``info`` (int32, one for each matrix) as LAPACK does, and never
raises: the operator looks at it, so that the error is raised on the user's line.
"""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import COMPLEX, FLOAT
from facula.graph.primitive import Primitive, register
from facula.graph.primitives import dense
from facula.graph.spec import Spec, spec

FLOATS = frozenset((FLOAT, COMPLEX))


def host_call(name, infer, reference, doc=""):
    """Register a host call: ``reference(params, *arrays)`` in NumPy, one array or a tuple."""
    return register(
        Primitive(name, "host", infer=infer, reference=reference, categories=FLOATS, doc=doc)
    )


def _info(a: Spec) -> Spec:
    return spec(a.shape[:-2], dtypes.int32)


def _infer_svd(specs, params):
    a = specs[0]
    *batch, m, n = a.shape
    k = min(m, n)
    full = params["full_matrices"]
    return (
        spec((*batch, m, m if full else k), a.dtype),
        spec((*batch, k), a.dtype.to_real()),
        spec((*batch, n if full else k, n), a.dtype),
        _info(a),
    )


svd = host_call(
    "svd",
    _infer_svd,
    lambda p, a: dense.each(
        lambda x: np.linalg.svd(x, p["full_matrices"]), a, like=_infer_svd, params=p
    ),
    "(U, S, Vh, info) by LAPACK's gesdd.",
)


def _infer_eigh(specs, params):
    a = specs[0]
    return spec(a.shape[:-1], a.dtype.to_real()), a, _info(a)


eigh = host_call(
    "eigh",
    _infer_eigh,
    lambda p, a: dense.each(lambda x: np.linalg.eigh(x, p["uplo"]), a, like=_infer_eigh, params=p),
    "(eigenvalues, eigenvectors, info) of Hermitian matrices, one triangle read.",
)


def _infer_eig(specs, params):
    a = specs[0]
    wide = a.dtype.to_complex()
    return spec(a.shape[:-1], wide), spec(a.shape, wide), _info(a)


eig = host_call(
    "eig",
    _infer_eig,
    lambda p, a: dense.each(np.linalg.eig, a, like=_infer_eig, params=p),
    "(eigenvalues, eigenvectors, info) of square matrices; always complex.",
)


def _values_only(name, routine, infer_all, place):
    """The values of a decomposition without its vectors, which cost much more."""

    def infer(specs, params):
        found = infer_all(specs, params)
        return found[place], found[-1]

    return host_call(
        name, infer, lambda p, a: dense.each(lambda x: (routine(p, x),), a, like=infer, params=p)
    )


svdvals = _values_only(
    "svdvals", lambda p, a: np.linalg.svd(a, compute_uv=False), _infer_svd, place=1
)
eigvalsh = _values_only(
    "eigvalsh", lambda p, a: np.linalg.eigvalsh(a, p["uplo"]), _infer_eigh, place=0
)
eigvals = _values_only("eigvals", lambda p, a: np.linalg.eigvals(a), _infer_eig, place=0)


def _infer_qr(specs, params):
    a = specs[0]
    *batch, m, n = a.shape
    k = m if params["mode"] == "complete" else min(m, n)
    return spec((*batch, m, k), a.dtype), spec((*batch, k, n), a.dtype)


qr = host_call("qr", _infer_qr, lambda p, a: tuple(np.linalg.qr(a, p["mode"])))


def _with_info(specs, params):
    return specs[0], _info(specs[0])


cholesky = host_call(
    "cholesky",
    _with_info,
    lambda p, a: dense.cholesky(a),
    "(L, info) from the lower triangle; info is the order of the first minor that is not positive.",
)
inverse = host_call(
    "inverse",
    _with_info,
    lambda p, a: dense.inverse(a),
    "(inverse, info); info is the 1-based place of the first zero pivot.",
)


def _infer_solve(specs, params):
    a, b = specs
    batch = a.shape[:-2] if len(a.shape) >= len(b.shape) else b.shape[:-2]
    return spec((*batch, *b.shape[-2:]), b.dtype), _info(a)


solve = host_call(
    "solve", _infer_solve, lambda p, a, b: dense.solve(a, b), "(A^-1 B, info); batches are equal."
)


def _infer_lu(specs, params):
    a = specs[0]
    k = min(a.shape[-2:])
    return a, spec((*a.shape[:-2], k), dtypes.int32), _info(a)


lu = host_call(
    "lu",
    _infer_lu,
    lambda p, a: dense.lu(a),
    "(L and U in one matrix, pivots counted from 1, info), partial pivoting.",
)
permutation = host_call(
    "permutation",
    lambda specs, params: spec(
        (*specs[0].shape[:-1], params["size"], params["size"]), params["dtype"]
    ),
    lambda p, pivots: dense.permutation(pivots, p["size"], p["dtype"].numpy),
    "P with A = P L U, from the row exchanges of lu.",
)
solve_triangular = host_call(
    "solve_triangular",
    lambda specs, params: specs[1],
    lambda p, a, b: dense.solve_triangular(a, b, p["upper"], p["unit"]),
    "A^-1 B for triangular A; batches are equal.",
)
det = host_call(
    "det",
    lambda specs, params: spec(specs[0].shape[:-2], specs[0].dtype),
    lambda p, a: np.asarray(np.linalg.det(a), dtype=a.dtype),
)
cofactors = host_call(
    "cofactors",
    lambda specs, params: specs[0],
    lambda p, a: dense.cofactors(a),
    "The matrix of cofactors: the derivative of the determinant, also of singular matrices.",
)
matrix_exp = host_call(
    "matrix_exp", lambda specs, params: specs[0], lambda p, a: dense.matrix_exp(a), "exp(A)."
)


def _infer_slogdet(specs, params):
    a = specs[0]
    return spec(a.shape[:-2], a.dtype), spec(a.shape[:-2], a.dtype.to_real())


slogdet = host_call(
    "slogdet",
    _infer_slogdet,
    lambda p, a: tuple(np.asarray(r, dtype=r.dtype) for r in np.linalg.slogdet(a)),
)


def _frexp(params, x):
    mantissa, exponent = np.frexp(x)
    return np.asarray(mantissa), np.asarray(exponent, np.int32)


frexp = host_call(
    "frexp",
    lambda specs, params: (specs[0], spec(specs[0].shape, dtypes.int32)),
    _frexp,
    "(mantissa, exponent) of floating numbers.",
)
