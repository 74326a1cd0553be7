"""Steps of recurrent cells, composed of other operators; whole sequences as loops over them.

What runs fused (``recurrence``) runs so where derivatives of derivatives are wanted, with 16-bit
floats, projections and sequences of several lengths.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.operators.activation import relu
from facula.operators.joining import stack
from facula.operators.linear import linear
from facula.operators.operator import operator
from facula.operators.slicing import chunk, unbind
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


def all_steps(cell: str, gates, state: State, weights: tuple, reverse: bool) -> list:
    """The outputs of all steps (T, B, hidden), then the last state, for gates (T, B, ...)."""
    outputs = []
    steps = unbind(gates, 0)
    for gate in reversed(steps) if reverse else steps:
        state = STEPS[cell](gate, state, weights)
        outputs.append(state[0])
    return [stack(outputs[::-1] if reverse else outputs, 0), *state]


@operator(name="Stack")
def unrolled(cell: str, gates, state, weights, reverse: bool):
    """All steps as one operation: recorded at once however long the sequence is.

    The gradient is composed from the steps'; where a program ends between forward and backward it
    computes the steps again.
    """
    return all_steps(cell, gates, state, weights, reverse)
