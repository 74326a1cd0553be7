"""What the rest of the engine relies on: epilogues, bounds, determinism, keys."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facula.engines.native import ir, jit
from facula.engines.native.contraction import lower
from facula.engines.native.kernel import given
from facula.engines.native.views import View, row_major
from tests.native.contraction_cases import (
    CONVS,
    MATMULS,
    broadcast_shape,
    computed,
    conv_operands,
    conv_params,
    numbers,
    oracle,
)  # fmt: skip
from tests.native.widths import vector_bits

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
ROOT = Path(__file__).resolve().parents[2]
KINDS = ("conv", "conv_input_grad", "conv_weight_grad")


class AddBiasAndCount:
    """Adds a bias by row; counts in an extra how often each element was handed over."""

    extras = 2
    writes = (1,)
    keeps = True

    def __init__(self, shape):
        self.shape = shape
        self.key = f"test bias {shape}"

    def begin(self, f, pointers) -> None:
        """Nothing is the same for all results."""

    def ask(self, f, pointers, coordinates) -> None:
        """Its operands are small."""

    def emit(self, f, pointers, value, coordinates, mask) -> None:
        result, bias, counts = pointers
        b, r, c = coordinates
        rows, columns = self.shape[1:]
        lanes = ir.lanes_of(value.type)
        at = f.op("add", f.mul(f.op("add", f.mul(f.typed(b, "i64"), rows), r), columns), c)
        added = f.splat(f.load("float", f.at(bias, r, "float")), lanes)
        value = f.op("fadd", value, added)
        place, count = f.at(result, at, "float"), f.at(counts, at, "float")
        if mask is None:
            f.store(value, place)
            f.store(f.op("fadd", f.load(value.type, count), 1.0), count)
        else:
            f.masked_store(value, place, mask)
            held = f.masked_load(value.type, count, mask)
            f.masked_store(f.op("fadd", held, 1.0), count, mask)


def canonical(kind: str, shape) -> tuple[int, int, int]:
    """The shape in which an epilogue sees a result."""
    if kind == "matmul":
        return (int(np.prod(shape[:-2])), *shape[-2:])
    if kind == "conv_weight_grad":
        return 1, shape[0], int(np.prod(shape[1:]))
    return (*shape[:2], int(np.prod(shape[2:])))


def run_in_place(lowered, inputs, shape) -> np.ndarray:
    """The result; extras among the inputs are written to."""
    out = np.full(shape, np.nan, np.float32)
    memory = {
        "input": inputs,
        "output": [out],
        "temp": [np.full(n // 4 + 1, np.nan, np.float32) for n in lowered.temps],
    }
    for piece in lowered.pieces:
        (address,) = jit.load([piece.kernel])
        pointers = [memory[r.role][r.number].ctypes.data for r in piece.operands]
        table = (ctypes.c_void_p * len(pointers))(*pointers)
        for chunk in reversed(range(piece.kernel.chunks)):
            _FUNCTION(address)(ctypes.addressof(table), chunk, chunk + 1)
    return out


def check_epilogue(kind, params, shapes, out) -> None:
    rng = np.random.default_rng(9)
    arrays = [numbers(rng, s, "float32") for s in shapes]
    shape = canonical(kind, out)
    bias = rng.standard_normal(shape[1]).astype(np.float32)
    counts = np.zeros(shape, np.float32)
    views = [row_major(a.shape) for a in arrays]
    lowered = lower(kind, params, "float32", *views, out, AddBiasAndCount(shape))
    for piece in lowered.pieces:
        if given(3) in piece.operands:
            assert piece.operands.index(given(3)) in piece.writes
            assert piece.operands.index(given(2)) not in piece.writes
    got = run_in_place(lowered, [*arrays, bias, counts], shape)
    expected, _ = oracle(kind, params, arrays)
    expected = expected.reshape(shape) + bias[:, None]
    assert np.allclose(got, expected, rtol=1e-4, atol=1e-3)
    assert (counts == 1).all()


@pytest.mark.parametrize("bits", [-1, 0, 128, 256])
def test_an_epilogue_gets_every_element_once(bits):
    with vector_bits(bits):
        for case in CONVS if bits < 0 else CONVS[1::4]:
            params = conv_params(*case[2:])
            for kind in KINDS:
                shapes, given_params, out = conv_operands(kind, case, params)
                check_epilogue(kind, given_params, shapes, out)
        for a, b in MATMULS:
            check_epilogue("matmul", {}, (a, b), broadcast_shape(a, b))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
@pytest.mark.parametrize("bits", [-1, 0, 128, 256])
def test_nothing_outside_the_buffers_is_touched(bits):
    command = [sys.executable, "-m", "tests.native.contraction_fence", str(bits)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "inside", (done.returncode, done.stderr[-2000:])


def test_results_do_not_depend_on_the_order_of_chunks():
    rng = np.random.default_rng(4)
    for kind, x, w in [
        ("conv", (8, 16, 16, 16), (48, 16, 3, 3)),
        ("conv_input_grad", (8, 16, 16, 16), (48, 16, 3, 3)),
        ("conv_weight_grad", (16, 16, 16, 16), (48, 16, 3, 3)),
    ]:
        params = conv_params((1, 1), (1, 1), (1, 1), 1)
        shapes, params, out = conv_operands(kind, (x, w), params)
        arrays = [numbers(rng, s, "float32") for s in shapes]
        runs = [computed(kind, params, arrays, out, seed=seed) for seed in range(4)]
        assert max(p.kernel.chunks for p in runs[0][1].pieces) > 2
        assert len({got.tobytes() for got, _ in runs}) == 1


def test_keys_tell_kernels_apart_and_equal_work_shares_one():
    found: dict[str, str] = {}
    for case in CONVS:
        for kind in KINDS:
            shapes, params, out = conv_operands(kind, case, conv_params(*case[2:]))
            for _ in range(2):
                for piece in lower(kind, params, "float32", *map(row_major, shapes), out).pieces:
                    text = piece.kernel.emit("f")
                    assert found.setdefault(piece.kernel.key, text) == text


def test_epilogues_are_part_of_the_key():
    views = [row_major((20, 30)), row_major((30, 40))]
    plain, added = (
        lower("matmul", {}, "float32", *views, (20, 40), epilogue).pieces[-1].kernel.key
        for epilogue in (None, AddBiasAndCount((1, 20, 40)))
    )
    assert plain != added


def test_integers_are_left_to_the_reference():
    view = View((4, 4), (4, 1))
    assert lower("matmul", {}, "int64", view, view, (4, 4)) is None


def test_empty_results_need_no_kernels():
    assert not lower("matmul", {}, "float32", row_major((0, 3)), row_major((3, 4)), (0, 4)).pieces
