"""Convolutions and pooling with random shapes, strides, paddings and dilations against PyTorch."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tests.operators.cases import Case, array


def _numbers(rng, low, high, count):
    return [rng.randint(low, high) for _ in range(count)]


@pytest.mark.parametrize("seed", range(30))
def test_as_pytorch(seed):
    rng = random.Random(seed)
    rank, groups = rng.randint(1, 3), rng.randint(1, 3)
    batch, channels, outputs = (
        rng.randint(1, 3),
        groups * rng.randint(1, 2),
        groups * rng.randint(1, 2),
    )
    stride, dilation = _numbers(rng, 1, 3, rank), _numbers(rng, 1, 2, rank)
    kernel, padding = _numbers(rng, 1, 3, rank), _numbers(rng, 0, 2, rank)
    x = array((batch, channels, *_numbers(rng, 5, 8, rank)))
    weight, bias = array((outputs, channels // groups, *kernel)), array((outputs,))
    Case(
        lambda F, *a: getattr(F, f"conv{rank}d")(*a, stride, padding, dilation, groups),
        x, weight, bias, tolerance=1e-3,
    )()  # fmt: skip
    extra = [rng.randint(0, max(s, d) - 1) for s, d in zip(stride, dilation, strict=True)]
    back = array((channels, outputs // groups, *kernel))
    Case(
        lambda F, *a: getattr(F, f"conv_transpose{rank}d")(
            *a, stride, padding, extra, groups, dilation
        ),
        x, back, bias, tolerance=1e-3,
    )()  # fmt: skip
    window = _numbers(rng, 1, 3, rank)
    edge = [rng.randint(0, k // 2) for k in window]
    ceil = rng.random() < 0.5
    Case(
        lambda F, a: getattr(F, f"max_pool{rank}d")(a, window, stride, edge, dilation, ceil, True),
        np.round(x * 2),
    )()
    Case(lambda F, a: getattr(F, f"avg_pool{rank}d")(a, window, stride, edge, ceil, ceil), x)()
