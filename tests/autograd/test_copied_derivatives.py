"""Graphs that never repeat: the rule of an operation runs once, its gradients stay right."""

import numpy as np
import pytest

import facula
from facula.operators import pullback


def _chain(depth, x):
    for i in range(depth):
        x = facula.tanh(x * (i + 1.0)) if i % 2 else x - x.sin() * 0.5
    return x.sum()


def _expected(depth, x):
    """d(sum)/dx in float64, by the chain rule."""
    slope = np.ones_like(x)
    for i in range(depth):
        if i % 2:
            x = np.tanh(x * (i + 1.0))
            slope = slope * (1 - x * x) * (i + 1.0)
        else:
            slope, x = slope * (1 - 0.5 * np.cos(x)), x - 0.5 * np.sin(x)
    return slope


@pytest.fixture
def rules_run(monkeypatch):
    ran = []
    known = pullback.gradients

    def counted(call, gs, saved):
        ran.append(call.name)
        return known(call, gs, saved)

    monkeypatch.setattr(pullback, "gradients", counted)
    return ran


def test_every_depth_is_another_graph_of_the_same_operations(rules_run):
    array = np.linspace(0.5, 2.0, 11)
    for depth in range(2, 9):
        x = facula.tensor(array, requires_grad=True)
        if depth == 4:
            rules_run.clear()
        _chain(depth, x).backward()
        np.testing.assert_allclose(x.grad.numpy(), _expected(depth, array), rtol=1e-9)
    assert not rules_run  # all were copied from the first graphs


def test_outputs_without_a_gradient_are_zeros_where_the_rule_wants_them():
    """Which results have a gradient decides between derivatives of one kind of call."""
    array = np.array([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])
    for extra in range(3):
        x = facula.tensor(array, requires_grad=True)
        values, _ = x.sort(1)
        first, second = values.unbind(0)
        loss = (first * (extra + 1.0)).sum() if extra != 1 else second.sum()
        for _ in range(extra):
            loss = loss * 1.0
        loss.backward()
        expected = np.zeros((2, 3))
        expected[1 if extra == 1 else 0] = 1.0 if extra == 1 else extra + 1.0
        np.testing.assert_array_equal(x.grad.numpy(), expected)
