"""Every elementwise primitive and dtype in native code beside its NumPy reference."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT, INTEGER
from facula.engines.native import ir, scalars
from facula.engines.native.kernel import Kernel
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.graph.primitive import TABLE
from facula.graph.primitives import elementwise as _elementwise  # noqa: F401 (fills the table)
from facula.graph.spec import spec
from tests.native.scalar_runs import apply, call, wanted

pytest.importorskip("llvmlite")

REAL = [d for d in dtypes.ALL if d.category <= FLOAT]
PRIMITIVES = [
    p
    for p in TABLE.values()
    if p.kind == "elementwise" and p.domain is not None and p.name != "conj"
]
CASES = [(p, own) for p in PRIMITIVES for own in REAL if own.category in p.categories]
EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
# Where the reference itself counts units of 1 rather than of the result, or is a few units off
LOOSE = {"lgamma": 60, "digamma": 60, "erfinv": 10, "erfc": 10}
EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 2.5, -7.25, 1e-3, 40.0, -40.0, 100.0,
    -100.0, 1000.0, 30000.0, -30000.0, 6e-8, -6e-8, 1e-30, 1e30, -1e30, 1e-42, -1e-42, 3e38,
    float("inf"), float("-inf"), float("nan"),
]  # fmt: skip


def kept(values, own) -> np.ndarray:
    with np.errstate(all="ignore"):
        array = np.asarray(values).astype(own.numpy)
        return round_to_bfloat16(array) if own is dtypes.bfloat16 else array


def samples(own, domain, rng, size=333) -> np.ndarray:
    if own.category == BOOL:
        return rng.integers(0, 2, size).astype(np.bool_)
    if own.category == INTEGER:
        low, high = max(0, int(np.ceil(domain[0]))), int(domain[1]) + 2
        return rng.integers(low, high, size).astype(own.numpy)
    return kept(rng.uniform(*domain, size), own)


def edges(own) -> np.ndarray:
    if own.category == BOOL:
        return np.array([False, True])
    if own.category == INTEGER:
        info = np.iinfo(own.numpy)
        small = [x for x in (-8, -3, -2, -1, 0, 1, 2, 3, 5, 7, 31, 64) if x >= info.min]
        ends = [info.min, info.min + 1, info.max, info.max - 1, info.max // 2, info.max // 3]
        return np.array([*small, *ends], own.numpy)
    return kept(EDGES, own)


def every_pair(values, arity) -> list[np.ndarray]:
    return [g.reshape(-1) for g in np.meshgrid(*[values] * arity, indexing="ij")]


def agree(name, own, got, want) -> None:
    assert got.dtype == want.dtype
    if own.category != FLOAT or want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    eps = EPS[own.name]
    tiny = {"float16": 2.0**-23, "float64": 1e-307}.get(own.name, 1e-37)
    rtol = 4 * eps if name not in LOOSE else LOOSE[name] * max(EPS["float64"], eps)
    atol = tiny if name not in ("lgamma", "digamma") else 60 * EPS["float64"] + eps
    np.testing.assert_allclose(got.astype(np.float64), want.astype(np.float64), rtol, atol)


@pytest.mark.parametrize(("primitive", "own"), CASES, ids=repr)
def test_primitives_agree_with_the_reference(primitive, own):
    rng = np.random.default_rng(0)
    arity = primitive.arity
    result = primitive.infer([spec((3,), own)] * arity, {}).dtype
    assert scalars.supports(primitive.name, {}, [own] * arity, result)
    drawn = [samples(own, primitive.domain, rng) for _ in range(arity)]
    corners = every_pair(edges(own), arity)
    if primitive.name == "power" and own.category == FLOAT:
        # each exponent on its own: the reference treats some alone specially
        corners = [c[:0] for c in corners]
    for lanes in (16, 1):
        for arrays in (drawn, corners):
            if arrays[0].size:
                got = apply(primitive.name, [own] * arity, arrays, result, lanes=lanes)
                agree(primitive.name, own, got, wanted(primitive, {}, arrays, result))


@pytest.mark.parametrize("own", [d for d in REAL if d.category == FLOAT], ids=repr)
def test_powers_with_one_exponent(own):
    base = np.concatenate([edges(own), samples(own, (0.1, 20.0), np.random.default_rng(1))])
    for exponent in edges(own):
        got = apply("power", [own, own], [base, np.full_like(base, exponent)], own)
        want = wanted(TABLE["power"], {}, [base, own.numpy.type(exponent)], own)
        agree("power", own, got, want)


@pytest.mark.parametrize("own", REAL, ids=repr)
@pytest.mark.parametrize("to", REAL, ids=repr)
def test_casts(own, to):
    values = np.concatenate([edges(own), samples(own, (0.0, 100.0), np.random.default_rng(2))])
    if own.category == FLOAT and to.category == INTEGER:
        # where it does not fit, NumPy's answer depends on the CPU
        low = 0 if to is dtypes.uint64 else -(2.0**31)
        wide = values.astype(np.float64)
        values = values[(wide >= low) & (wide <= 2.0**31)]
    params = {"dtype": to}
    assert scalars.supports("cast", params, [own], to)
    want = wanted(TABLE["cast"], params, [values], to)
    for lanes in (16, 8, 1):
        got = apply("cast", [own], [values], to, params, lanes)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("to", [d for d in REAL if d.category == INTEGER], ids=repr)
def test_casts_of_numbers_that_do_not_fit_are_defined(to):
    values = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 2.0**63, -(2.0**64)], np.float32)
    got = apply("cast", [dtypes.float32], [values], to, {"dtype": to})
    again = apply("cast", [dtypes.float32], [values], to, {"dtype": to}, lanes=1)
    np.testing.assert_array_equal(got, again)


@pytest.mark.parametrize("own", REAL, ids=repr)
def test_select(own):
    rng = np.random.default_rng(3)
    which = rng.integers(0, 2, 100).astype(np.bool_)
    a, b = [samples(own, (-3.0, 3.0), rng, 100) for _ in range(2)]
    got = apply("select", [dtypes.bool_, own, own], [which, a, b], own)
    np.testing.assert_array_equal(got, np.where(which, a, b))


def test_complex_numbers_are_left_to_others():
    own = dtypes.complex64
    assert not scalars.supports("add", {}, [own, own], own)
    assert not scalars.supports("cast", {"dtype": own}, [dtypes.float32], own)
    assert not scalars.supports("make_complex", {}, [dtypes.float32] * 2, own)


def one_time(key, write) -> Kernel:
    def emit(symbol: str) -> str:
        f = ir.Function(symbol, ["ptr", "i64", "i64"])
        pointers = [f.load("ptr", f.at(f.arguments[0], i, "ptr")) for i in range(3)]
        write(f, *pointers)
        f.ret()
        return f.text()

    return Kernel("test", f"scalar memory test {key}", emit)


@pytest.mark.parametrize("own", REAL, ids=repr)
@pytest.mark.parametrize("lanes", [1, 4, 16])
@pytest.mark.parametrize("stride", [-3, -1, 0, 1, 2])
def test_loads_with_strides_and_masked_stores(own, lanes, stride):
    rng = np.random.default_rng(4)
    source = samples(own, (-3.0, 3.0), rng, 64)
    kept_lanes = (np.arange(lanes) < (lanes + 1) // 2).astype(np.bool_)
    out = np.zeros(2 * lanes, own.numpy)

    def write(f, x, mask, y):
        element = scalars.storage(own)
        m = scalars.load(f, dtypes.bool_, mask, lanes)
        start = f.at(x, 50 if stride < 0 else 3, element)
        value = scalars.load_strided(f, own, start, stride, lanes)
        scalars.store(f, own, value, y, m)
        value = scalars.load_strided(f, own, start, stride, lanes, m)
        scalars.store(f, own, value, f.at(y, lanes, element))

    call(one_time(f"strided {own} {lanes} {stride}", write), [source, kept_lanes, out], 1)
    places = (50 if stride < 0 else 3) + stride * np.arange(lanes)
    want = np.where(kept_lanes, source[places], np.zeros((), own.numpy))
    np.testing.assert_array_equal(out[:lanes], want)
    np.testing.assert_array_equal(out[lanes:][kept_lanes], want[kept_lanes])


@pytest.mark.parametrize("own", REAL, ids=repr)
def test_gathers(own):
    rng = np.random.default_rng(5)
    source = samples(own, (-3.0, 3.0), rng, 64)
    places = rng.integers(0, 64, 16)
    out = np.zeros(32, own.numpy)

    def write(f, x, where, y):
        element = scalars.storage(own)
        at = f.load("<16 x i64>", where)
        scalars.store(f, own, scalars.gather(f, own, x, at), y)
        mask = f.compare("icmp slt", at, 32)
        value = scalars.gather(f, own, x, at, mask)
        scalars.store(f, own, value, f.at(y, 16, element))

    call(one_time(f"gather {own}", write), [source, places, out], 1)
    np.testing.assert_array_equal(out[:16], source[places])
    np.testing.assert_array_equal(out[16:], np.where(places < 32, source[places], 0))


@pytest.mark.parametrize("own", REAL, ids=repr)
def test_python_numbers(own):
    number = np.array([2.75]) if own.category == FLOAT else np.array([3])
    out = np.zeros(1, own.numpy)

    def write(f, x, unused, y):
        scalars.store(f, own, scalars.number(f, own, x), y)

    call(one_time(f"number {own}", write), [number, number, out], 1)
    np.testing.assert_array_equal(out, number.astype(own.numpy))
