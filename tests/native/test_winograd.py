"""Convolutions by Winograd's method: every edge, and an error no larger than the direct sums'."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facula.engines.native.contraction import lower, winograd
from facula.engines.native.contraction.winograd import shape
from facula.engines.native.views import row_major
from tests.native.contraction_cases import (
    check_close,
    computed,
    conv_operands,
    conv_params,
    numbers,
    oracle,
)  # fmt: skip
from tests.native.test_contraction_contract import check_epilogue
from tests.native.widths import vector_bits

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("conv", "conv_input_grad", "conv_weight_grad")

# (samples, channels, result's channels, height, width, padding)
CASES = [
    (4, 64, 64, 16, 16, (1, 1)),
    (16, 64, 64, 8, 8, (1, 1)),
    (32, 96, 64, 4, 4, (1, 1)),
    (3, 64, 48, 32, 32, (1, 1)),
    (2, 48, 64, 33, 31, (1, 1)),
    (5, 40, 50, 14, 14, (1, 1)),
    (9, 65, 71, 7, 7, (1, 1)),
    (17, 64, 80, 5, 3, (1, 1)),
    (8, 112, 80, 10, 10, (1, 1)),
    (40, 64, 64, 2, 2, (1, 1)),
    (3, 33, 47, 28, 29, (0, 0)),
    (2, 64, 64, 40, 40, (2, 2)),
    (6, 64, 64, 12, 17, ((0, 2), (2, 1))),
    (2, 32, 32, 56, 56, (1, 1)),
    (1, 32, 40, 19, 130, ((2, 0), (1, 2))),
    (19, 144, 152, 8, 8, (1, 1)),
    (3, 330, 67, 13, 21, (1, 1)),
    (17, 161, 130, 4, 4, (1, 0)),
]


def given(kind: str, case, seed: int = 0):
    """(arrays, params, result's shape)."""
    samples, inner, outer, height, width, padding = case
    if kind == "conv_input_grad":
        inner, outer = outer, inner
    shapes = ((samples, inner, height, width), (outer, inner, 3, 3))
    params = conv_params((1, 1), padding, (1, 1), 1)
    shapes, params, out = conv_operands(kind, shapes, params)
    rng = np.random.default_rng(seed)
    return [numbers(rng, s, "float32") for s in shapes], params, out


@pytest.fixture
def always(monkeypatch):
    """Winograd's method also where it does not pay."""
    monkeypatch.setattr(shape, "WORTH", 1e9)


def is_winograd(lowered) -> bool:
    return any(piece.kernel.kind == "winograd" for piece in lowered.pieces)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(kind, case, always):
    arrays, params, out = given(kind, case)
    got, lowered = computed(kind, params, arrays, out)
    assert is_winograd(lowered)
    check_close(got, kind, params, arrays, "float32")


@pytest.mark.parametrize("bits", [128, 256])
@pytest.mark.parametrize("case", CASES[3::2], ids=str)
def test_other_widths(case, bits, always):
    with vector_bits(bits):
        for kind in KINDS:
            arrays, params, out = given(kind, case)
            got, lowered = computed(kind, params, arrays, out)
            assert is_winograd(lowered)
            check_close(got, kind, params, arrays, "float32")


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_that_of_direct_sums(kind, monkeypatch):
    arrays, params, out = given(kind, CASES[0])
    expected, _ = oracle(kind, params, arrays)
    fewer, lowered = computed(kind, params, arrays, out)
    assert is_winograd(lowered)
    monkeypatch.setattr(winograd, "pieces", lambda *given: None)
    direct, lowered = computed(kind, params, arrays, out)
    assert not is_winograd(lowered)
    assert abs(fewer - expected).max() < 1.5 * abs(direct - expected).max()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES[::2], ids=str)
def test_an_epilogue_gets_every_element_once(kind, case, always):
    arrays, params, out = given(kind, case)
    check_epilogue(kind, params, [a.shape for a in arrays], out)


def test_results_do_not_depend_on_the_order_of_chunks(always):
    for kind in KINDS:
        for case in (CASES[3], CASES[9], CASES[-3]):
            arrays, params, out = given(kind, case)
            runs = [computed(kind, params, arrays, out, seed=seed) for seed in range(4)]
            assert max(p.kernel.chunks for p in runs[0][1].pieces) > 2
            assert len({got.tobytes() for got, _ in runs}) == 1


def test_strided_operands():
    """Channels and samples may lie anywhere; only places of an image must be neighbours."""
    arrays, params, out = given("conv", CASES[0])
    x, w = arrays
    wide = np.zeros((x.shape[1], x.shape[0] + 1, *x.shape[2:]), np.float32)
    wide[:, 1:] = x.transpose(1, 0, 2, 3)
    n, (h, width) = x.shape[0], x.shape[2:]
    size = h * width
    view = type(row_major(x.shape))(x.shape, (size, (n + 1) * size, width, 1), size)
    turned = np.ascontiguousarray(w.transpose(1, 0, 2, 3))
    kernels = type(view)(w.shape, (9, 9 * w.shape[0], 3, 1))
    got, lowered = computed("conv", params, [wide, turned], out, views=[view, kernels])
    assert is_winograd(lowered)
    check_close(got, "conv", params, arrays, "float32")


def test_small_work_stays_direct():
    for case in [(1, 64, 64, 2, 2, (1, 1)), (4, 3, 64, 32, 32, (1, 1)), (4, 8, 8, 16, 16, (1, 1))]:
        arrays, params, out = given("conv", case)
        views = [row_major(a.shape) for a in arrays]
        assert not is_winograd(lower("conv", params, "float32", *views, out))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs mprotect")
def test_nothing_outside_the_buffers_is_touched():
    command = [sys.executable, "-m", "tests.native.test_winograd"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "inside", (done.returncode, done.stderr[-2000:])


def main() -> None:
    """Runs all cases on buffers whose ends nobody may touch."""
    from tests.native.contraction_fence import fenced_run

    shape.WORTH = 1e9
    for at_end in (True, False):
        for kind in KINDS:
            for case in CASES[at_end::2]:
                arrays, params, out = given(kind, case)
                fenced_run(kind, params, arrays, out, "float32", at_end)


if __name__ == "__main__":
    main()
    print("inside")
