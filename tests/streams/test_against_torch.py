"""Random streams beside PyTorch itself: the same calls in turn on one generator each."""

import warnings

import numpy as np
import pytest

from facula.runtime import streams
from facula.runtime.streams import convert

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(
    "AVX" not in torch.backends.cpu.get_cpu_capability(),
    reason="PyTorch without AVX2 rounds its products separately",
)

REALS = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("int8", "int16", "int32", "int64", "uint8")
SIZES = (0, 1, 7, 16, 17, 40, 700)


class Pair:
    """A PyTorch generator and a stream at the same point."""

    def __init__(self, seed):
        self.theirs = torch.Generator().manual_seed(seed)
        self.ours = streams.Stream(seed)

    def check(self, what, expected, values):
        halves = expected.dtype == torch.bfloat16
        expected = (expected.float() if halves else expected).numpy()
        assert values.dtype == expected.dtype and values.shape == expected.shape, what
        differ = values != expected
        assert not differ.any(), (what, expected[differ][:4], values[differ][:4])
        assert values.tobytes() == expected.tobytes(), (what, "only the sign of zero differs")
        assert np.array_equal(self.ours.get_state(), self.theirs.get_state().numpy()), what


def empty(n, dtype):
    return torch.empty(n, dtype=getattr(torch, dtype))


@pytest.mark.parametrize("dtype", REALS)
def test_uniform_and_normal(dtype):
    pair = Pair(11)
    ranges = [(0, 1), (-1, 1), (1e-9, 1000), (3, 3), (-1e-8, 0), (1e4, 1e4 + 1e-2), (-5, 0)]
    shapes = [(0, 1), (1, 2), (-1e5, 1e-3), (1e-7, 3.0), (2.5, 0), (0, 1e30), (1e-320, 1e-310)]
    for n in SIZES:
        for low, high in ranges:
            expected = empty(n, dtype).uniform_(low, high, generator=pair.theirs)
            pair.check((n, low, high), expected, streams.uniform(pair.ours, n, dtype, low, high))
        for mean, std in shapes:
            expected = empty(n, dtype).normal_(mean, std, generator=pair.theirs)
            pair.check((n, mean, std), expected, streams.normal(pair.ours, n, dtype, mean, std))


@pytest.mark.parametrize("dtype", REALS)
def test_normal_of_a_tensor_that_is_not_contiguous(dtype):
    pair = Pair(12)
    for rows in (2, 3, 8, 33, 500):
        for mean, std in [(0.0, 1.0), (1.5, 0.3)]:
            tensor = torch.empty(3, rows, dtype=getattr(torch, dtype)).t()
            expected = tensor.normal_(mean, std, generator=pair.theirs).t().reshape(-1)
            values = streams.normal(pair.ours, 3 * rows, dtype, mean, std, contiguous=False)
            pair.check((rows, mean, std), expected, values)


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex(dtype):
    pair, kind = Pair(13), getattr(torch, dtype)
    for n in SIZES:
        expected = torch.rand(n, dtype=kind, generator=pair.theirs)
        pair.check(n, expected, streams.uniform(pair.ours, n, dtype))
        expected = torch.randn(n, dtype=kind, generator=pair.theirs)
        pair.check(n, expected, streams.normal(pair.ours, n, dtype))
        expected = torch.empty(n, dtype=kind).normal_(1.5, 2.5, generator=pair.theirs)
        pair.check(n, expected, streams.normal(pair.ours, n, dtype, 1.5, 2.5))


@pytest.mark.parametrize("dtype", [*REALS, *INTEGERS, "uint16", "uint32", "uint64", "bool"])
def test_integers(dtype):
    pair = Pair(14)
    ranges = [
        (0, 1), (0, 2), (0, 100), (-100, 100), (0, 2**24 + 5), (-(2**24) - 7, 2**24 + 9),
        (0, 2**40 + 3), (-(2**53) - 11, 2**53 + 13), (-(2**63), 2**63 - 1), (0, 65535),
        (0, 2049), (-2051, 2051), (3, 259), (0, 2**32 - 1), (255, 259), (2047, 2053),
    ]  # fmt: skip
    done = 0
    for n in SIZES:
        for low, high in ranges:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    expected = torch.randint(
                        low, high, (n,), dtype=getattr(torch, dtype), generator=pair.theirs
                    )
            except RuntimeError:
                continue  # the type cannot hold this range
            done += 1
            values = streams.randint(pair.ours, n, low, high, dtype)
            pair.check((n, low, high), expected, values)
    assert done


@pytest.mark.parametrize("dtype", [*REALS, *INTEGERS, "bool"])
def test_random_without_an_upper_end(dtype):
    pair = Pair(15)
    lows = [0, 1] if dtype == "bool" else [0, 1, 5]
    lows += [-(2**63)] if dtype in ("int64", "float32", "float64", "bfloat16") else []
    for n in SIZES[1:]:
        expected = empty(n, dtype).random_(generator=pair.theirs)
        pair.check(n, expected, streams.random_full(pair.ours, n, dtype))
        for low in lows:
            expected = empty(n, dtype).random_(low, None, generator=pair.theirs)
            values = streams.random_from(pair.ours, n, low, None, dtype)
            pair.check((n, low), expected, values)


def test_permutations():
    pair = Pair(16)
    for n in (0, 1, 2, 3, 10, 399, 400, 401, 402, 5000, 70001):
        expected = torch.randperm(n, generator=pair.theirs)
        pair.check(n, expected, streams.randperm(pair.ours, n))


def test_bernoulli():
    pair = Pair(17)
    for n in SIZES:
        for p in (0.0, 1.0, 0.5, 0.1, 1e-18, 1 - 2.0**-53, 1 / 3):
            expected = empty(n, "bool").bernoulli_(p, generator=pair.theirs)
            pair.check((n, p), expected, streams.bernoulli_scalar(pair.ours, n, p))
        for dtype in REALS:
            probs = torch.linspace(0, 1, n).to(getattr(torch, dtype))
            array = (probs.float() if dtype == "bfloat16" else probs).numpy()
            expected = torch.bernoulli(probs, generator=pair.theirs).bool()
            values = streams.bernoulli_tensor(pair.ours, array, dtype)
            pair.check((n, dtype), expected, values)


@pytest.mark.parametrize("dtype", REALS)
def test_continuous(dtype):
    pair = Pair(18)
    for n in SIZES:
        for rate in (1.0, 1e-3, 1e5):
            expected = empty(n, dtype).exponential_(rate, generator=pair.theirs)
            pair.check((n, rate), expected, streams.exponential(pair.ours, n, dtype, rate))
        for place, width in [(0, 1), (1, 2.5), (-1e4, 1e-4)]:
            expected = empty(n, dtype).cauchy_(place, width, generator=pair.theirs)
            pair.check((n, place), expected, streams.cauchy(pair.ours, n, dtype, place, width))
        for mean, std in [(1, 2), (0, 0.3), (300, 30)]:
            expected = empty(n, dtype).log_normal_(mean, std, generator=pair.theirs)
            pair.check((n, mean), expected, streams.log_normal(pair.ours, n, dtype, mean, std))


@pytest.mark.parametrize("dtype", [*REALS, *INTEGERS])
def test_geometric(dtype):
    pair = Pair(19)
    for n in SIZES[1:]:
        for p in (0.2, 0.5, 0.999, 1 - 1e-16) + ((1e-9,) if dtype in REALS else ()):
            expected = empty(n, dtype).geometric_(p, generator=pair.theirs)
            pair.check((n, p), expected, streams.geometric(pair.ours, n, dtype, p))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_poisson(dtype):
    pair = Pair(20)
    for rate in (0.0, 0.3, 9.99, 10.0, 12.5, 500.0, 1e6):
        for n in SIZES:
            rates = np.full((n, 1), rate, dtype)
            expected = torch.poisson(torch.from_numpy(rates), generator=pair.theirs)
            values = convert.from_reals(streams.poisson(pair.ours, rates), dtype)
            pair.check((n, rate), expected, values)


@pytest.mark.parametrize("dtype", REALS)
def test_multinomial(dtype):
    pair = Pair(21)
    for n in (2, 7, 40, 700):
        weights = torch.linspace(0.1, 1, 3 * n).reshape(3, n).to(getattr(torch, dtype))
        array = (weights.float() if dtype == "bfloat16" else weights).numpy()
        counts = [(1, False), (1, True), (5, True), (2 * n, True)]
        if dtype in ("float32", "float64"):  # quotients of halves tie, and then orders differ
            counts += [(2, False), (n, False)]
        for count, replacement in counts:
            for row in (slice(None), 1):
                expected = torch.multinomial(
                    weights[row], count, replacement, generator=pair.theirs
                )
                values = streams.multinomial(pair.ours, array[row], dtype, count, replacement)
                pair.check((n, count, replacement), expected, values)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_rrelu_slopes(dtype):
    pair = Pair(22)
    for n in SIZES:
        x = -torch.ones(n, dtype=getattr(torch, dtype))
        expected = -torch.rrelu(x, 0.1, 0.3, training=True, generator=pair.theirs)
        values = streams.rrelu_slopes(pair.ours, n, 0.1, 0.3, dtype)
        pair.check(n, expected, values)


def test_mixed_calls_and_states_carried_both_ways():
    pair = Pair(-3)
    order = np.random.default_rng(5)
    for step in range(400):
        n = int(order.integers(0, 60))
        kind = int(order.integers(0, 5))
        if kind == 0:
            expected = torch.rand(n, generator=pair.theirs)
            values = streams.uniform(pair.ours, n, "float32")
        elif kind == 1:
            expected = torch.randn(n, generator=pair.theirs)
            values = streams.normal(pair.ours, n, "float32")
        elif kind == 2:
            expected = torch.randint(0, 2**40, (n,), generator=pair.theirs)
            values = streams.randint(pair.ours, n, 0, 2**40)
        elif kind == 3:
            expected = empty(n, "float64").log_normal_(generator=pair.theirs)
            values = streams.log_normal(pair.ours, n, "float64")
        else:
            expected = torch.randperm(n, generator=pair.theirs)
            values = streams.randperm(pair.ours, n)
        pair.check((step, kind, n), expected, values)
        if step % 7 == 0:
            pair.ours.set_state(pair.theirs.get_state().numpy())
        elif step % 7 == 3:
            pair.theirs.set_state(torch.from_numpy(pair.ours.get_state()))
