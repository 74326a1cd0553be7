"""Attention's kernels beside their definition: any sizes, strides, masks and vector widths."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.native import structured
from facula.engines.native.views import View, row_major
from facula.graph.primitive import TABLE
from facula.graph.primitives.attention import Sizes
from tests.native.kernel_runs import run_pieces
from tests.native.structured_cases import WIDTHS
from tests.native.widths import vector_bits

FORWARD, BACKWARD = TABLE["attention"], TABLE["attention_grad"]
LIMITS = {"float32": 3e-6, "float64": 1e-14}
# (batch, heads, queries, keys, width, depth)
SIZES = [
    (2, 2, 64, 64, 32, 32),
    (1, 3, 17, 40, 20, 7),
    (2, 1, 33, 16, 1, 50),
    (1, 1, 8, 1, 3, 3),
    (1, 2, 100, 131, 16, 80),
    (1, 1, 50, 50, 130, 130),
]


def _strided(rng, sizes: Sizes, own):
    """Queries, keys and values as parts of one array each, heads after rows, and their views."""
    arrays, views = [], []
    for rows, width in ((sizes.queries, sizes.width), (sizes.keys, sizes.width),
                        (sizes.keys, sizes.depth)):  # fmt: skip
        whole = rng.normal(size=(sizes.batch, rows, 2, sizes.heads, width)).astype(own.numpy)
        line = 2 * sizes.heads * width
        shape = (sizes.batch, sizes.heads, rows, width)
        views.append(View(shape, (rows * line, width, line, 1), sizes.heads * width))
        arrays.append((whole, np.swapaxes(whole[:, :, 1], 1, 2)))
    return arrays, views


def _close(got, want, own, scale=1.0):
    limit = LIMITS[own.name] * scale * max(1.0, np.abs(want[np.isfinite(want)]).max())
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_allclose(got, want, 0, limit)


def _run(name, params, given, views, shape, own, seed):
    lowered = structured.lower_attention(name, params, views, own)
    assert lowered is not None
    return run_pieces(lowered, given, shape, own.numpy, seed)[0]


def _check(numbers, own=dtypes.float32, causal=False, mask=None, scale=0.3, seed=0):
    """Both kernels beside their definitions in double precision."""
    rng, sizes = np.random.default_rng(seed), Sizes(*numbers)
    arrays, views = _strided(rng, sizes, own)
    wholes, parts = [a for a, _ in arrays], [b.astype(np.float64) for _, b in arrays]
    masks = [] if mask is None else [mask(rng, sizes).astype(own.numpy)]
    views += [row_major(m.shape) for m in masks]
    params = {"scale": scale, "causal": causal}
    doubles = [m.astype(np.float64) for m in masks]
    memory = FORWARD.reference({**params, "keep": True}, *parts, *doubles)
    given = [*wholes, *masks]
    _close(
        _run("attention", {**params, "keep": True}, given, views, memory.shape, own, seed),
        memory, own,
    )  # fmt: skip
    short = memory[: sizes.outputs]
    _close(
        _run("attention", {**params, "keep": False}, given, views, short.shape, own, seed),
        short, own,
    )  # fmt: skip
    grad = rng.normal(size=(sizes.batch, sizes.heads, sizes.queries, sizes.depth))
    want = BACKWARD.reference(params, memory, *parts, grad, *doubles)
    given = [memory.astype(own.numpy), *wholes, grad.astype(own.numpy), *masks]
    views = [row_major(memory.shape), *views[:3], row_major(grad.shape), *views[3:]]
    got = _run("attention_grad", params, given, views, want.shape, own, seed)
    _close(got, want, own, 4)


@pytest.mark.parametrize("own", [dtypes.float32, dtypes.float64], ids=repr)
@pytest.mark.parametrize("causal", [False, True])
def test_any_sizes(causal, own):
    for seed, numbers in enumerate(SIZES):
        _check(numbers, own, causal, seed=seed)


def _dead(rng, s: Sizes):
    """Some keys for some queries; one query has none."""
    mask = np.where(rng.uniform(size=(s.batch, s.heads, s.keys, s.queries)) > 0.5, 0, -np.inf)
    mask[0, 0, :, 5] = -np.inf
    return mask


MASKS = {
    "numbers": lambda rng, s: rng.normal(size=(s.batch, s.heads, s.keys, s.queries)),
    "dead": _dead,
    "same for all heads": lambda rng, s: rng.normal(size=(s.batch, 1, s.keys, s.queries)),
    "padding": lambda rng, s: np.where(
        np.arange(s.keys)[:, None] < rng.integers(1, s.keys, (s.batch, 1, 1, 1)), 0, -np.inf
    ),
    "same for all keys": lambda rng, s: rng.normal(size=(1, s.heads, 1, s.queries)),
}


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_masks(name, causal):
    for seed, numbers in enumerate([(2, 2, 20, 33, 16, 24), (1, 2, 96, 70, 8, 8)]):
        _check(numbers, dtypes.float32, causal, MASKS[name], seed=seed)


@pytest.mark.parametrize("causal", [False, True])
def test_few_heads_share_out_their_keys(causal):
    for numbers in [(1, 1, 300, 300, 8, 8), (1, 2, 40, 700, 5, 3), (2, 1, 130, 517, 16, 16)]:
        _check(numbers, dtypes.float32, causal, MASKS["padding"], scale=0.2)


def test_the_same_bits_however_chunks_are_shared():
    rng, own = np.random.default_rng(0), dtypes.float32
    arrays = [rng.normal(size=(1, 2, 270, 12)).astype(np.float32) for _ in range(4)]
    views = [row_major(a.shape) for a in arrays]
    params = {"scale": 0.3, "causal": True, "keep": True}
    shape = (2 * 270 * 13,)
    first, second = [
        _run("attention", params, arrays[:3], views[:3], shape, own, seed) for seed in (1, 2)
    ]
    assert first.tobytes() == second.tobytes()
    given, views = [first, *arrays], [row_major(shape), *views]
    shape = (3 * 2 * 270 * 12,)
    first, second = [
        _run("attention_grad", params, given, views, shape, own, seed) for seed in (1, 2)
    ]
    assert first.tobytes() == second.tobytes()


@pytest.mark.parametrize("bits", WIDTHS)
def test_vectors_of_any_width(bits):
    with vector_bits(bits):
        for numbers in SIZES[1:3]:
            _check(numbers, dtypes.float32, bits in (0, 256), MASKS["dead"], seed=bits)


def test_large_and_negative_scales():
    _check((1, 1, 20, 30, 8, 8), dtypes.float64, scale=-2.0)
    _check((1, 1, 20, 30, 8, 8), dtypes.float64, scale=40.0)


def test_what_is_not_for_the_kernels_is_left_to_the_definition():
    views = [row_major((1, 1, 8, 4))] * 3
    params = {"scale": 1.0, "causal": False, "keep": False}
    assert structured.lower_attention("attention", params, views, dtypes.float16) is None
    apart = View((1, 1, 8, 4), (32, 32, 1, 8))
    assert (
        structured.lower_attention("attention", params, [apart, *views[1:]], dtypes.float32) is None
    )
