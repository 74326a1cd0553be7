"""Fourier transforms over several axes: complex to complex, real to complex, complex to real.

``scale`` says what the sums are divided by: "none", "sqrt" (the root of the number of points) or
"n". So the gradient of a transform is the opposite transform with the same scale.
"""

from __future__ import annotations

import numpy as np

from facula.base.dtypes import COMPLEX, FLOAT
from facula.graph.primitive import Primitive, register
from facula.graph.spec import spec

_FORWARD = {"none": "backward", "sqrt": "ortho", "n": "forward"}
_INVERSE = {"none": "forward", "sqrt": "ortho", "n": "backward"}


def _c2c(params, x):
    if params["forward"]:
        out = np.fft.fftn(x, axes=params["axes"], norm=_FORWARD[params["scale"]])
    else:
        out = np.fft.ifftn(x, axes=params["axes"], norm=_INVERSE[params["scale"]])
    return out.astype(x.dtype, copy=False)


c2c = register(
    Primitive(
        "fft_c2c",
        "host",
        infer=lambda specs, params: specs[0],
        reference=_c2c,
        categories=frozenset((COMPLEX,)),
    )
)


def _infer_r2c(specs, params):
    shape = list(specs[0].shape)
    if params["onesided"]:
        last = params["axes"][-1]
        shape[last] = shape[last] // 2 + 1
    return spec(tuple(shape), specs[0].dtype.to_complex())


def _r2c(params, x):
    transform = np.fft.rfftn if params["onesided"] else np.fft.fftn
    out = transform(x, axes=params["axes"], norm=_FORWARD[params["scale"]])
    return out.astype(np.complex128 if x.dtype == np.float64 else np.complex64, copy=False)


r2c = register(
    Primitive(
        "fft_r2c",
        "host",
        infer=_infer_r2c,
        reference=_r2c,
        categories=frozenset((FLOAT,)),
        doc="Forward; onesided keeps the first half of the last of the axes.",
    )
)


def _infer_c2r(specs, params):
    shape = list(specs[0].shape)
    shape[params["axes"][-1]] = params["size"]
    return spec(tuple(shape), specs[0].dtype.to_real())


def _c2r(params, x):
    axes = params["axes"]
    sizes = [x.shape[a] for a in axes[:-1]] + [params["size"]]
    out = np.fft.irfftn(x, s=sizes, axes=axes, norm=_INVERSE[params["scale"]])
    return out.astype(np.float64 if x.dtype == np.complex128 else np.float32, copy=False)


c2r = register(
    Primitive(
        "fft_c2r",
        "host",
        infer=_infer_c2r,
        reference=_c2r,
        categories=frozenset((COMPLEX,)),
        doc="Inverse of the onesided r2c; size is that of the last of the axes.",
    )
)
