"""Contractions of 16-bit floats: pairs of bfloat16, halves made floats, and what follows them."""

from __future__ import annotations

import random

import numpy as np
import pytest

import facula
from facula.base.flags import flags
from facula.engines.native import jit
from facula.engines.native.contraction.conversion import PAIRS, Conversion, multiplies_pairs
from facula.engines.native.contraction.lower import ways
from facula.engines.native.kernel import Lowered, Piece, given, result
from facula.engines.native.views import View
from facula.engines.reference.bfloat16 import round_to_bfloat16
from tests.native.contraction_cases import (
    CONVS,
    MATMULS,
    NUMPY,
    broadcast_shape,
    check_close,
    conv_operands,
    conv_params,
    laid_out,
    numbers,
)  # fmt: skip
from tests.native.kernel_runs import run_pieces
from tests.native.test_contraction_random import random_conv, random_matmul
from tests.native.widths import vector_bits

KINDS = ("conv", "conv_input_grad", "conv_weight_grad")


def check_all_ways(kind, params, shapes, out, dtype, how="plain", seed=0) -> int:
    """Every way there is gives the sums; how many there are."""
    rng = np.random.default_rng(seed)
    arrays = [numbers(rng, s, dtype) for s in shapes]
    laid = [laid_out(rng, a, how) for a in arrays]
    found = ways(kind, params, dtype, *[view for _, view in laid], out)
    for lowered in found:
        buffers = [buffer for buffer, _ in laid]
        got, _ = run_pieces(lowered, buffers, out, np.dtype(NUMPY[dtype]), seed)
        if dtype == "bfloat16":
            assert np.array_equal(round_to_bfloat16(got), got)
        check_close(got, kind, params, arrays, dtype)
    return len(found)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("case", CONVS, ids=str)
def test_convolutions(case, dtype):
    for kind in KINDS:
        shapes, params, out = conv_operands(kind, case, conv_params(*case[2:]))
        check_all_ways(kind, params, shapes, out, dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_large_convolutions(kind):
    """Large enough for Winograd's method, whose results are rounded too."""
    case = ((4, 64, 14, 14), (64, 64, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    shapes, params, out = conv_operands(kind, case, conv_params(*case[2:]))
    check_all_ways(kind, params, shapes, out, "bfloat16")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("how", ["plain", "permuted", "flipped"])
def test_matrix_products(how, dtype):
    for seed, (a, b) in enumerate(MATMULS[:-1]):
        check_all_ways("matmul", {}, (a, b), broadcast_shape(a, b), dtype, how, seed)


@pytest.mark.parametrize("seed", range(4))
def test_random_contractions(seed):
    pick, several = random.Random(seed), 0
    for number in range(25):
        kind = pick.choice(("matmul", *KINDS))
        drawn = random_matmul(pick) if kind == "matmul" else random_conv(pick, kind)
        dtype, how = pick.choice(("float16", "bfloat16")), pick.choice(("plain", "permuted"))
        if drawn is not None:
            shapes, params, out = drawn
            several += check_all_ways(kind, params, shapes, out, dtype, how, number) > 1
    assert several > 5 or not multiplies_pairs()


def test_only_some_cpus_multiply_pairs():
    a, b = View((64, 64), (64, 1)), View((64, 64), (64, 1))
    for bits in (0, 128, 256):
        with vector_bits(bits):
            assert len(ways("matmul", {}, "bfloat16", a, b, (64, 64))) == 1


def paired(values: np.ndarray, axis: int) -> np.ndarray:
    """The definition: upper halves of neighbours, a missing one is 0."""
    bits = np.moveaxis(values, axis, -1).copy().view(np.uint32) >> 16
    if bits.shape[-1] % 2:
        bits = np.concatenate((bits, np.zeros_like(bits[..., :1])), axis=-1)
    return np.moveaxis(bits[..., 0::2] | bits[..., 1::2] << 16, -1, axis).view(np.int32)


def test_pairs_of_views():
    rng = np.random.default_rng(5)
    for shape in [(7, 9), (2, 33), (70, 3), (3, 5, 40), (4, 17, 2, 3), (2, 64, 5, 1), (40,)]:
        for axis in range(len(shape)):
            for how in ("plain", "permuted"):
                values = numbers(rng, shape, "bfloat16")
                buffer, view = laid_out(rng, values, how)
                found = Conversion.of(view, axis, "float")
                if shape[axis] < 2:
                    assert found is None
                    continue
                conversion, made = found
                lowered = Lowered([Piece(conversion.kernel(), (given(0), result()), (1,))])
                expected = paired(values, axis)
                got, _ = run_pieces(
                    lowered, [buffer], (conversion.elements,), np.dtype(np.int32), 0
                )
                strides = [4 * s for s in made.strides]
                seen = np.lib.stride_tricks.as_strided(got, made.shape, strides)
                assert conversion.made == PAIRS and np.array_equal(seen, expected), (shape, axis)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_follows_sees_rounded_sums(dtype, monkeypatch):
    """A fused reader of a product reads what memory would have held."""
    monkeypatch.setattr(flags, "engine", "native")
    kind = getattr(facula, dtype)
    a = facula.randn(40, 64).to(kind)
    b = facula.randn(64, 50).to(kind)
    image, weight = facula.randn(2, 8, 9, 9).to(kind), facula.randn(6, 8, 3, 3).to(kind)
    for made in ((a @ b), facula.nn.functional.conv2d(image, weight)):
        values = made.double().numpy()
        again = facula.tensor(values).to(kind).double().numpy()
        assert np.array_equal(values, again)


def test_large_products_use_pairs():
    if not multiplies_pairs():
        pytest.skip("the CPU does not multiply pairs of bfloat16")
    view = View((512, 512), (512, 1))
    plain, pairs = ways("matmul", {}, "bfloat16", view, view, (512, 512))
    cost = [sum([piece.kernel.cost for piece in way.pieces]) for way in (plain, pairs)]
    assert cost[1] < 0.7 * cost[0]
    assert any("dpbf16ps" in piece.kernel.emit("k") for piece in pairs.pieces)
    assert len(jit.load([piece.kernel for piece in pairs.pieces])) == len(pairs.pieces)
