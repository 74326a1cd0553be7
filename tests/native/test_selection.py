"""The first few of a sorted order against NumPy's stable sort."""

import numpy as np
import pytest

from facula.base.dtypes import float16, float32, float64, int8, int32, uint8
from facula.engines.native.engine import NativeEngine
from facula.engines.native.lowering.patterns import rewrite
from facula.engines.reference.engine import ReferenceEngine
from facula.graph.node import apply, input_node
from facula.graph.primitives.movement import slice_
from facula.graph.primitives.reduction import argsort
from facula.graph.spec import spec
from tests.native.structured_cases import values, with_odd_values
from tests.native.widths import vector_bits


def check(array, own, count, descending, replaced=True):
    x = input_node(spec(array.shape, own))
    order = apply(argsort, (x,), {"axis": array.ndim - 1, "descending": descending})
    stop = (*array.shape[:-1], count)
    zeros, ones = (0,) * array.ndim, (1,) * array.ndim
    part = apply(slice_, (order,), {"start": zeros, "stop": stop, "step": ones})
    nodes = [x, order, part]
    rewritten, results = rewrite(nodes, [part])
    assert ("first_of_order" in [n.primitive.name for n in rewritten]) == replaced
    (defined,) = ReferenceEngine().compile(rewritten, results).run([array])
    (found,) = NativeEngine().compile(nodes, [part]).run([array])
    np.testing.assert_array_equal(found, defined)
    wide = array.astype(np.float64)
    # Descending, equal elements stay in order too, and NaN comes first.
    key = np.where(np.isnan(wide), np.inf, wide)
    key, nan = (-key, ~np.isnan(wide)) if descending else (key, np.isnan(wide))
    wanted = np.stack(
        [np.lexsort((k, n)) for k, n in zip(np.atleast_2d(key), np.atleast_2d(nan), strict=True)]
    )
    wanted = wanted[:, :count].reshape(found.shape)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("own", [float32, float16, int32, int8, uint8], ids=str)
@pytest.mark.parametrize(("shape", "count"), [((3, 100), 5), ((8,), 1), ((2, 520), 64)])
def test_rows(shape, count, own, descending):
    rng = np.random.default_rng(0)
    array = with_odd_values(rng, values(rng, shape, own))
    check(array, own, count, descending)


@pytest.mark.parametrize("bits", [0, 128, 256])
def test_vectors_of_other_widths(bits):
    with vector_bits(bits):
        check(np.random.default_rng(bits).normal(size=(2, 77)).astype("f4"), float32, 3, True)


@pytest.mark.parametrize("descending", [False, True])
def test_rows_in_order(descending):
    array = np.arange(200, dtype=np.float32)
    check(array, float32, 25, descending)
    check(array[::-1].copy(), float32, 25, descending)
    check(np.full(200, np.nan, np.float32), float32, 4, descending)


def test_what_is_left_to_the_whole_sort():
    rng = np.random.default_rng(0)
    check(rng.normal(size=(2, 40)), float64, 2, True, replaced=False)
    check(rng.normal(size=(2, 40)).astype("f4"), float32, 20, True, replaced=False)


@pytest.mark.parametrize("axis", [0, 1])
def test_other_axes_than_the_last(axis):
    array = np.random.default_rng(axis).normal(size=(60, 50, 3)).astype("f4")
    array[5, 7] = array[3, 2]
    x = input_node(spec(array.shape, float32))
    order = apply(argsort, (x,), {"axis": axis, "descending": True})
    stop = tuple([4 if d == axis else n for d, n in enumerate(array.shape)])
    part = apply(slice_, (order,), {"start": (0, 0, 0), "stop": stop, "step": (1, 1, 1)})
    rewritten, _ = rewrite([x, order, part], [part])
    assert "first_of_order" in [n.primitive.name for n in rewritten]
    (found,) = NativeEngine().compile([x, order, part], [part]).run([array])
    wanted = np.argsort(-array, axis=axis, kind="stable")
    np.testing.assert_array_equal(found, wanted[tuple([slice(n) for n in stop])])
