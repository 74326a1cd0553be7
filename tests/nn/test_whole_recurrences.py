"""Recurrent layers as one operation: second derivatives, autocast, and what is recorded."""

import numpy as np
import pytest

import facula
from facula.runtime.recorder import recorder

torch = pytest.importorskip("torch")


def _layer(t, kind, **options):
    t.manual_seed(0)
    layer = getattr(t.nn, kind)(5, 7, **options)
    return layer, t.randn(4, 6, 5, requires_grad=True)


def _close(ours, theirs, tolerance):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=tolerance, atol=tolerance)


def _second(t, kind, options):
    layer, x = _layer(t, kind, **options)
    output, _ = layer(x)
    (first,) = t.autograd.grad((output**2).mean(), x, create_graph=True)
    (first**2).sum().backward()
    return [first.detach(), x.grad, *[p.grad for p in layer.parameters()]]


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}], ids=str)
def test_second_derivatives(kind, options):
    _close(_second(facula, kind, options), _second(torch, kind, options), 1e-4)


def _halved(t):
    layer, x = _layer(t, "LSTM")
    with t.autocast("cpu"):
        output, _ = layer(x)
    output.float().sum().backward()
    return [output.detach().float(), *[p.grad for p in layer.parameters()]]


def test_autocast_reaches_the_steps():
    layer, x = _layer(facula, "LSTM")
    layer(x)[0].sum().backward()  # what was traced in full precision must not be used
    _close(_halved(facula), _halved(torch), 5e-2)


def test_longer_sequences_are_recorded_in_as_many_calls():
    layer, _ = _layer(facula, "LSTM")
    counts = []
    for length in (3, 30):
        x = facula.randn(length, 2, 5)
        x.sum().item()
        layer(x)
        counts.append(len(recorder.calls))
        recorder.flush()
    assert counts[0] == counts[1]
