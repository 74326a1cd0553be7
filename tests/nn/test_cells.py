"""Loops over recurrent cells beside PyTorch's: gradients of all kinds, and the graph's names."""

import numpy as np
import pytest

import facula
from facula.runtime.recorder import recorder
from facula.runtime.tiers import compiling_at_once

torch = pytest.importorskip("torch")

CELLS = [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu", "bias": False}), ("LSTMCell", {}),
         ("LSTMCell", {"bias": False}), ("GRUCell", {}), ("GRUCell", {"bias": False})]  # fmt: skip


def _made(t, kind, options, steps):
    t.manual_seed(0)
    cell = getattr(t.nn, kind)(5, 7, dtype=t.float64, **options)
    return cell, t.randn(steps, 3, 5, dtype=t.float64, requires_grad=True)


def _close(ours, theirs, tolerance=1e-10):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance
        )


def _looped(t, kind, options, steps, second=False, only_last=False):
    """Outputs and gradients of a loop, of which all states or only the last part is used."""
    cell, x = _made(t, kind, options, steps)
    state, seen = None, []
    for now in range(steps):
        state = cell(x[now], state)
        seen.append(state[0] if kind == "LSTMCell" else state)
    loss = (state[1] if kind == "LSTMCell" else state).pow(3).sum()
    if not only_last:
        loss = loss + sum((i + 1) * (h**2).sum() for i, h in enumerate(seen))
    if second:
        (g,) = t.autograd.grad(loss, x, create_graph=True)
        loss = (g**2).sum()
    loss.backward()
    return [*seen, x.grad, *[p.grad for p in cell.parameters()]]


@pytest.mark.parametrize(("kind", "options"), CELLS, ids=str)
@pytest.mark.parametrize("only_last", [False, True])
def test_gradients_of_loops(kind, options, only_last):
    for steps in (2, 4):
        given = (kind, options, steps, False, only_last)
        want = _looped(torch, *given)
        _close(_looped(facula, *given), want)
        with compiling_at_once():
            _close(_looped(facula, *given), want)


@pytest.mark.parametrize(("kind", "options"), CELLS, ids=str)
def test_second_derivatives_of_loops(kind, options):
    given = (kind, options, 3, True)
    _close(_looped(facula, *given), _looped(torch, *given), 1e-9)


@pytest.mark.parametrize(("kind", "options"), CELLS, ids=str)
def test_some_operands_need_no_gradient(kind, options):
    def run(t):
        cell, x = _made(t, kind, options, 2)
        cell.weight_hh.requires_grad_(False)
        x = x.detach()
        state = cell(x[1], cell(x[0]))
        (state[0] if kind == "LSTMCell" else state).sum().backward()
        return [cell.weight_ih.grad]

    _close(run(facula), run(torch))


@pytest.mark.parametrize(("kind", "options"), CELLS, ids=str)
def test_names_of_the_graph(kind, options):
    def run(t):
        cell, x = _made(t, kind, options, 1)
        state = cell(x[0])
        return [type(s.grad_fn).__name__ for s in (state if kind == "LSTMCell" else (state,))]

    assert run(facula) == run(torch)


def test_autocast_reaches_the_products():
    def run(t):
        t.manual_seed(0)
        cell, x = t.nn.LSTMCell(5, 7), t.randn(3, 5)
        with t.autocast("cpu"):
            h, c = cell(x)
        return h, c

    ours, theirs = run(facula), run(torch)
    assert [str(s.dtype) for s in ours] == [str(s.dtype) for s in theirs]
    _close([s.float() for s in ours], [s.float() for s in theirs], 2e-2)


def test_a_step_is_a_few_operations():
    cell, x = _made(facula, "LSTMCell", {}, 2)
    state = cell(x[0])
    recorder.flush()
    cell(x[1], state)
    assert len(recorder.calls) <= 4
    recorder.flush()
