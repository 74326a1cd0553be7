"""Slices whose starts are numbers of the program are read where they lie, against NumPy."""

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.runtime import plans


@pytest.fixture(autouse=True)
def native(monkeypatch):
    monkeypatch.setattr(flags, "engine", "native")
    plans.forget()
    yield
    plans.forget()


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f")


def kernels() -> list[str]:
    """What the program that ran last is made of."""
    latest = max(plans.known(), key=lambda plan: plan.chosen)
    return [step.kernel.kind for step in latest.executable.plan.steps]


def test_slices_cost_no_copies():
    x = numbers(40, 70)
    a = torch.tensor(x)
    np.testing.assert_array_equal((a[1:] - a[:-1]).numpy(), x[1:] - x[:-1])
    assert kernels() == ["loop"]
    np.testing.assert_allclose(a[:, 3:35:2].sum(0).numpy(), x[:, 3:35:2].sum(0), 1e-5, 1e-5)
    assert kernels() == ["reduce"]

    def mixed(q, k, v):
        return (q * k + v[:, :20]).numpy

    got = mixed(*a.split([20, 20, 30], 1))()
    np.testing.assert_array_equal(got, x[:, :20] * x[:, 20:40] + x[:, 40:60])
    assert kernels() == ["loop"]


def test_one_program_serves_every_place():
    x = numbers(9, 30, 11)
    a = torch.tensor(x)
    for row in range(9):
        for first in (0, 4, 17):
            got = (a[row, first : first + 13].t() * 2 + a[0, 0, 0]).numpy()
            np.testing.assert_array_equal(got, x[row, first : first + 13].T * 2 + x[0, 0, 0])
    assert len(plans.known()) <= 3


def test_slices_of_what_the_program_computes():
    x = numbers(33, 40)
    a = torch.tensor(x)
    b = (a * 2).exp()
    c = torch.softmax(a, 1)
    got = (b[:, 5:20] + c[:, 1:16] * b.reshape(40, 33)[3:36, 2:17]).numpy()
    e, s = np.exp(x * 2), np.exp(x - x.max(1, keepdims=True))
    s /= s.sum(1, keepdims=True)
    np.testing.assert_allclose(got, e[:, 5:20] + s[:, 1:16] * e.reshape(40, 33)[3:36, 2:17], 1e-5)
    np.testing.assert_allclose((a.t()[4:20] @ a[:, 2:9]).numpy(), x.T[4:20] @ x[:, 2:9], 1e-4, 1e-4)
    np.testing.assert_array_equal(a[4:8].sort(1)[0].numpy(), np.sort(x[4:8], 1))


def test_gradients_through_slices():
    x = numbers(20, 24)
    a = torch.tensor(x, requires_grad=True)
    left, right = a.chunk(2, 1)
    (left * right).sum().backward()
    np.testing.assert_array_equal(a.grad.numpy(), np.concatenate([x[:, 12:], x[:, :12]], 1))
    b = torch.tensor(x, requires_grad=True)
    (b[2:, 1:-1] * b[:-2, 2:]).sum().backward()
    wanted = np.zeros_like(x)
    wanted[2:, 1:-1] += x[:-2, 2:]
    wanted[:-2, 2:] += x[2:, 1:-1]
    np.testing.assert_allclose(b.grad.numpy(), wanted, 1e-6)


def test_a_buffer_that_is_written_over_is_read_first():
    x = numbers(50, 64)
    a, wanted = torch.tensor(x), x.copy()
    for _ in range(5):
        a = a * 2 + torch.cat([a[1:], a[:1]])
        a[3:20] = a[4:21] + 1
        wanted = wanted * 2 + np.concatenate([wanted[1:], wanted[:1]])
        wanted[3:20] = wanted[4:21] + 1
    np.testing.assert_allclose(a.numpy(), wanted, 1e-5)


def test_empty_and_whole_slices():
    x = numbers(6, 5)
    a = torch.tensor(x)
    assert (a[3:3] * 2).shape == (0, 5)
    np.testing.assert_array_equal((a[0:6] * 2).numpy(), x * 2)
    np.testing.assert_array_equal((a[-1:, ::4] * 2).numpy(), x[-1:, ::4] * 2)
