"""What the tests of structured kernels share: the definition as oracle, and vector widths."""

from __future__ import annotations

import numpy as np

from facula.base import dtypes
from facula.engines.native import structured
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.graph.node import apply, input_node
from facula.graph.primitive import TABLE
from facula.graph.primitives import indexing, movement, reduction, window  # noqa: F401 (the table)
from facula.graph.spec import Spec, spec
from tests.native.kernel_runs import run_pieces

WIDTHS = (0, 128, 256, 512)
FLOATS = (dtypes.float32, dtypes.float64, dtypes.float16, dtypes.bfloat16)
NUMBERS = (*FLOATS, dtypes.int64, dtypes.int32, dtypes.int8, dtypes.uint8, dtypes.uint16)
EVERY = (*NUMBERS, dtypes.bool_)


def values(rng, shape, own: dtypes.dtype) -> np.ndarray:
    """Small values, with many equal ones."""
    if own.category == dtypes.BOOL:
        return rng.integers(0, 2, shape).astype(np.bool_)
    if own.category == dtypes.INTEGER:
        return rng.integers(-3 if own.is_signed else 0, 5, shape).astype(own.numpy)
    found = np.round(rng.normal(size=shape) * 4) / 4
    return np.asarray(found).astype(own.numpy)


def with_odd_values(rng, x: np.ndarray) -> np.ndarray:
    """Some NaN, infinities and zeros of both signs, where there are such."""
    if x.dtype.kind != "f" or not x.size:
        return x
    x, flat = x.copy(), None
    flat = x.reshape(-1)
    for value in (np.nan, np.inf, -np.inf, 0.0, -0.0):
        flat[rng.integers(0, flat.size, max(1, flat.size // 12))] = value
    return x


def defined(name: str, params: dict, arrays, own: dtypes.dtype) -> np.ndarray:
    """The reference; sums of 16-bit floats in float32, rounded once."""
    if own is dtypes.float16:
        arrays = [a.astype(np.float32) if a.dtype == np.float16 else a for a in arrays]
    with np.errstate(all="ignore"):
        return np.asarray(TABLE[name].reference(params, *arrays))


def computed(name: str, params: dict, arrays, specs: list[Spec], seed=0, **options):
    """(result, status, spec of the result) by the native pieces."""
    node = apply(TABLE[name], tuple([input_node(s) for s in specs]), params)
    lowered = structured.lower(name, params, specs, node.spec, **options)
    assert lowered is not None, f"{name} of {specs} is refused"
    result, status = run_pieces(lowered, arrays, node.spec.shape, node.spec.dtype.numpy, seed)
    return result, status, node.spec


def check(name: str, params: dict, arrays, owns, seed=0, exact=False, **options) -> None:
    """The native result is the definition's, for operands of these dtypes."""
    specs = [spec(a.shape, own) for a, own in zip(arrays, owns, strict=True)]
    got, status, made = computed(name, params, arrays, specs, seed, **options)
    assert status[0] == 0
    want = defined(name, params, arrays, made.dtype).astype(got.dtype)
    if made.dtype is dtypes.bfloat16:
        want = round_to_bfloat16(want)
    if exact or made.dtype.category < dtypes.FLOAT:
        np.testing.assert_array_equal(got, want)
        return
    tolerance = {"float64": 1e-12, "float32": 2e-6, "float16": 2e-3, "bfloat16": 1e-2}
    limit = tolerance[made.dtype.name]
    np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), limit, limit)
