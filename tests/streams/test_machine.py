"""Numbers made by machine code are those of NumPy, whatever the vectors, and so are the states."""

import subprocess
import sys

import numpy as np
import pytest

from facula.base.flags import flags
from facula.engines.native.random import functions
from facula.runtime import streams
from facula.runtime.streams import machine
from tests.native.widths import vector_bits

SIZES = (0, 1, 2, 7, 15, 16, 17, 33, 624, 625, 1000, 1025, 2064, 5003)
KINDS = {
    "draws": lambda s, n: s.draw32(n).copy(),
    "wide draws": lambda s, n: s.draw64(n),
    "uniform": lambda s, n: streams.uniform(s, n, "float32"),
    "uniform range": lambda s, n: streams.uniform(s, n, "float32", -1e-8, 1e3),
    "uniform halves": lambda s, n: streams.uniform(s, n, "bfloat16", -1.0, 1.0),
    "uniform doubles": lambda s, n: streams.uniform(s, n, "float64"),
    "uniform doubles of a range": lambda s, n: streams.uniform(s, n, "float64", -0.3, 1e-3),
    "an end that is often reached": lambda s, n: streams.uniform(s, n, "float32", 1e4, 1e4 + 1e-2),
    "decisions": lambda s, n: streams.bernoulli_scalar(s, n, 0.3),
    "certain": lambda s, n: streams.bernoulli_scalar(s, n, 1.0),
    "normals": lambda s, n: streams.normal(s, n, "float32"),
    "normals moved": lambda s, n: streams.normal(s, n, "float32", 1.5, 0.3),
    "normal halves": lambda s, n: streams.normal(s, n, "float16", 0.0, 2.0),
    "normal doubles": lambda s, n: streams.normal(s, n, "float64", 0.5, 3.0),
    "normals one by one": lambda s, n: streams.normal(s, n, "float32", contiguous=False),
    "normal doubles one by one": lambda s, n: streams.normal(s, n, "float64", 1.0, 2.0, False),
    "log-normal": lambda s, n: streams.log_normal(s, n, "float32"),
    "integers": lambda s, n: streams.randint(s, n, -5, 12),
    "one integer": lambda s, n: streams.randint(s, n, 3, 4),
    "many integers": lambda s, n: streams.randint(s, n, 0, (1 << 28) - 1),
    "wide integers": lambda s, n: streams.randint(s, n, -(1 << 63), (1 << 63) - 1),
    "permutation": lambda s, n: streams.randperm(s, n),
    "by weight": lambda s, n: streams.multinomial(s, np.full(37, 0.5), "float64", n, True),
}


def by_numpy(kind, stream, n):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flags, "engine", "reference")
        return KINDS[kind](stream, n)


@pytest.fixture
def only_machine(maker):
    if flags.engine == "reference":
        pytest.skip("these compare with NumPy themselves")


@pytest.mark.parametrize("bits", [-1, 256, 128, 0])
def test_the_same_bits_for_every_width(bits, only_machine, monkeypatch):
    monkeypatch.setattr(machine, "_found", {})
    functions.load.cache_clear()
    with vector_bits(bits):
        theirs, ours = streams.Stream(7), streams.Stream(7)
        for n in SIZES:
            for kind in KINDS:
                expected, values = by_numpy(kind, theirs, n), KINDS[kind](ours, n)
                assert values.dtype == expected.dtype and values.shape == expected.shape
                assert values.tobytes() == expected.tobytes(), (kind, n)
                assert np.array_equal(ours.get_state(), theirs.get_state()), (kind, n)
    functions.load.cache_clear()


def test_both_can_draw_from_one_stream_in_turn(only_machine):
    theirs, mixed = streams.Stream(1), streams.Stream(1)
    for step, kind in enumerate([*KINDS] * 3):
        expected = by_numpy(kind, theirs, 300 + step)
        make = by_numpy if step % 3 else lambda kind, s, n: KINDS[kind](s, n)
        assert make(kind, mixed, 300 + step).tobytes() == expected.tobytes(), kind
        if step % 5 == 0:
            mixed = mixed.clone()
    assert np.array_equal(mixed.get_state(), theirs.get_state())


def test_draws_that_were_handed_out_do_not_change(only_machine):
    s = streams.Stream(2)
    s.skip(1)
    few, mark = s.draw32(10), s.mark()
    kept = few.copy()
    after = streams.uniform(s, 2000, "float32")
    assert np.array_equal(few, kept)
    s.rewind(mark)
    assert np.array_equal(streams.uniform(s, 2000, "float32"), after)


def test_numpy_makes_the_first_numbers(maker, monkeypatch):
    monkeypatch.setattr(flags, "engine", "")
    monkeypatch.setattr(machine, "ENOUGH", 9000)
    monkeypatch.setattr(machine, "_found", {})
    monkeypatch.setattr(machine, "_asked", machine.Counter())
    s = streams.Stream(0)
    for count in (1, 1000, 1000):
        streams.uniform(s, count, "float32")
    assert not machine._found
    streams.uniform(s, 3000, "float32")
    assert list(machine._found) == ["floats"]


def test_a_small_program_does_not_load_a_compiler():
    code = (
        "import sys, facula as torch\n"
        "torch.manual_seed(0); torch.rand(3).tolist(); torch.randn(20).tolist()\n"
        "torch.randperm(10).tolist()\n"
        "assert not [m for m in sys.modules if m.startswith(('llvmlite', 'facula.engines.native'))]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
