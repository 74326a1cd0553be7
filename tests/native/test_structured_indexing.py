"""gather, index, scatter and index_put beside the definitions, and what bad indices do."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.native.kernel import BAD_INDEX
from facula.graph.spec import spec
from tests.native.structured_cases import (
    EVERY,
    WIDTHS,
    check,
    computed,
    values,
    with_odd_values,
)  # fmt: skip
from tests.native.widths import vector_bits

MODES = ("set", "add", "multiply", "maximum", "minimum")
ALONG = [  # shape of x, shape of the index, axis
    ((7,), (11,), 0),
    ((5, 9), (5, 1), 1),
    ((5, 9), (3, 20), 1),
    ((6, 40), (30, 33), 0),
    ((3, 4, 5), (3, 9, 2), 1),
    ((3, 4), (0, 4), 0),
]
LEADING = [  # shape of x, shapes of the indices
    ((10, 16), [(6,)]),
    ((10, 37), [(3, 4)]),
    ((10,), [(50,)]),
    ((4, 5, 6), [(3, 1), (1, 7)]),
    ((4, 5, 3, 2), [(8,), ()]),
    ((9, 300), [(2, 3)]),
    ((9, 3), [(0,)]),
]


def indices(rng, shapes, sizes, own=dtypes.int64):
    return [rng.integers(0, n, s).astype(own.numpy) for s, n in zip(shapes, sizes, strict=False)]


def check_reads(own, seed=0):
    rng = np.random.default_rng(seed)
    for shape, to, axis in ALONG:
        (index,) = indices(rng, [to], [shape[axis]])
        x = with_odd_values(rng, values(rng, shape, own))
        check("gather", {"axis": axis}, [x, index], [own, dtypes.int64], seed, exact=True)
    for shape, shapes in LEADING:
        index = indices(rng, shapes, shape)
        x = with_odd_values(rng, values(rng, shape, own))
        owns = [own, *[dtypes.int64] * len(index)]
        check("index", {}, [x, *index], owns, seed, exact=True)


def check_writes(own, mode, seed=0, every=1):
    rng = np.random.default_rng(seed)
    exact = mode not in ("add", "multiply")
    make = lambda shape: values(rng, shape, own)  # noqa: E731
    for shape, to, axis in ALONG[::every]:
        (index,) = indices(rng, [to], [shape[axis]])
        params = {"axis": axis, "mode": mode}
        for wide in (to, ())[: 2 // every or 1]:
            arrays = [make(shape), index, make(wide)]
            check("scatter", params, arrays, [own, dtypes.int64, own], seed, exact=exact)
    for shape, shapes in LEADING[::every]:
        index = indices(rng, shapes, shape)
        lead = np.broadcast_shapes(*shapes)
        row = shape[len(shapes) :]
        for wide in (lead + row, (), (*lead, *[1] * len(row)))[: 3 // every]:
            arrays = [make(shape), make(wide), *index]
            owns = [own, own, *[dtypes.int64] * len(index)]
            check("index_put", {"mode": mode}, arrays, owns, seed, exact=exact)


@pytest.mark.parametrize("own", [*EVERY, dtypes.complex64, dtypes.complex128], ids=repr)
def test_reads(own):
    check_reads(own)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("own", EVERY, ids=repr)
def test_writes(own, mode):
    check_writes(own, mode, every=1 if own is dtypes.float32 and mode in ("set", "add") else 3)


@pytest.mark.parametrize("bits", WIDTHS)
def test_vectors_of_any_width(bits):
    with vector_bits(bits):
        check_reads(dtypes.int8, bits)
        check_writes(dtypes.float32, "set", bits)
        check_writes(dtypes.float16, "add", bits, every=2)


@pytest.mark.parametrize("own", [dtypes.int32, dtypes.uint8, dtypes.int16], ids=repr)
def test_indices_of_other_integers(own):
    rng = np.random.default_rng(0)
    x, index = values(rng, (9, 5), dtypes.float32), rng.integers(0, 9, 20).astype(own.numpy)
    check("index", {}, [x, index], [dtypes.float32, own], exact=True)


def test_zeros_are_not_read():
    rng = np.random.default_rng(0)
    x, g = np.full((9, 20), np.nan, np.float32), values(rng, (6, 20), dtypes.float32)
    index = rng.integers(0, 9, 6)
    specs = [spec(a.shape, own) for a, own in ((x, dtypes.float32), (g, dtypes.float32))]
    specs.append(spec(index.shape, dtypes.int64))
    got, _, _ = computed("index_put", {"mode": "add"}, [x, g, index], specs, zeros=True)
    want = np.zeros_like(x)
    np.add.at(want, index, g)
    np.testing.assert_allclose(got, want)


@pytest.mark.parametrize("bad", [-1, 9, 2**40, -(2**62)])
def test_a_bad_index_is_reported_and_skipped(bad):
    rng = np.random.default_rng(0)
    own = dtypes.float32
    x, index = values(rng, (9, 20), own), rng.integers(0, 9, 6)
    index[3] = bad
    good = np.arange(6) != 3
    row, long = spec(x.shape, own), spec(index.shape, dtypes.int64)
    got, status, _ = computed("index", {}, [x, index], [row, long])
    assert status == [BAD_INDEX, bad, 9]
    np.testing.assert_array_equal(got[good], x[index[good]])

    g = values(rng, (6, 20), own)
    specs = [row, spec(g.shape, own), long]
    got, status, _ = computed("index_put", {"mode": "add"}, [x, g, index], specs)
    assert status == [BAD_INDEX, bad, 9]
    want = x.copy()
    np.add.at(want, index[good], g[good])
    np.testing.assert_allclose(got, want, 1e-6)

    along = np.repeat(index[:, None], 20, 1)
    wide = spec(along.shape, dtypes.int64)
    got, status, _ = computed("gather", {"axis": 0}, [x, along], [row, wide])
    assert status == [BAD_INDEX, bad, 9]
    np.testing.assert_array_equal(got[good], np.take_along_axis(x, along[good], 0))

    specs = [row, wide, spec(g.shape, own)]
    got, status, _ = computed("scatter", {"axis": 0, "mode": "add"}, [x, along, g], specs)
    assert status == [BAD_INDEX, bad, 9]
    np.testing.assert_allclose(got, want, 1e-6)
