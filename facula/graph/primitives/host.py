"""Host calls: linear algebra that runs in LAPACK (through NumPy) on every engine."""

from __future__ import annotations

import numpy as np

from facula.base.dtypes import COMPLEX, FLOAT
from facula.graph.primitive import Primitive, register
from facula.graph.spec import Spec, spec

FLOATS = frozenset((FLOAT, COMPLEX))


def host_call(name, infer, reference, doc=""):
    """Register a host call: ``reference(params, *arrays)`` in NumPy, one array or a tuple."""
    return register(
        Primitive(name, "host", infer=infer, reference=reference, categories=FLOATS, doc=doc)
    )


def _same(specs, params) -> Spec:
    return specs[0]


def _infer_svd(specs, params):
    a = specs[0]
    *batch, m, n = a.shape
    k = min(m, n)
    full = params["full_matrices"]
    return (
        spec((*batch, m, m if full else k), a.dtype),
        spec((*batch, k), a.dtype.to_real()),
        spec((*batch, n if full else k, n), a.dtype),
    )


svd = host_call("svd", _infer_svd, lambda p, a: tuple(np.linalg.svd(a, p["full_matrices"])))


def _infer_eigh(specs, params):
    a = specs[0]
    return spec(a.shape[:-1], a.dtype.to_real()), a


eigh = host_call("eigh", _infer_eigh, lambda p, a: tuple(np.linalg.eigh(a, p["uplo"])))


def _infer_eig(specs, params):
    a = specs[0]
    return spec(a.shape[:-1], a.dtype.to_complex()), spec(a.shape, a.dtype.to_complex())


def _eig(params, a):
    values, vectors = np.linalg.eig(a)
    wide = np.complex64 if a.dtype in (np.float32, np.complex64) else np.complex128
    return values.astype(wide), vectors.astype(wide)


eig = host_call("eig", _infer_eig, _eig)


def _infer_qr(specs, params):
    a = specs[0]
    *batch, m, n = a.shape
    k = m if params["mode"] == "complete" else min(m, n)
    return spec((*batch, m, k), a.dtype), spec((*batch, k, n), a.dtype)


qr = host_call("qr", _infer_qr, lambda p, a: tuple(np.linalg.qr(a, p["mode"])))
cholesky = host_call("cholesky", _same, lambda p, a: np.linalg.cholesky(a))
inverse = host_call("inverse", _same, lambda p, a: np.linalg.inv(a))
solve = host_call("solve", lambda specs, params: specs[1], lambda p, a, b: np.linalg.solve(a, b))
det = host_call(
    "det",
    lambda specs, params: spec(specs[0].shape[:-2], specs[0].dtype),
    lambda p, a: np.asarray(np.linalg.det(a), dtype=a.dtype),
)


def _infer_slogdet(specs, params):
    a = specs[0]
    return spec(a.shape[:-2], a.dtype), spec(a.shape[:-2], a.dtype.to_real())


slogdet = host_call(
    "slogdet",
    _infer_slogdet,
    lambda p, a: tuple(np.asarray(r, dtype=r.dtype) for r in np.linalg.slogdet(a)),
)
