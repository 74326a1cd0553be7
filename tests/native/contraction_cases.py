"""What the tests of contractions share: cases, the oracle in float64, views of every kind."""

from __future__ import annotations

import numpy as np

from facula.engines.native.contraction import lower
from facula.engines.native.kernel import Lowered
from facula.engines.native.views import View, row_major
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.graph.primitive import TABLE
from facula.graph.primitives import contraction
from tests.native.kernel_runs import run_pieces

EPSILON = {"float32": 2.0**-23, "float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}
NUMPY = {"float32": "f4", "float64": "f8", "float16": "f2", "bfloat16": "f4"}


def conv_params(stride, padding, dilation, groups) -> dict:
    pairs = tuple([p if isinstance(p, tuple) else (p, p) for p in padding])
    return {
        "stride": tuple(stride), "padding": pairs, "dilation": tuple(dilation), "groups": groups,
    }  # fmt: skip


# (x shape, w shape, stride, padding, dilation, groups)
CONVS = [
    ((4, 3, 32, 32), (6, 3, 5, 5), (1, 1), (0, 0), (1, 1), 1),
    ((4, 6, 14, 14), (16, 6, 5, 5), (1, 1), (0, 0), (1, 1), 1),
    ((2, 16, 8, 8), (32, 16, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 20, 7, 7), (33, 20, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 16, 9, 9), (24, 16, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((2, 16, 8, 8), (32, 16, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((3, 17, 6, 5), (19, 17, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 12, 11, 11), (12, 1, 3, 3), (1, 1), (1, 1), (1, 1), 12),
    ((2, 8, 11, 35), (16, 1, 3, 3), (2, 2), (1, 1), (1, 1), 8),
    ((2, 8, 9, 9), (12, 4, 3, 3), (1, 1), (2, 2), (2, 2), 2),
    ((1, 2, 13, 12), (3, 2, 4, 3), (3, 2), ((1, 2), (0, 3)), (1, 2), 1),
    ((2, 3, 10, 9), (4, 3, 3, 3), (1, 2), ((-1, 2), (1, -2)), (1, 1), 1),
    ((2, 3, 8, 8), (5, 3, 2, 2), (4, 3), (0, 0), (1, 1), 1),
    ((2, 3, 8, 8), (5, 3, 2, 2), (2, 4), (1, 1), (2, 4), 1),
    ((2, 4, 40), (8, 4, 7), (1,), (3,), (1,), 1),
    ((2, 4, 41), (6, 2, 5), (2,), (4,), (3,), 2),
    ((2, 3, 5, 6, 7), (4, 3, 2, 3, 3), (1, 2, 1), (1, 0, 1), (1, 1, 2), 1),
    ((1, 3, 30, 30), (20, 3, 7, 7), (2, 2), (3, 3), (1, 1), 1),
    ((2, 1, 5, 5), (1, 1, 5, 5), (1, 1), (0, 0), (1, 1), 1),
    ((8, 68, 3, 17), (64, 17, 5, 2), (3, 1), ((0, 3), (2, 2)), (1, 1), 4),
    ((5, 1, 6, 20), (1, 1, 1, 1), (1, 1), ((0, 0), (1, 1)), (1, 2), 1),
    ((4, 1, 22, 12), (16, 1, 5, 3), (2, 1), ((-1, -1), (1, 1)), (2, 3), 1),
    ((5, 33, 4, 4), (40, 33, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 64, 12, 16), (48, 64, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 40, 16, 33), (32, 40, 1, 1), (2, 2), (0, 0), (1, 1), 1),
]  # fmt: skip

MATMULS = [
    ((4, 400), (400, 120)), ((1, 1), (1, 1)), ((3, 5), (5, 7)), ((64, 64), (64, 64)),
    ((17, 33), (33, 65)), ((100, 70), (70, 1)), ((1, 70), (70, 100)), ((5, 1), (1, 40)),
    ((2, 3, 20, 16), (2, 3, 16, 20)), ((3, 20, 16), (16, 30)), ((2, 1, 9, 8), (3, 8, 33)),
    ((130, 40), (40, 150)), ((33, 1000), (1000, 20)), ((7, 5000), (5000, 3)),
    ((48, 32), (32, 192)), ((64, 96), (96, 128)), ((2, 32, 64), (2, 64, 48)),
    ((64, 512), (512, 480)),
    ((6, 0), (0, 5)),
]  # fmt: skip


def conv_operands(kind: str, case, params: dict):
    """(shapes of the two operands, params, result's shape) of one of the three convolutions."""
    x, w = case[:2]
    out = (x[0], w[0], *contraction.output_sizes(x[2:], w[2:], params))
    if kind == "conv":
        return (x, w), params, out
    if kind == "conv_input_grad":
        return (out, w), {**params, "shape": x}, x
    return (out, x), {**params, "shape": w}, w


def numbers(rng, shape, dtype: str) -> np.ndarray:
    """Normal numbers that the dtype can hold."""
    found = rng.standard_normal(shape).astype(NUMPY[dtype])
    return round_to_bfloat16(found) if dtype == "bfloat16" else found


def laid_out(rng, array: np.ndarray, how: str) -> tuple[np.ndarray, View]:
    """A buffer and a view of it that holds ``array``."""
    if how == "plain":
        return array, row_major(array.shape)
    axes = tuple(rng.permutation(array.ndim))
    grown = np.full([array.shape[a] + 2 for a in axes], np.nan, array.dtype)
    inside = grown[tuple([slice(1, 1 + array.shape[a]) for a in axes])]
    back = tuple(np.argsort(axes))
    view = inside.transpose(back)
    flip = (slice(None),) * (array.ndim - 1) + (slice(None, None, -1),)
    if how == "flipped":
        view = view[flip]
    view[...] = array
    size = array.itemsize
    offset = (view.ctypes.data - grown.ctypes.data) // size
    strides = tuple([s // size for s in view.strides])
    return grown, View(array.shape, strides, offset)


def input_grad(params: dict, g, w) -> np.ndarray:
    """The definition, also where a negative padding cuts elements off: those have no gradient."""
    cut = [(max(0, -low), max(0, -high)) for low, high in params["padding"]]
    inner = [n - sum(pair) for n, pair in zip(params["shape"][2:], cut, strict=True)]
    padding = tuple([(max(0, low), max(0, high)) for low, high in params["padding"]])
    shape = (*params["shape"][:2], *inner)
    kept = {**params, "padding": padding, "shape": shape}
    found = TABLE["conv_input_grad"].reference(kept, g, w)
    return np.pad(found, [(0, 0), (0, 0), *cut])


def oracle(kind: str, params: dict, arrays) -> tuple[np.ndarray, np.ndarray]:
    """The result in float64, and the sum of the magnitudes added up: the scale of its error."""
    wide = [a.astype(np.float64) for a in arrays]
    reference = TABLE[kind].reference if kind != "conv_input_grad" else input_grad
    return reference(params, *wide), reference(params, *[abs(a) for a in wide])


def check_close(got, kind: str, params: dict, arrays, dtype: str) -> None:
    """``got`` is the exact result up to rounding of the sums and of the result."""
    expected, scale = oracle(kind, params, arrays)
    inner = "float32" if dtype in ("float16", "bfloat16") else dtype
    least = 2.0**-24 if dtype == "float16" else 1e-30  # the smallest number
    bound = scale * EPSILON[inner] * 16 + abs(expected) * EPSILON[dtype] + least
    difference = abs(got.astype(np.float64) - expected)
    worst = float((difference / bound).max()) if difference.size else 0.0
    assert worst <= 1, f"{kind} {dtype}: {worst} times the bound"


def computed(kind, params, arrays, shape, dtype="float32", views=None, seed=0, epilogue=None):
    """(result, pieces) of the generator, its chunks run in any order."""
    views = views or [row_major(a.shape) for a in arrays]
    lowered = lower(kind, params, dtype, *views, shape, epilogue)
    assert isinstance(lowered, Lowered)
    got, _ = run_pieces(lowered, arrays, shape, np.dtype(NUMPY[dtype]), seed)
    return got, lowered


def broadcast_shape(a, b) -> tuple[int, ...]:
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])
