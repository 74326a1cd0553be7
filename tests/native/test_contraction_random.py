"""Random contractions: shapes, layouts, dtypes and vector widths that nobody thought of."""

from __future__ import annotations

import random

import numpy as np
import pytest

from facula.graph.primitives import contraction
from tests.native.contraction_cases import (
    check_close,
    computed,
    conv_operands,
    conv_params,
    laid_out,
    numbers,
)  # fmt: skip
from tests.native.widths import vector_bits

SIZES = (1, 2, 3, 5, 8, 13, 16, 17, 31, 32, 33, 48, 64, 65, 100, 130)
KINDS = ("conv", "conv_input_grad", "conv_weight_grad")


def random_matmul(pick: random.Random):
    """(shapes, params, result's shape)."""
    m, k, n = (pick.choice(SIZES) for _ in range(3))
    lead = [pick.choice((1, 2, 3, 5)) for _ in range(pick.choice((0, 0, 1, 2)))]
    a, b = ([pick.choice((1, size)) for size in lead] for _ in range(2))
    b = b[pick.randint(0, len(b)) :]
    shapes = (*a, m, k), (*b, k, n)
    return shapes, {}, (*np.broadcast_shapes(tuple(a), tuple(b)), m, n)


def random_conv(pick: random.Random, kind: str):
    """(shapes, params, result's shape), or None if nothing remains of the input."""
    rank = pick.choice((1, 2, 2, 2, 3))
    groups, inner = pick.choice((1, 1, 1, 2, 4)), pick.choice((1, 1, 2, 3, 8, 16, 17))
    outer = pick.choice((1, 2, 3, 6, 8, 16, 20, 33))
    kernel = [pick.choice((1, 2, 3, 3, 5)) for _ in range(rank)]
    stride = [pick.choice((1, 1, 1, 2, 2, 3)) for _ in range(rank)]
    dilation = [pick.choice((1, 1, 1, 2, 3)) for _ in range(rank)]
    padding = [(pick.choice((0, 1, 2, -1)), pick.choice((0, 1, 3, -1))) for _ in range(rank)]
    sizes = [pick.randint(1, {1: 70, 2: 24, 3: 8}[rank]) for _ in range(rank)]
    if any(n + min(0, low) + min(0, high) < 1 for n, (low, high) in zip(sizes, padding)):
        return None
    params = conv_params(stride, padding, dilation, groups)
    if min(contraction.output_sizes(sizes, kernel, params)) < 1:
        return None
    samples = pick.choice((1, 2, 3, 4, 5, 8, 9, 16))
    case = ((samples, groups * inner, *sizes), (groups * outer, inner, *kernel))
    return conv_operands(kind, case, params)


@pytest.mark.parametrize("seed", range(8))
def test_random_contractions(seed):
    pick, rng = random.Random(seed), np.random.default_rng(seed)
    for _ in range(25):
        kind = pick.choice(("matmul", *KINDS))
        drawn = random_matmul(pick) if kind == "matmul" else random_conv(pick, kind)
        dtype = pick.choice(("float32", "float32", "float32", "float64", "float16", "bfloat16"))
        how = pick.choice(("plain", "plain", "permuted", "flipped"))
        bits = pick.choice((-1, -1, -1, 0, 128, 256))
        if drawn is None:
            continue
        shapes, params, out = drawn
        arrays = [numbers(rng, s, dtype) for s in shapes]
        laid = [laid_out(rng, a, how) for a in arrays]
        with vector_bits(bits):
            buffers, views = [b for b, _ in laid], [v for _, v in laid]
            got, _ = computed(kind, params, buffers, out, dtype, views, seed)
        check_close(got, kind, params, arrays, dtype)
