"""Transcendental functions within two units in the last place, over the whole range."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facula.base import dtypes
from tests.native.scalar_runs import apply

pytest.importorskip("llvmlite")

UNARY = {
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log2": np.log2,
    "log10": np.log10, "log1p": np.log1p, "sqrt": np.sqrt, "rsqrt": lambda x: 1 / np.sqrt(x),
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh, "asinh": np.arcsinh,
    "acosh": np.arccosh, "atanh": np.arctanh,
    "erf": np.vectorize(math.erf, otypes=[float]), "erfc": np.vectorize(math.erfc, otypes=[float]),
}  # fmt: skip


def _lgamma(x: float) -> float:
    if math.isnan(x):
        return x
    return math.inf if abs(x) > 1e300 or (x <= 0 and x == math.floor(x)) else math.lgamma(x)


def _erfinv(x: float) -> float:
    """Where erf is x, by halving what is left of the line."""
    if not -1 < x < 1:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    low, high, size = 0.0, 6.0, abs(x)
    if size < 1e-6:
        return x * math.sqrt(math.pi) / 2
    for _ in range(60):
        middle = (low + high) / 2
        less = math.erf(middle) < size if size < 0.5 else math.erfc(middle) > 1 - size
        low, high = (middle, high) if less else (low, middle)
    return math.copysign(low, x)


SINGLE_ONLY = {
    "lgamma": np.vectorize(_lgamma, otypes=[float]),
    "erfinv": np.vectorize(_erfinv, otypes=[float]),
}
BINARY = {"power": np.power, "atan2": np.arctan2}
ENDS = [0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 88.72, 88.73, -87.4, -103.97, -104.0, 709.78, 709.79,
        -745.1, -745.2, 1e-45, -1e-45, 5e-324, 1e-310, 3.4e38, 1.7e308,
        float("inf"), float("-inf"), float("nan")]  # fmt: skip
# More digits than a double, where the platform has them
WIDE = np.longdouble if np.finfo(np.longdouble).nmant > 60 else None


def numbers(kind, size=6000) -> np.ndarray:
    """Any bits, the usual sizes, near 1, and the ends of the ranges."""
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 256, size * np.dtype(kind).itemsize, dtype=np.uint8).view(kind)
    limit = 110 if kind == np.float32 else 760
    spread = [
        rng.standard_normal(size) * 3,
        rng.uniform(-limit, limit, size),
        1 + rng.standard_normal(size) * 0.01,
        10 ** rng.uniform(-20, 4, size) * rng.choice([-1, 1], size),
        np.arange(1, 400) * (math.pi / 2),  # where reduced angles are tiny
        ENDS,
    ]
    with np.errstate(over="ignore"):
        return np.concatenate([bits, *[np.asarray(s).astype(kind) for s in spread]])


def units_off(got, want, kind) -> np.ndarray:
    """Distance in units of the last place of ``want``, which has more digits."""
    info = np.finfo(kind)
    with np.errstate(all="ignore"):
        exact = want.astype(kind)
        unit = np.exp2(np.maximum(np.floor(np.log2(np.abs(want))), info.minexp) - info.nmant)
        distance = np.abs(got.astype(want.dtype) - want) / unit
        distance = np.where((got == exact) & ~np.isfinite(distance), 0, distance)
        return np.where(np.isnan(want) | np.isnan(got), np.isnan(want) != np.isnan(got), distance)


def check(name, arrays, kind, wide, function, limit=2.0) -> None:
    own = dtypes.from_numpy(kind)
    got = apply(name, [own] * len(arrays), arrays, own, lanes=64 // np.dtype(kind).itemsize)
    with np.errstate(all="ignore"):
        want = np.asarray(function(*[a.astype(wide) for a in arrays]))
    off = units_off(got, want, kind)
    worst = int(np.argmax(off))
    assert off[worst] <= limit, ([a[worst] for a in arrays], got[worst], want[worst], off[worst])


@pytest.mark.parametrize("name", [*UNARY, *SINGLE_ONLY])
def test_float32(name):
    function = UNARY.get(name) or SINGLE_ONLY[name]
    check(name, [numbers(np.float32)], np.float32, np.float64, function)


def test_float32_of_numbers_below_one():
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.uniform(-1, 1, 20000), 1 - 10.0 ** rng.uniform(-7, 0, 5000)])
    for name in ("erfinv", "lgamma"):
        check(name, [x.astype("f")], np.float32, np.float64, SINGLE_ONLY[name])
    check("atanh", [x.astype("f")], np.float32, np.float64, np.arctanh)


@pytest.mark.parametrize("name", UNARY)
@pytest.mark.skipif(WIDE is None, reason="no floats wider than double")
def test_float64(name):
    own_digits = name in ("erf", "erfc")  # the oracle has no more digits than the result
    limit = {"erf": 2.5, "erfc": 6.0}.get(name, 2.0)
    wide = np.float64 if own_digits else WIDE
    check(name, [numbers(np.float64)], np.float64, wide, UNARY[name], limit)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_functions_of_two_numbers(name, kind):
    wide = np.float64 if kind == np.float32 else WIDE
    if wide is None:
        pytest.skip("no floats wider than double")
    rng = np.random.default_rng(1)
    x, y = [rng.permutation(numbers(kind)) for _ in range(2)]
    large = np.abs(rng.standard_normal(20000)).astype(kind) * 10  # powers that are finite
    near = (1 + rng.standard_normal(20000) * 1e-3).astype(kind)
    spread = [rng.uniform(-limit, limit, 20000).astype(kind) for limit in (30, 2e4)]
    x, y = np.concatenate([x, large, near]), np.concatenate([y, *spread])
    check(name, [x, y], kind, wide, BINARY[name])


@pytest.mark.parametrize("name", ["sin", "cos", "tan", "exp", "log", "tanh", "erf"])
@pytest.mark.parametrize("lanes", [1, 4, 32])
def test_other_numbers_of_lanes_agree_to_rounding(name, lanes):
    x = numbers(np.float32, 500)
    own = dtypes.float32
    few = apply(name, [own], [x], own, lanes=lanes)
    np.testing.assert_allclose(few, apply(name, [own], [x], own), 3e-7, 1e-45)
