"""Windows: maxima, their places, sums and both gradients, beside the definitions."""

from __future__ import annotations

import numpy as np
import pytest

from facula.base import dtypes
from facula.engines.native import structured
from facula.graph.primitive import TABLE
from facula.graph.spec import spec
from tests.native.kernel_runs import run_pieces
from tests.native.structured_cases import (
    FLOATS,
    NUMBERS,
    WIDTHS,
    check,
    values,
    with_odd_values,
)  # fmt: skip
from tests.native.widths import vector_bits

# (lead, sizes, kernel, stride, padding, dilation)
GEOMETRIES = [
    ((2, 3), (28, 28), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((2, 3), (10, 10), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((2,), (9, 11), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((2,), (37,), (3,), (1,), (1,), (2,)),
    ((), (130,), (2,), (2,), (1,), (1,)),
    ((2,), (5, 6, 67), (2, 3, 3), (1, 2, 3), (1, 1, 1), (1, 1, 2)),
    ((2,), (40, 41), (5, 7), (4, 4), (2, 3), (1, 1)),
    ((1,), (40, 41), (5, 7), (6, 7), (2, 3), (1, 1)),
    ((1,), (30, 60), (9, 9), (2, 3), (4, 4), (1, 1)),
    ((2,), (8, 8), (8, 8), (8, 8), (0, 0), (1, 1)),
    ((2,), (13, 115), (2, 2), (3, 3), (1, 1), (1, 1)),
    ((1,), (12, 150), (3, 4), (3, 4), (1, 2), (1, 1)),
    ((3,), (7, 9, 34), (2, 2, 2), (2, 2, 2), (1, 0, 1), (1, 1, 1)),
    ((0, 2), (6, 6), (2, 2), (2, 2), (0, 0), (1, 1)),
    ((5,), (7, 7), (7, 7), (7, 7), (0, 0), (1, 1)),
    ((2, 20), (3, 3), (3, 3), (1, 1), (0, 0), (1, 1)),
    ((3,), (130,), (130,), (1,), (0,), (1,)),
]
SOME = [GEOMETRIES[i] for i in (1, 2, 5)]


def parameters(case) -> dict:
    _, sizes, kernel, stride, padding, dilation = case
    out = tuple(
        [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True)
        ]
    )
    pairs = tuple([(p, p) for p in padding])
    return {
        "kernel": kernel, "stride": stride, "padding": pairs, "dilation": dilation, "out": out
    }  # fmt: skip


def check_forward(case, own, seed=0):
    rng = np.random.default_rng(seed)
    params = parameters(case)
    x = values(rng, case[0] + case[1], own)
    odd = with_odd_values(rng, x)
    check("window_max", params, [odd], [own], seed, exact=True)
    check("window_argmax", params, [odd], [own], seed)
    check("window_sum", params, [x], [own], seed)
    g = values(rng, case[0] + params["out"], own)
    check("window_spread", {**params, "sizes": case[1]}, [g], [own], seed)


@pytest.mark.parametrize("case", GEOMETRIES, ids=repr)
def test_windows_are_what_they_are_defined_to_be(case):
    check_forward(case, dtypes.float32)


@pytest.mark.parametrize("own", NUMBERS[1:], ids=repr)
def test_windows_of_every_dtype(own):
    for case in SOME:
        check_forward(case, own)


@pytest.mark.parametrize("bits", WIDTHS)
def test_windows_with_vectors_of_any_width(bits):
    with vector_bits(bits):
        for seed, case in enumerate(GEOMETRIES[::2]):
            check_forward(case, (dtypes.float32, dtypes.float16, dtypes.int64)[seed % 3], seed)


def maxima_gradient(params, x, g, relu):
    """By the definitions of the two primitives that PyTorch's gradient is composed of."""
    rank = len(params["out"])
    lead = int(np.prod(x.shape[: x.ndim - rank]))
    index = TABLE["window_argmax"].reference(params, x).reshape(lead, int(np.prod(params["out"])))
    zeros = np.zeros((lead, int(np.prod(x.shape[x.ndim - rank :]))), np.float64)
    mode = {"axis": 1, "mode": "add"}
    wide = g.reshape(index.shape).astype(np.float64)
    dx = TABLE["scatter"].reference(mode, zeros, index, wide).reshape(x.shape)
    return np.where(x <= 0, 0, dx) if relu else dx


def check_gradient(case, own, relu, seed=0):
    rng = np.random.default_rng(seed)
    params = parameters(case)
    x = values(rng, case[0] + case[1], own)
    x = np.maximum(x, 0) if relu else with_odd_values(rng, x)
    g = values(rng, case[0] + params["out"], own)
    lowered = structured.lower_max_pool_grad(params, spec(x.shape, own), spec(g.shape, own), relu)
    assert lowered is not None
    got, _ = run_pieces(lowered, [x, g], x.shape, own.numpy, seed)
    want = maxima_gradient(params, x, g, relu)
    np.testing.assert_allclose(got.astype(np.float64), want, 1e-2, 1e-2 if own.digits < 24 else 0)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("case", GEOMETRIES, ids=repr)
def test_gradient_of_max_pooling(case, relu):
    check_gradient(case, dtypes.float32, relu)


@pytest.mark.parametrize("own", FLOATS[1:], ids=repr)
def test_gradient_of_max_pooling_of_every_dtype(own):
    for relu, case in enumerate(SOME):
        check_gradient(case, own, bool(relu % 2))


@pytest.mark.parametrize("bits", WIDTHS)
def test_gradient_of_max_pooling_with_vectors_of_any_width(bits):
    with vector_bits(bits):
        for seed, case in enumerate(GEOMETRIES[::2]):
            check_gradient(case, dtypes.float32, seed % 2 == 1, seed)


@pytest.mark.parametrize("own", FLOATS, ids=repr)
def test_gradient_beside_pytorch(own):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(7)
    params = parameters(((2, 3), (17, 18), (3, 3), (2, 2), (1, 1), (1, 1)))
    x = rng.normal(size=(2, 3, 17, 18)).astype(np.float32).astype(own.numpy)
    if own is dtypes.bfloat16:
        x = torch.from_numpy(x).bfloat16().float().numpy()
    g = np.ones((2, 3, *params["out"]), own.numpy)
    lowered = structured.lower_max_pool_grad(params, spec(x.shape, own), spec(g.shape, own), False)
    got, _ = run_pieces(lowered, [x, g], x.shape, own.numpy)
    t = torch.from_numpy(x).requires_grad_()
    torch.nn.functional.max_pool2d(t, 3, 2, 1).backward(torch.from_numpy(g))
    np.testing.assert_array_equal(got, t.grad.numpy())
