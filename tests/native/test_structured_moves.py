"""Windows with starts at run time, updates, pad, concat and bitcast beside the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.native import structured
from facula.graph.spec import WEAK_INT, spec
from tests.native.kernel_runs import run_pieces, unwritten
from tests.native.structured_cases import (
    EVERY,
    WIDTHS,
    check,
    computed,
    values,
    with_odd_values,
)  # fmt: skip
from tests.native.widths import vector_bits

ANY = [*EVERY, dtypes.complex64, dtypes.complex128]
WINDOWS = [  # shape, axes that start at operands, sizes, steps, starts
    ((7, 20), (0,), (1, 20), (1, 1), (3,)),
    ((7, 20), (0, 1), (3, 9), (2, 1), (1, 11)),
    ((7, 40), (1,), (7, 9), (1, 3), (5,)),
    ((30,), (0,), (0,), (1,), (4,)),
    ((3, 4, 5), (1,), (3, 2, 5), (1, 1, 1), (2,)),
    ((9,), (), (9,), (1,), ()),
]
PADS = [  # shape, low, high
    ((3, 4), (0, 1), (0, 2)),
    ((2, 3, 5, 7), (0, 0, 1, 2), (0, 0, 2, 1)),
    ((4, 40), (2, 0), (1, 0)),
    ((4,), (0,), (0,)),
    ((2, 0), (1, 3), (0, 2)),
    ((2, 3, 2), (1, 0, 0), (0, 0, 3)),
]
JOINS = [  # shapes, axis
    ([(3, 4), (3, 4), (3, 4)], 0),
    ([(3, 4), (3, 7)], 1),
    ([(2, 3, 20), (2, 1, 20), (2, 0, 20)], 1),
    ([(1,)] * 7, 0),
    ([(2, n) for n in (1, 2, 33, 4, 5, 0)], 1),
    ([(5, 1)] * 9, 1),
]


def check_windows(own, seed=0):
    rng = np.random.default_rng(seed)
    for shape, axes, sizes, steps, starts in WINDOWS:
        params = {"axes": axes, "sizes": sizes, "steps": steps}
        at = [np.asarray(s, np.int64) for s in starts]
        owns = [dtypes.int64] * len(at)
        x = with_odd_values(rng, values(rng, shape, own))
        check("window", params, [x, *at], [own, *owns], seed, exact=True)
        for wide in (sizes, (1,) * len(sizes)):
            arrays = [x, values(rng, wide, own), *at]
            check("window_update", params, arrays, [own, own, *owns], seed, exact=True)


def check_joins(own, seed=0):
    rng = np.random.default_rng(seed)
    for shape, low, high in PADS:
        arrays = [with_odd_values(rng, values(rng, shape, own)), values(rng, (), own)]
        check("pad", {"low": low, "high": high}, arrays, [own, own], seed, exact=True)
    for shapes, axis in JOINS:
        arrays = [values(rng, s, own) for s in shapes]
        check("concat", {"axis": axis}, arrays, [own] * len(arrays), seed, exact=True)
    for start, stop, step in [((1, 0), (6, 20), (1, 1)), ((0, 3), (7, 20), (3, 4))]:
        params = {"start": start, "stop": stop, "step": step}
        sizes = tuple([len(range(*b)) for b in zip(start, stop, step, strict=True)])
        for wide in (sizes, ()):
            arrays = [values(rng, (7, 20), own), values(rng, wide, own)]
            check("slice_update", params, arrays, [own, own], seed, exact=True)


@pytest.mark.parametrize("own", ANY, ids=repr)
def test_windows(own):
    check_windows(own)


@pytest.mark.parametrize("own", ANY, ids=repr)
def test_joins(own):
    check_joins(own)


@pytest.mark.parametrize("bits", WIDTHS)
def test_vectors_of_any_width(bits):
    with vector_bits(bits):
        check_windows(dtypes.uint8, bits)
        check_joins(dtypes.float32, bits)


@pytest.mark.parametrize("start", [-5, 99])
def test_a_window_never_leaves_its_array(start):
    own = dtypes.float32
    x = np.arange(20, dtype=np.float32)
    params = {"axes": (0,), "sizes": (6,), "steps": (1,)}
    specs = [spec((20,), own), WEAK_INT]
    got, _, _ = computed("window", params, [x, np.asarray(start, np.int64)], specs)
    np.testing.assert_array_equal(got, x[:6] if start < 0 else x[-6:])


def test_large_arrays_in_many_chunks():
    rng = np.random.default_rng(0)
    own = dtypes.float32
    arrays = [values(rng, (3, 70001), own) for _ in range(3)]
    check("concat", {"axis": 1}, arrays, [own] * 3, exact=True)
    params = {"axes": (1,), "sizes": (3, 50000), "steps": (1, 1)}
    at = np.asarray(1234, np.int64)
    check("window", params, [arrays[0], at], [own, dtypes.int64], exact=True)
    update = [arrays[0], values(rng, (3, 50000), own), at]
    check("window_update", params, update, [own, own, dtypes.int64], exact=True)


@pytest.mark.parametrize(
    ("before", "after", "shape", "to"),
    [
        (dtypes.float32, dtypes.int32, (5, 3), (5, 3)),
        (dtypes.float64, dtypes.uint8, (3,), (24,)),
        (dtypes.int8, dtypes.int64, (2, 16), (2, 2)),
    ],
)
def test_bitcast(before, after, shape, to):
    x = values(np.random.default_rng(0), shape, before)
    check("bitcast", {"shape": to, "dtype": after}, [x], [before], exact=True)


def test_an_update_in_place_touches_only_its_window():
    own = dtypes.float32
    specs = [spec((9, 40), own), spec((1, 40), own), spec((), dtypes.int64)]
    params = {"axes": (0,), "sizes": (1, 40), "steps": (1, 1)}
    lowered = structured.lower("window_update", params, specs, specs[0], in_place=True)
    assert lowered is not None
    row, at = np.arange(40, dtype=np.float32)[None], np.asarray(4, np.int64)
    unread = np.zeros((9, 40), np.float32)
    got, _ = run_pieces(lowered, [unread, row, at], (9, 40), np.float32)
    untouched = unwritten((9, 40), np.float32)
    np.testing.assert_array_equal(got[4:5], row)
    others = np.arange(9) != 4
    assert got[others].tobytes() == untouched[others].tobytes()
