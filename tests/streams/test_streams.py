"""Random streams against recorded PyTorch values, and against PyTorch where it is installed."""

import hashlib
import json
import lzma
import pickle
import platform
import re
from ast import literal_eval
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from facula.runtime import streams
from facula.runtime.streams import convert, fma, permutation

SIZES = (1, 2, 5, 15, 16, 17, 31, 100, 1000, 65537)
SMALL_STEP = 7919


def golden():
    with lzma.open(Path(__file__).with_name("golden.json.xz")) as file:
        return json.load(file)


def rounded(values, dtype):
    return convert.from_reals(np.asarray(values), dtype)


def as_bytes(values, dtype):
    if dtype == "bfloat16":
        return (values.view(np.uint32) >> np.uint32(16)).astype("<u2").tobytes()
    return values.tobytes()


def numbers(call):
    """The literal arguments of the last call in the text, keywords left out."""
    inside = call[call.rindex("(") + 1 : call.rindex(")")].replace("2**63", str(2**63))
    return [literal_eval(part.strip()) for part in inside.split(",") if part and "=" not in part]


def scaled(n, dtype):
    """`(arange(n) % 7).to(dtype) * 0.37` with PyTorch's roundings."""
    if dtype == "float64":
        return (np.arange(n) % 7) * 0.37
    return rounded((np.arange(n) % 7).astype(np.float32) * np.float32(0.37), dtype)


def wide(values, dtype):
    """What PyTorch computes with: float32 for halves."""
    return values.astype(np.float32) if dtype == "float16" else values


def tenths(n, dtype):
    return rounded((np.arange(n) % 11) / 10, dtype)


def torch_normal(s, call, n, dtype):
    if "(1.5, 0.3, (" in call:
        return streams.normal(s, n, dtype, 1.5, 0.3)
    tensor = scaled(n, dtype)
    number = np.float64 if dtype == "float64" else np.float32
    if call.endswith("* 0.37), 0.3)"):
        mean, values = tensor, streams.normal(s, n, dtype, 0.0, 0.3)
    else:
        values = streams.normal(s, n, dtype)
        values = rounded(wide(values, dtype) * wide(tensor, dtype), dtype)
        mean = number(rounded([1.3], dtype)[0])
        if "- 1," in call:
            mean = rounded(wide(tensor, dtype) - number(1), dtype)
    return rounded(wide(values, dtype) + wide(mean, dtype), dtype)


def dropout(s, call, n, dtype):
    number = np.float64 if dtype == "float64" else np.float32
    p = float(call[call.rindex(",") + 1 : -1])
    x = rounded(wide(scaled(n, dtype), dtype) + number(1), dtype)
    noise = rounded(streams.bernoulli_scalar(s, n, 1 - p) / number(1 - p), dtype)
    return rounded(wide(x, dtype) * wide(noise, dtype), dtype)


def bernoulli_by_tensor(s, call, n, dtype):
    probs_dtype = dtype
    if call.startswith("torch.empty"):
        probs_dtype = "float32" if call.endswith(".float())") else "float64"
    return streams.bernoulli_tensor(s, tenths(n, probs_dtype), probs_dtype)


def choices(s, call, n, dtype):
    if "37) * 7919" in call:
        probs, count = (np.arange(37) * SMALL_STEP % 97) + 0.5, n
    elif "501" in call:
        probs = ((np.arange(3 * 501) * SMALL_STEP % 97) + 0.5).astype(np.float32) / np.float32(31)
        probs, count = probs.reshape(3, 501), min(n, 1000 if "1000)" in call else 501)
    else:
        probs, count = np.arange(n) % 13 + 1.0, min(n, 3) if "min" in call else 1
    probs = rounded(probs.astype(np.float64), dtype)
    return streams.multinomial(s, probs, dtype, count, call.endswith("True)"))


def replay(s, distribution, call, n, dtype):
    """Do what the recorded PyTorch call did."""
    if distribution == "rand":
        return streams.uniform(s, n, dtype)
    if distribution == "randn":
        return streams.normal(s, n, dtype)
    if distribution.startswith("torch.normal("):
        return torch_normal(s, call, n, dtype)
    if distribution == "randint":
        low, high = literal_eval("(" + re.search(r"randint\((\S+, \S+), \(", call)[1] + ")")
        return streams.randint(s, n, low, high, dtype)
    if distribution == "random_()":
        return streams.random_full(s, n, dtype)
    if distribution == "randperm":
        count = min(n, 100) if "min" in call else n
        return convert.from_integers(streams.randperm(s, count), dtype)
    if distribution == "dropout":
        return dropout(s, call, n, dtype)
    if distribution in ("bernoulli(tensor)", "bernoulli_(tensor)"):
        return bernoulli_by_tensor(s, call, n, dtype)
    if distribution == "poisson":
        return rounded(streams.poisson(s, (np.arange(min(n, 2000)) % 30).astype(dtype)), dtype)
    if distribution.startswith("multinomial"):
        return choices(s, call, n, dtype)
    args = numbers(call)
    if distribution == "bernoulli_(num)":
        return streams.bernoulli_scalar(s, n, *args)
    if distribution == "random_(from, None)":
        return streams.random_from(s, n, *args, dtype)
    name = {"uniform_": "uniform", "normal_": "normal"}.get(distribution, distribution.rstrip("_"))
    return getattr(streams, name)(s, n, dtype, *args)


def stored_type(values, distribution, dtype):
    """Bernoulli results are booleans here and numbers of the tensor's type in PyTorch."""
    if distribution.startswith("bernoulli") and dtype != "bool":
        return convert.from_integers(values.astype(np.int64), dtype)
    return values


def differences(case):
    """Return the recorded calls of a sequence whose values or state differ from ours."""
    name, dtype, wrong = case["distribution"], case["dtype"], []
    s = streams.Stream(case["seed"])
    for n in SIZES:
        call = case["call"].replace("{n}", str(n))
        values = stored_type(replay(s, name, call, n, dtype), name, dtype)
        first, value_hash, state_hash = case["rows"][str(n)]
        kind = "int64" if name.startswith("multinomial") else dtype
        ours = hashlib.sha256(as_bytes(values, kind)).hexdigest()
        state = hashlib.sha256(s.get_state().tobytes()).hexdigest()
        if not (ours.startswith(value_hash) and state.startswith(state_hash)):
            wrong.append((call, values.reshape(-1)[:4].tolist(), first))
    return wrong


CASES = golden()["cases"]
NEED_LIBM = ("randn", "normal_", "torch.normal", "exponential_", "cauchy_", "log_normal_")


@pytest.mark.parametrize("name", sorted({case["distribution"] for case in CASES}))
def test_recorded_values_and_states(name):
    for case in CASES:
        if case["distribution"] != name:
            continue
        libm = case["dtype"] == "float64" and name.startswith(NEED_LIBM)
        if libm and platform.libc_ver()[0] != "glibc":
            continue  # the last bit of these is the C library's
        assert differences(case) == []


def test_known_numbers_of_seed_zero():
    s = streams.Stream(0)
    assert streams.uniform(s, 3, "float32").tolist() == [
        0.49625658988952637, 0.7682217955589294, 0.08847743272781372
    ]  # fmt: skip
    assert streams.Stream(2**32).get_state()[24:].tolist() == s_state_tail(0)
    assert streams.Stream(-1).seed == 2**64 - 1
    assert streams.Stream().seed == streams.DEFAULT_SEED == 67280421310721


def s_state_tail(seed):
    return streams.Stream(seed).get_state()[24:].tolist()


def test_draws_are_numpys_and_may_be_cut_anywhere():
    bits = np.random.MT19937(0)
    np.random.RandomState(bits).seed(123)
    expected = bits.random_raw(10_000).astype(np.uint32)
    s, position = streams.Stream(123), 0
    for n in (0, 1, 623, 1, 624, 1247, 2, 1248, 5, 0, 3000):
        assert np.array_equal(s.draw32(n), expected[position : position + n])
        position += n
    high, low = s.draw32(2).tolist()
    s.set_state(s.get_state())
    assert [high, low] == expected[position : position + 2].tolist()
    wide = expected[position + 2 :].astype(np.uint64)
    pairs = (wide[0:20:2] << np.uint64(32)) | wide[1:20:2]
    assert np.array_equal(s.draw64(10), pairs)


def test_state_round_trips_at_every_kind_of_position():
    for taken in (0, 1, 5, 623, 624, 625, 1248, 2000):
        s = streams.Stream(9)
        s.skip(taken)
        if taken % 2:
            streams.normal(s, 1, "float32")  # leaves a spare normal behind
        saved = s.get_state()
        copies = [streams.Stream(1), s.clone(), pickle.loads(pickle.dumps(s))]
        copies[0].set_state(saved)
        expected = streams.normal(s, 700, "float64", contiguous=False)
        for copy in copies:
            assert np.array_equal(copy.get_state(), saved)
            assert np.array_equal(streams.normal(copy, 700, "float64", contiguous=False), expected)
            assert np.array_equal(copy.get_state(), s.get_state())


def test_what_is_no_state_is_refused():
    s = streams.Stream(0)
    before = s.get_state()
    with pytest.raises(TypeError, match="ByteTensor"):
        s.set_state(before.astype(np.int64))
    with pytest.raises(RuntimeError, match="5056"):
        s.set_state(before[:-1])
    broken = before.copy()
    broken[8:12] = 0
    with pytest.raises(RuntimeError, match="left = 0"):
        s.set_state(broken)
    assert np.array_equal(s.get_state(), before)


def test_rewind_returns_to_the_mark():
    s = streams.Stream(4)
    s.skip(600)
    mark = s.mark()
    first = s.draw32(2000).copy()
    s.rewind(mark)
    assert np.array_equal(s.draw32(2000), first)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 401, 5000])
def test_permutations_equal_the_plain_loops(count):
    draws = streams.Stream(count).draw32(count)
    swapped = permutation._swap_one_by_one(draws[:-1].tolist(), count)
    assert sorted(swapped.tolist()) == list(range(count))
    if count > 1:
        assert np.array_equal(permutation._swap_all(draws[:-1], count), swapped)
    order = [0] * count
    for i, draw in enumerate(draws.tolist()):
        j = draw % (i + 1)
        order[i] = order[j]
        order[j] = i
    assert permutation._inside_out(draws.astype(np.uint64)).tolist() == order


def nearest32(value):
    """Round a fraction to float32 through the neighbours of its double rounding."""
    guess = np.float32(float(value))
    near = [np.nextafter(guess, np.float32(side)) for side in (-np.inf, np.inf)] + [guess]
    return min(near, key=lambda x: (abs(Fraction(float(x)) - value), int(x.view(np.int32)) & 1))


def test_fused_multiply_add_is_rounded_once():
    rng = np.random.default_rng(0)
    a = np.concatenate([rng.random(200), rng.normal(size=200) * 8, [0.0, -0.0, 2.0**-53]])
    for b, c in [
        (0.3, -0.7),
        (1e-9, 1.0),
        (1.0, 1e-17),
        (3.3, 1e5),
        (1e-310, 1e-315),
        (7e300, 1e290),
    ]:
        exact = [float(Fraction(x) * Fraction(b) + Fraction(c)) for x in a.tolist()]
        assert fma.fma64(a, b, c).tolist() == exact
        assert fma.fma64_short(a.tolist(), b, c) == exact
    counts = np.append(rng.integers(0, 2**24, 300), [0, 1, 2**24 - 1]).astype(np.uint32)
    for low, width in [(-0.1, 0.2), (1e-9, 1000.0), (1.0, 2.0**-24), (-3.0, 1e-5), (1.5, 3e-8)]:
        b, c = float(np.float32(width)) * 2.0**-24, float(np.float32(low))
        ours = fma.fma32(counts, b, c)
        exact = [nearest32(Fraction(k) * Fraction(b) + Fraction(c)) for k in counts.tolist()]
        assert ours.tolist() == [float(x) for x in exact]


def test_float32_results_exactly_between_two_numbers_are_not_rounded_twice():
    # 1 + 2**-24 is halfway; the small rest below float64's reach must decide upward.
    c, b = 1.0, float(np.float32(2.0**-24 + 2.0**-47))
    assert float(fma.multiply_add32(np.float32([1.0]), b, c)[0]) == 1 + 2.0**-23
    tiny = float(np.float32(2.0**-24)) * (1 + 2.0**-20)
    assert float(fma.fma32(np.array([2**20 + 1], np.uint32), tiny * 2.0**-20, c)[0]) == 1 + 2.0**-23


def test_geometric_and_poisson_reach_their_extremes():
    s = streams.Stream(0)
    assert streams.poisson(s, np.zeros(5)).tolist() == [0.0] * 5
    assert np.array_equal(s.get_state(), streams.Stream(0).get_state())
    big = streams.poisson(s, np.full(2000, 1000.0))
    assert abs(big.mean() - 1000) < 5 and abs(big.std() - 1000**0.5) < 2
    assert streams.geometric(s, 1000, "int64", 0.999999).max() <= 2


def test_seed_draw_is_random_of_int64():
    first, second = streams.Stream(8), streams.Stream(8)
    values = streams.random_full(first, 3, "int64").tolist()
    assert values == [streams.seed_draw(second) for _ in range(3)]
