"""Matrix products and convolutions of the native engine, beside sums in float64."""

from __future__ import annotations

import numpy as np
import pytest

from tests.native.contraction_cases import (
    CONVS,
    MATMULS,
    broadcast_shape,
    check_close,
    computed,
    conv_operands,
    conv_params,
    laid_out,
    numbers,
)  # fmt: skip
from tests.native.widths import vector_bits

KINDS = ("conv", "conv_input_grad", "conv_weight_grad")
DTYPES = ("float32", "float64", "float16", "bfloat16")
WIDTHS = (0, 128, 256, 512)


def run_conv(kind: str, case, dtype="float32", how="plain", seed=0):
    rng = np.random.default_rng(seed)
    shapes, params, out = conv_operands(kind, case, conv_params(*case[2:]))
    arrays = [numbers(rng, s, dtype) for s in shapes]
    laid = [laid_out(rng, a, how) for a in arrays]
    got, _ = computed(kind, params, [b for b, _ in laid], out, dtype, [v for _, v in laid], seed)
    check_close(got, kind, params, arrays, dtype)


def run_matmul(a, b, dtype="float32", how="plain", seed=0):
    rng = np.random.default_rng(seed)
    arrays = [numbers(rng, a, dtype), numbers(rng, b, dtype)]
    laid = [laid_out(rng, x, how) for x in arrays]
    out = broadcast_shape(a, b)
    got, _ = computed("matmul", {}, [x for x, _ in laid], out, dtype, [v for _, v in laid], seed)
    check_close(got, "matmul", {}, arrays, dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CONVS, ids=str)
def test_convolutions(kind, case):
    run_conv(kind, case)


@pytest.mark.parametrize("a, b", MATMULS, ids=str)
def test_matrix_products(a, b):
    run_matmul(a, b)


@pytest.mark.parametrize("how", ["permuted", "flipped"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CONVS[::3], ids=str)
def test_convolutions_of_views(kind, case, how):
    run_conv(kind, case, how=how, seed=3)


@pytest.mark.parametrize("how", ["permuted", "flipped"])
@pytest.mark.parametrize("a, b", MATMULS[:-1], ids=str)
def test_matrix_products_of_views(a, b, how):
    for seed in (1, 2):
        run_matmul(a, b, how=how, seed=seed)


@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.parametrize("case", CONVS[1::4], ids=str)
def test_convolutions_of_other_floats(case, dtype):
    for kind in KINDS:
        run_conv(kind, case, dtype)


@pytest.mark.parametrize("dtype", DTYPES[1:])
@pytest.mark.parametrize("a, b", MATMULS[::2], ids=str)
def test_matrix_products_of_other_floats(a, b, dtype):
    run_matmul(a, b, dtype)
    run_matmul(a, b, dtype, "permuted")


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("case", [CONVS[i] for i in (1, 3, 4, 8, 10, 19)], ids=str)
def test_every_vector_width_in_convolutions(case, bits):
    with vector_bits(bits):
        for kind in KINDS:
            run_conv(kind, case)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("a, b", MATMULS[1::3], ids=str)
def test_every_vector_width_in_matrix_products(a, b, bits):
    with vector_bits(bits):
        run_matmul(a, b)
        run_matmul(a, b, "float16", "permuted")
