"""Rows of every length and layout against NumPy in float64; what forward kernels store."""

import math

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.runtime import plans

LENGTHS = [1, 2, 7, 15, 16, 17, 31, 33, 64, 65, 100, 127, 128, 129, 200]
ROWS = [1, 2, 3, 5, 8, 12]


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(flags, "engine", "native")
    plans.forget()
    yield
    plans.forget()


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
def test_softmax_and_moments_of_rows(length, kind):
    tolerance = {"float32": 2e-6, "float64": 1e-14, "float16": 2e-3}[kind]
    for rows in ROWS:
        array = numbers(rows, length, seed=rows).astype(kind)
        x, exact = torch.tensor(array), array.astype(np.float64)
        e = np.exp(exact - exact.max(1, keepdims=True))
        got = torch.softmax(x, 1).numpy()
        np.testing.assert_allclose(got, e / e.sum(1, keepdims=True), tolerance, tolerance)
        got = (x - x.mean(1, keepdim=True)).numpy()
        wanted = exact - exact.mean(1, keepdims=True)
        np.testing.assert_allclose(got, wanted, tolerance, 4 * tolerance)
        np.testing.assert_array_equal(x.amax(1).numpy(), array.max(1))
        np.testing.assert_array_equal((x * 2).amin(1).numpy(), (array * 2).min(1))


@pytest.mark.parametrize("kind", ["int32", "uint8", "bool"])
def test_whole_numbers_in_short_rows(kind):
    array = (numbers(6, 77) * 5).astype(np.int64).astype(kind)
    x = torch.tensor(array)
    np.testing.assert_array_equal(x.sum(1).numpy(), array.sum(1, dtype=np.int64))
    np.testing.assert_array_equal(x.amax(1).numpy(), array.max(1))


def test_nan_wins_in_short_rows():
    array = numbers(4, 40).astype("f")
    array[2, 39] = np.nan
    assert np.isnan(torch.tensor(array).amax(1).numpy()).tolist() == [False, False, True, False]


@pytest.mark.parametrize("shape", [(3, 5, 7), (8, 64, 32), (2, 200, 16), (4, 1, 130)])
def test_sums_of_columns_with_one_number_for_each_row(shape):
    a, b = numbers(*shape, seed=1).astype("f"), numbers(*shape, seed=2).astype("f")
    mean = b.mean(2, keepdims=True)
    ours = (torch.tensor(a) * (torch.tensor(b) - torch.tensor(mean))).sum((0, 1)).numpy()
    exact = (a.astype(np.float64) * (b.astype(np.float64) - mean)).sum((0, 1))
    np.testing.assert_allclose(ours, exact, 1e-5, 1e-4)


@pytest.mark.parametrize("divisor", [0.25, 2.0, -8.0, 3.0, 128.0, 2.0**20, 0.0])
def test_division_by_a_constant_is_exact(divisor):
    array = np.array([0.0, -0.0, 1.0, 3.5, 1e-45, 1.1754942e-38, 3e38, np.inf, np.nan], "f")
    with np.errstate(all="ignore"):
        wanted = np.tile(array, 5) / np.float32(divisor)
    np.testing.assert_array_equal((torch.tensor(np.tile(array, 5)) / divisor).numpy(), wanted)


def step_of(activation):
    """One training step of two layers, and the gradient it leaves on the first."""
    w = torch.tensor(numbers(32, 48, seed=3).astype("f") / 6, requires_grad=True)
    b = torch.tensor(numbers(48, seed=4).astype("f"), requires_grad=True)
    v = torch.tensor(numbers(48, 8, seed=5).astype("f") / 6, requires_grad=True)
    x = torch.tensor(numbers(64, 32, seed=6).astype("f"))
    for tensor in (w, b, v, x):
        tensor.tolist()
    plans.forget()
    (activation(x @ w + b) @ v).sum().backward()
    gradients = [t.grad.numpy() for t in (w, b, v)]
    (plan,) = plans.known()
    return gradients, [t.detach().numpy() for t in (x, w, b, v)], plan.executable.plan


def test_the_forward_kernel_stores_the_derivative_of_gelu():
    """Two results instead of three: neither the sums nor the distribution function are kept."""
    gradients, (x, w, b, v), plan = step_of(torch.nn.functional.gelu)
    forward = next(s for s in plan.steps if any(n.primitive.name == "erf" for n in s.nodes)
                   or "'erf'" in s.kernel.key)  # fmt: skip
    assert forward.kernel.kind == "contraction"
    assert len(forward.writes) == 2 and "'exp'" in forward.kernel.key
    assert sum("'exp'" in s.kernel.key or "'erf'" in s.kernel.key for s in plan.steps) == 1
    z = x.astype(np.float64) @ w + b
    cdf = 0.5 * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))
    slope = cdf + z * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    g = np.ones((64, 8)) @ v.T * slope
    for ours, exact in zip(gradients, (x.T @ g, g.sum(0), (z * cdf).T @ np.ones((64, 8)))):
        np.testing.assert_allclose(ours, exact, 1e-4, 1e-4)


def test_what_is_cheap_is_still_computed_again():
    """A rectifier's gradient needs its result alone."""
    _, _, plan = step_of(torch.relu)
    assert len(plan.steps[0].writes) == 1
