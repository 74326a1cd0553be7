"""Convolutions with one channel to a group, plane by plane, beside the definition in float64."""

from __future__ import annotations

import numpy as np
import pytest

from facula.engines.native.contraction import depthwise, lower
from facula.engines.native.views import View, row_major
from tests.native.contraction_cases import (
    check_close,
    computed,
    conv_operands,
    conv_params,
    numbers,
)  # fmt: skip
from tests.native.test_contraction_contract import check_epilogue
from tests.native.widths import vector_bits

# (samples, channels, height, width, kernel, stride, padding, dilation)
CASES = [
    (2, 5, 56, 56, (3, 3), (1, 1), (1, 1), (1, 1)),
    (3, 4, 28, 28, (3, 3), (2, 2), (1, 1), (1, 1)),
    (2, 7, 14, 14, (5, 5), (1, 1), (2, 2), (1, 1)),
    (1, 9, 7, 7, (3, 3), (1, 1), (1, 1), (1, 1)),
    (1, 9, 7, 7, (3, 3), (2, 2), (1, 1), (1, 1)),
    (2, 3, 28, 28, (7, 7), (1, 1), (3, 3), (1, 1)),
    (2, 3, 11, 35, (3, 3), (2, 2), (0, 0), (1, 1)),
    (1, 2, 13, 150, (3, 5), (1, 1), (1, 2), (1, 1)),
    (1, 2, 13, 151, (5, 3), (2, 2), (2, 1), (1, 1)),
    (2, 3, 17, 19, (3, 3), (1, 1), (2, 2), (2, 2)),
    (2, 3, 17, 19, (3, 4), (1, 2), ((0, 2), (3, 1)), (2, 1)),
    (1, 4, 9, 10, (3, 3), (2, 1), ((2, 0), (0, 2)), (1, 3)),
    (2, 2, 30, 4, (1, 3), (1, 1), (0, 1), (1, 1)),
    (1, 1, 5, 5, (5, 5), (1, 1), (0, 0), (1, 1)),
    (2, 2, 6, 6, (2, 2), (1, 1), (1, 1), (1, 1)),
    (2, 2, 8, 40, (9, 9), (2, 2), (4, 4), (1, 1)),
]


def given(kind: str, case, seed: int = 0):
    """(arrays, params, result's shape)."""
    samples, channels, height, width, kernel, stride, padding, dilation = case
    shapes = ((samples, channels, height, width), (channels, 1, *kernel))
    params = conv_params(stride, padding, dilation, channels)
    shapes, params, out = conv_operands(kind, shapes, params)
    rng = np.random.default_rng(seed)
    return [numbers(rng, s, "float32") for s in shapes], params, out


def is_ours(lowered) -> bool:
    return len(lowered.pieces) == 1 and lowered.pieces[0].kernel.key.startswith("depthwise")


def kinds_of(case) -> tuple[str, ...]:
    return ("conv", "conv_input_grad") if case[5] == (1, 1) else ("conv",)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_values(case):
    for kind in kinds_of(case):
        arrays, params, out = given(kind, case)
        got, lowered = computed(kind, params, arrays, out)
        assert is_ours(lowered)
        check_close(got, kind, params, arrays, "float32")


@pytest.mark.parametrize("bits", [128, 256])
def test_other_widths(bits):
    with vector_bits(bits):
        for case in CASES:
            for kind in kinds_of(case):
                arrays, params, out = given(kind, case)
                got, lowered = computed(kind, params, arrays, out)
                assert is_ours(lowered)
                check_close(got, kind, params, arrays, "float32")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_epilogue_gets_every_element_once(case):
    for kind in kinds_of(case):
        arrays, params, out = given(kind, case)
        check_epilogue(kind, params, [a.shape for a in arrays], out)


def test_results_do_not_depend_on_the_order_of_chunks():
    arrays, params, out = given("conv", (8, 24, 28, 28, (3, 3), (1, 1), (1, 1), (1, 1)))
    runs = [computed("conv", params, arrays, out, seed=seed) for seed in range(4)]
    assert runs[0][1].pieces[0].kernel.chunks > 4
    assert len({got.tobytes() for got, _ in runs}) == 1


def test_strided_operands():
    """Channels, samples and rows may lie anywhere; only columns must be neighbours."""
    arrays, params, out = given("conv", CASES[0])
    x, w = arrays
    wide = np.zeros((x.shape[1], x.shape[0], x.shape[2], 60), np.float32)
    wide[..., 3:59] = x.transpose(1, 0, 2, 3)
    n, rows = x.shape[0], x.shape[2]
    view = View(x.shape, (rows * 60, n * rows * 60, 60, 1), 3)
    turned = np.ascontiguousarray(w.transpose(3, 2, 1, 0))
    weights = View(w.shape, (1, w.shape[0], w.shape[0], 3 * w.shape[0]))
    got, lowered = computed("conv", params, [wide, turned], out, views=[view, weights])
    assert is_ours(lowered)
    check_close(got, "conv", params, arrays, "float32")


def test_what_is_left_to_others():
    for case in [
        (2, 3, 17, 19, (3, 3), (3, 3), (1, 1), (1, 1)),
        (2, 3, 17, 19, (3, 3), (1, 1), ((-1, 2), (1, 1)), (1, 1)),
        (1, 1, 600, 600, (3, 3), (1, 1), (1, 1), (1, 1)),
    ]:
        arrays, params, out = given("conv", case)
        views = [row_major(a.shape) for a in arrays]
        assert not is_ours(lower("conv", params, "float32", *views, out))
        got, _ = computed("conv", params, arrays, out)
        check_close(got, "conv", params, arrays, "float32")
    arrays, params, out = given("conv_input_grad", (2, 3, 9, 9, (3, 3), (2, 2), (1, 1), (1, 1)))
    views = [row_major(a.shape) for a in arrays]
    assert depthwise.fitting("conv_input_grad", params, *views, out) is None
