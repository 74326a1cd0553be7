"""Scans, argmax, sorting and searching beside the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from tests.native.structured_cases import (
    EVERY,
    FLOATS,
    NUMBERS,
    WIDTHS,
    check,
    values,
    with_odd_values,
)  # fmt: skip
from tests.native.widths import vector_bits

SHAPES = [((7,), 0), ((3, 50), 1), ((50, 3), 0), ((4, 9, 37), 1), ((5, 1), 1), ((2, 129), 1)]
UNSIGNED = (dtypes.uint32, dtypes.uint64)


def check_scans(own, seed=0, every=1):
    rng = np.random.default_rng(seed)
    for shape, axis in SHAPES[1::every]:
        params = {"axis": axis}
        x = values(rng, shape, own)
        odd = with_odd_values(rng, x)
        for name in ("cumargmax", "cumargmin", "argmax", "argmin"):
            check(name, params, [odd], [own], seed)
        if own is dtypes.bool_:
            continue
        check("cumsum", params, [x], [own], seed)
        signs = np.where(x > 0, 1, x == 0).astype(x.dtype) if x.dtype.kind == "u" else np.sign(x)
        check("cumprod", params, [signs], [own], seed)
        if own.category == dtypes.FLOAT:
            check("logcumsumexp", params, [odd], [own], seed)


def check_sorts(own, seed=0):
    rng = np.random.default_rng(seed)
    for shape, axis in [*SHAPES, ((700,), 0), ((2, 3000), 1)]:
        odd = with_odd_values(rng, values(rng, shape, own))
        for descending in (False, True):
            check("argsort", {"axis": axis, "descending": descending}, [odd], [own], seed)


def check_searches(own, seed=0):
    rng = np.random.default_rng(seed)
    for rows, n, each in [((), 1, (5,)), ((), 37, (4, 9)), ((3,), 64, (10,)), ((), 0, (4,))]:
        edges = np.sort(with_odd_values(rng, values(rng, (*rows, n), own)), axis=-1)
        wanted = with_odd_values(rng, values(rng, (*rows, *each), own))
        for right in (False, True):
            check("searchsorted", {"right": right}, [edges, wanted], [own, own], seed)


@pytest.mark.parametrize("own", [*EVERY, *UNSIGNED], ids=repr)
def test_scans(own):
    check_scans(own, every=1 if own is dtypes.float32 else 3)


@pytest.mark.parametrize("own", [*EVERY, *UNSIGNED], ids=repr)
def test_sorts(own):
    check_sorts(own)


@pytest.mark.parametrize("own", [*NUMBERS, dtypes.bool_], ids=repr)
def test_searches(own):
    check_searches(own)


@pytest.mark.parametrize("bits", WIDTHS)
def test_vectors_of_any_width(bits):
    with vector_bits(bits):
        check_scans(dtypes.float32, bits, every=2)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float16, dtypes.int8, dtypes.bool_])
def test_the_places_of_extremes_in_many_short_rows(own):
    rng = np.random.default_rng(0)
    for shape in ((37, 10), (300, 3), (512, 1)):
        x = with_odd_values(rng, values(rng, shape, own))
        check("argmax", {"axis": 1}, [x], [own])
        check("argmin", {"axis": 1}, [x], [own])


@pytest.mark.parametrize("own", [dtypes.float64, dtypes.int64, dtypes.float32], ids=repr)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e15])
def test_sorting_wide_ranges(own, scale):
    rng = np.random.default_rng(3)
    x = (rng.normal(size=5000) * scale).astype(own.numpy)
    for descending in (False, True):
        check("argsort", {"axis": 0, "descending": descending}, [x], [own])


@pytest.mark.parametrize("own", FLOATS, ids=repr)
def test_first_of_equal_nans(own):
    x = np.zeros((3, 200), own.numpy)
    x[0, [150, 70, 199]] = np.nan
    x[1, [33, 17]] = np.inf
    for name in ("argmax", "argmin"):
        check(name, {"axis": 1}, [x], [own])
        check(name, {"axis": 0}, [np.ascontiguousarray(x.T)], [own])
        check(name, {"axis": 0}, [x], [own])


@pytest.mark.parametrize("name", ["cumargmax", "cumargmin"])
@pytest.mark.parametrize("own", EVERY, ids=repr)
def test_running_places_of_few_long_rows(name, own):
    rng = np.random.default_rng(0)
    for shape in ((1000,), (2, 333), (3, 64), (1, 5)):
        array = with_odd_values(rng, values(rng, shape, own))
        rising = np.sort(array, axis=-1)
        for given in (array, rising, np.ascontiguousarray(rising[..., ::-1])):
            check(name, {"axis": len(shape) - 1}, [given], [own])
