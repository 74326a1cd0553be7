"""Recurrent layers in one operation: gradients beside PyTorch's, interpreted and compiled."""

import numpy as np
import pytest

import facula
from facula.runtime.tiers import compiling_at_once

torch = pytest.importorskip("torch")

KINDS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "bias": False}),
    ("LSTM", {}),
    ("LSTM", {"bias": False, "bidirectional": True}),
    ("LSTM", {"num_layers": 2, "batch_first": True}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {"bidirectional": True}),
    ("GRU", {"bias": False, "num_layers": 2}),
]


def _layer(t, kind, options, dtype="float32"):
    t.manual_seed(0)
    layer = getattr(t.nn, kind)(5, 19, dtype=getattr(t, dtype), **options)
    return layer, t.randn(7, 11, 5, dtype=getattr(t, dtype), requires_grad=True)


def _state(t, layer, x, requires_grad=True):
    directions = 2 if layer.bidirectional else 1
    batch = x.size(0) if layer.batch_first else x.size(1)
    widths = [layer.proj_size or layer.hidden_size]
    if layer.mode == "LSTM":
        widths.append(layer.hidden_size)
    made = tuple(
        t.randn(layer.num_layers * directions, batch, n, dtype=x.dtype, requires_grad=requires_grad)
        for n in widths
    )
    return made if len(made) > 1 else made[0]


def _as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


def _close(ours, theirs, tolerance=1e-4):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(
            a.detach().numpy(), b.detach().numpy(), rtol=tolerance, atol=tolerance
        )


def _everything(t, kind, options, dtype="float32"):
    """Outputs, last states, and the gradients of all that has one."""
    layer, x = _layer(t, kind, options, dtype)
    first = _state(t, layer, x)
    output, last = layer(x, first)
    loss = (output**2).sum()
    for i, state in enumerate(_as_list(last)):
        loss = loss + (i + 1) * (state**3).sum()
    loss.backward()
    leaves = [x, *_as_list(first), *layer.parameters()]
    return [output, *_as_list(last), *[leaf.grad for leaf in leaves]]


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients(kind, options, dtype):
    want = _everything(torch, kind, options, dtype)
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    _close(_everything(facula, kind, options, dtype), want, tolerance)
    with compiling_at_once():
        _close(_everything(facula, kind, options, dtype), want, tolerance)


def _from_zeros(t, kind, options, steps, batch, second):
    """No first states; few rows, whose input is multiplied apart, and many."""
    layer, x = _layer(t, kind, options, "float64")
    x = x[:steps, :batch].detach().requires_grad_(True)
    output, last = layer(x)
    loss = (output**2).sum()
    for i, state in enumerate(_as_list(last)):
        loss = loss + (i + 1) * (state**3).sum()
    if second:
        (g,) = t.autograd.grad(loss, x, create_graph=True)
        loss = (g**2).sum()
    loss.backward()
    return [output, *_as_list(last), x.grad, *[p.grad for p in layer.parameters()]]


@pytest.mark.parametrize(("kind", "options"), KINDS, ids=str)
@pytest.mark.parametrize(("steps", "batch"), [(1, 2), (1, 9), (5, 3), (6, 11)])
def test_states_of_zeros(kind, options, steps, batch):
    if options.get("batch_first"):
        steps, batch = batch, steps
    given = (kind, options, steps, batch)
    want = _from_zeros(torch, *given, False)
    _close(_from_zeros(facula, *given, False), want, 1e-9)
    with compiling_at_once():
        _close(_from_zeros(facula, *given, False), want, 1e-9)
    _close(_from_zeros(facula, *given, True), _from_zeros(torch, *given, True), 1e-8)


def _packed(t, kind, options, dtype, lengths, second=False):
    layer, x = _layer(t, kind, options, dtype)
    rnn = t.nn.utils.rnn
    x = x[:, :4].detach().requires_grad_(True)
    packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    first = _state(t, layer, x)
    output, last = layer(packed, first)
    padded, _ = rnn.pad_packed_sequence(output)
    loss = (padded**2).sum()
    for i, state in enumerate(_as_list(last)):
        loss = loss + (i + 1) * (state**3).sum()
    if second:
        (g,) = t.autograd.grad(loss, x, create_graph=True)
        loss = (g**2).sum()
    loss.backward()
    leaves = [x, *_as_list(first), *layer.parameters()]
    return [output.data, *_as_list(last), *[leaf.grad for leaf in leaves]]


PACKED = [("RNN", {"bidirectional": True}), ("LSTM", {"bidirectional": True, "num_layers": 2}),
          ("GRU", {"bias": False}), ("LSTM", {"proj_size": 3})]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), PACKED, ids=str)
def test_packed_sequences(kind, options):
    for lengths in ([7, 3, 5, 1], [2, 6, 6, 4]):
        given = (kind, options, "float64", lengths)
        want = _packed(torch, *given)
        _close(_packed(facula, *given), want, 1e-8)
        with compiling_at_once():
            _close(_packed(facula, *given), want, 1e-8)


@pytest.mark.parametrize(("kind", "options"), PACKED[1:3], ids=str)
def test_second_derivatives_of_packed_sequences(kind, options):
    given = (kind, options, "float64", [2, 7, 6, 4], True)
    _close(_packed(facula, *given), _packed(torch, *given), 1e-8)


def _parts(t, kind):
    """Only some results used, some operands without gradients, a program that ends in between."""
    layer, x = _layer(t, kind, {})
    layer.weight_hh_l0.requires_grad_(False)
    state = _state(t, layer, x, requires_grad=False)
    _, last = layer(x, state)
    loss = _as_list(last)[-1].sum()
    loss.item()
    loss.backward(retain_graph=True)
    loss.backward()
    assert layer.weight_hh_l0.grad is None
    with t.no_grad():
        output, _ = layer(x, state)
    layer.weight_hh_l0.requires_grad_(True)
    only, _ = layer(x.detach(), state)
    only[3].sum().backward()
    return [loss, x.grad, output, *[p.grad for p in layer.parameters()]]


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_parts(kind):
    want = _parts(torch, kind)
    _close(_parts(facula, kind), want)
    with compiling_at_once():
        _close(_parts(facula, kind), want)


def _hooked(t):
    layer, x = _layer(t, "LSTM", {"num_layers": 2})
    seen = []
    output, (h, _) = layer(x)
    output.retain_grad()
    output.register_hook(lambda g: seen.append(g) or g * 2)
    (output.sum() + h.sum()).backward()
    return [*seen, x.grad, *[p.grad for p in layer.parameters()]]


def test_hooks_see_and_change_gradients():
    _close(_hooked(facula), _hooked(torch))


def _trained(t, step):
    layer, _ = _layer(t, "LSTM", {"batch_first": True})
    optimizer = t.optim.Adam(layer.parameters(), lr=0.01)
    t.manual_seed(1)
    data = [t.randn(4, length, 5) for length in (6, 6, 6, 9, 9, 6)]

    def one(x):
        optimizer.zero_grad()
        loss = (layer(x)[0][:, -1] ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    one = step(one)
    return [one(x) for x in data] + list(layer.parameters())


def test_captured_steps_of_several_lengths():
    want = _trained(torch, lambda f: f)
    _close(_trained(facula, lambda f: f), want)
    _close(_trained(facula, facula.capture), want)


def test_the_same_bits_for_any_number_of_threads():
    before = facula.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 5):
            facula.set_num_threads(threads)
            with compiling_at_once():
                found.append(_everything(facula, "LSTM", {"bidirectional": True}))
    finally:
        facula.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


def _third(t):
    layer, x = _layer(t, "GRU", {}, "float64")
    for p in layer.parameters():
        p.requires_grad_(False)
    loss = layer(x)[0].pow(2).sum()
    for _ in range(3):
        (g,) = t.autograd.grad(loss, x, create_graph=True)
        loss = (g**2).mean()
    return [loss]


def test_third_derivatives():
    _close(_third(facula), _third(torch), 1e-9)
