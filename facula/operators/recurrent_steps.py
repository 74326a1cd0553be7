"""Steps of recurrent cells, composed of other operators; whole sequences as loops over them.

What runs fused (``recurrence``) runs so where derivatives of derivatives are wanted, with 16-bit
floats, projections and sequences of several lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.operators.activation import relu
from facula.operators.indexing import _index, where
from facula.operators.joining import cat, stack
from facula.operators.linear import linear
from facula.operators.movement import _view
from facula.operators.operator import operator
from facula.operators.parts import chunk
from facula.operators.slicing import unbind
from facula.operators.transcendental import sigmoid, tanh

State = tuple[Any, ...]
# (gates from the input, state, weights) -> new state; its first entry is the output. The weights
# are (w_ih, w_hh, b_ih, b_hh[, w_hr]).
Step = Callable[[Any, State, tuple], State]


def tanh_step(gates, state: State, weights: tuple) -> State:
    """h' = tanh(gates + W_hh h + b_hh)."""
    return (tanh(gates + linear(state[0], weights[1], weights[3])),)


def relu_step(gates, state: State, weights: tuple) -> State:
    """h' = relu(gates + W_hh h + b_hh)."""
    return (relu(gates + linear(state[0], weights[1], weights[3])),)


def lstm_step(gates, state: State, weights: tuple) -> State:
    """One step of a long short-term memory, gates in the order input, forget, cell, output."""
    h, c = state
    all_gates = gates + linear(h, weights[1], weights[3])
    i, f, g, o = chunk(all_gates, 4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    if len(weights) > 4:
        h = linear(h, weights[4])
    return h, c


def gru_step(gates, state: State, weights: tuple) -> State:
    """One step of a gated recurrent unit, gates in the order reset, update, new."""
    h = state[0]
    x_r, x_z, x_n = chunk(gates, 3, 1)
    h_r, h_z, h_n = chunk(linear(h, weights[1], weights[3]), 3, 1)
    r = sigmoid(x_r + h_r)
    z = sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return ((h - n) * z + n,)


STEPS: dict[str, Step] = {
    "tanh": tanh_step, "relu": relu_step, "lstm": lstm_step, "gru": gru_step
}  # fmt: skip


def all_steps(cell: str, gates, state: State, weights: tuple, reverse: bool, packing=()) -> list:
    """The outputs of all steps (T, B, hidden), then the last state, for gates (T, B, ...).

    ``packing`` is empty, or for gates (rows, ...) of which some belong to each step (lengths (B),
    rows of the steps (T, B), places of the rows in those): then outputs are packed too.
    """
    if not packing:
        outputs, state = _loop(cell, gates, state, weights, reverse)
        return [stack(outputs, 0), *state]
    lengths, to_padded, to_packed = packing
    batch = lengths._value.spec.shape[0]
    gates = _index(gates, [to_padded], (0,))
    outputs, state = _loop(cell, gates, state, weights, False, _view(lengths, (batch, 1)))
    return [_index(cat(outputs, 0), [to_packed], (0,)), *state]


def _loop(cell: str, gates, state: State, weights: tuple, reverse: bool, lengths=None):
    """Outputs of all steps in the order of time, and the last state."""
    outputs = []
    steps = unbind(gates, 0)
    order = range(len(steps))
    for now in reversed(order) if reverse else order:
        new = STEPS[cell](steps[now], state, weights)
        if lengths is not None:
            new = tuple([where(lengths > now, a, b) for a, b in zip(new, state, strict=True)])
        state = new
        outputs.append(state[0])
    return outputs[::-1] if reverse else outputs, state


def node_name(specs, template) -> str:
    """What PyTorch's loop over the steps ends in."""
    gates = specs[0]
    return "StackBackward0" if gates.ndim == 3 else "CatBackward0"


@operator(name=node_name)
def unrolled(cell: str, gates, state, weights, reverse: bool, packing):
    """All steps as one operation: recorded at once however long the sequence is.

    The gradient is composed from the steps'; where a program ends between forward and backward it
    computes the steps again.
    """
    return all_steps(cell, gates, state, weights, reverse, packing)
