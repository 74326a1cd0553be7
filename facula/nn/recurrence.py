"""Recurrences: one function per cell kind takes a whole sequence and returns a whole sequence.

Each function has the form ``(inputs, state, weights, sizes, reverse) -> (outputs, state)``:

* ``inputs`` (T, B, in), or packed rows (sum of sizes, in) when ``sizes`` lists how many
  sequences are still running at each step, never growing;
* ``state`` a tuple of (B, hidden) tensors; ``weights`` (w_ih, w_hh, b_ih, b_hh[, w_hr]),
  with None for a missing bias;
* ``reverse`` runs from the last step to the first; the outputs stand in input order.

The loop over steps is here and nowhere else, so that a compiler can put a fused one in its place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import operators as ops
from facula.operators.operator import operator
from facula.tensors import Tensor

State = tuple[Tensor, ...]
# (gates from the input, state, weights) -> new state; its first entry is the output
Step = Callable[[Tensor, State, tuple], State]


def tanh_step(gates: Tensor, state: State, weights: tuple) -> State:
    """h' = tanh(gates + W_hh h + b_hh)."""
    return (ops.tanh(gates + ops.linear(state[0], weights[1], weights[3])),)


def relu_step(gates: Tensor, state: State, weights: tuple) -> State:
    """h' = relu(gates + W_hh h + b_hh)."""
    return (ops.relu(gates + ops.linear(state[0], weights[1], weights[3])),)


def lstm_step(gates: Tensor, state: State, weights: tuple) -> State:
    """One step of a long short-term memory, gates in the order input, forget, cell, output."""
    h, c = state
    all_gates = gates + ops.linear(h, weights[1], weights[3])
    i, f, g, o = ops.chunk(all_gates, 4, 1)
    c = ops.sigmoid(f) * c + ops.sigmoid(i) * ops.tanh(g)
    h = ops.sigmoid(o) * ops.tanh(c)
    if len(weights) > 4:
        h = ops.linear(h, weights[4])
    return h, c


def gru_step(gates: Tensor, state: State, weights: tuple) -> State:
    """One step of a gated recurrent unit, gates in the order reset, update, new."""
    h = state[0]
    x_r, x_z, x_n = ops.chunk(gates, 3, 1)
    h_r, h_z, h_n = ops.chunk(ops.linear(h, weights[1], weights[3]), 3, 1)
    r = ops.sigmoid(x_r + h_r)
    z = ops.sigmoid(x_z + h_z)
    n = ops.tanh(x_n + r * h_n)
    return ((h - n) * z + n,)


def rnn_tanh(
    inputs: Tensor, state: State, weights: tuple, sizes: list[int] | None, reverse: bool
) -> tuple[Tensor, State]:
    """A whole Elman recurrence with tanh."""
    return _run(tanh_step, inputs, state, weights, sizes, reverse)


def rnn_relu(
    inputs: Tensor, state: State, weights: tuple, sizes: list[int] | None, reverse: bool
) -> tuple[Tensor, State]:
    """A whole Elman recurrence with relu."""
    return _run(relu_step, inputs, state, weights, sizes, reverse)


def lstm(
    inputs: Tensor, state: State, weights: tuple, sizes: list[int] | None, reverse: bool
) -> tuple[Tensor, State]:
    """A whole long short-term memory; the state is (h, c)."""
    return _run(lstm_step, inputs, state, weights, sizes, reverse)


def gru(
    inputs: Tensor, state: State, weights: tuple, sizes: list[int] | None, reverse: bool
) -> tuple[Tensor, State]:
    """A whole gated recurrent unit."""
    return _run(gru_step, inputs, state, weights, sizes, reverse)


SEQUENCES: dict[str, Callable[..., tuple[Tensor, State]]] = {
    "RNN_TANH": rnn_tanh,
    "RNN_RELU": rnn_relu,
    "LSTM": lstm,
    "GRU": gru,
}


def _run(
    step: Step,
    inputs: Tensor,
    state: State,
    weights: tuple,
    sizes: list[int] | None,
    reverse: bool,
) -> tuple[Tensor, State]:
    # the input's part of all gates is one matrix product over all steps
    gates = ops.linear(inputs, weights[0], weights[2])
    if sizes is not None:
        run = _packed_backward if reverse else _packed_forward
        return run(step, ops.split(gates, sizes), state, weights, sizes)
    if gates.dtype is not weights[1].dtype:  # autocast looks at each operation
        outputs, *last = _steps(step, gates, state, weights, reverse)
    else:
        outputs, *last = _whole(step.__name__, gates, state, weights, reverse)
    return outputs, tuple(last)


def _steps(step: Step, gates: Tensor, state: State, weights: tuple, reverse: bool) -> list[Tensor]:
    """The outputs of all steps, then the last state."""
    outputs = []
    steps: Any = ops.unbind(gates, 0)
    for gate in reversed(steps) if reverse else steps:
        state = step(gate, state, weights)
        outputs.append(state[0])
    return [ops.stack(outputs[::-1] if reverse else outputs, 0), *state]


_STEPS: dict[str, Step] = {f.__name__: f for f in (tanh_step, relu_step, lstm_step, gru_step)}


@operator(name="Stack")
def _whole(step: str, gates: Tensor, state: State, weights: tuple, reverse: bool) -> list[Tensor]:
    """All steps as one operation: recorded at once however long the sequence is.

    The gradient is composed from the steps'; where a program ends between forward and backward it
    computes the steps again.
    """
    return _steps(_STEPS[step], gates, state, weights, reverse)


def _packed_forward(
    step: Step, gates: Any, state: State, weights: tuple, sizes: list[int]
) -> tuple[Tensor, State]:
    """The batch shrinks as sequences end; the states of ended ones are kept aside."""
    outputs, ended = [], []
    for gate, size in zip(gates, sizes):
        running = state[0].shape[0]
        if size < running:
            ended.append(tuple(s[size:running] for s in state))
            state = tuple(s[:size] for s in state)
        state = step(gate, state, weights)
        outputs.append(state[0])
    ended.append(state)
    final = tuple(ops.cat(list(parts), 0) for parts in zip(*reversed(ended)))
    return ops.cat(outputs, 0), final


def _packed_backward(
    step: Step, gates: Any, state: State, weights: tuple, sizes: list[int]
) -> tuple[Tensor, State]:
    """The batch grows: a sequence starts, at its own end, with its initial state."""
    first = state
    state = tuple(s[: sizes[-1]] for s in first)
    outputs = []
    for gate, size in zip(reversed(gates), reversed(sizes)):
        running = state[0].shape[0]
        if size > running:
            state = tuple(ops.cat([s, s0[running:size]], 0) for s, s0 in zip(state, first))
        state = step(gate, state, weights)
        outputs.append(state[0])
    return ops.cat(outputs[::-1], 0), state
