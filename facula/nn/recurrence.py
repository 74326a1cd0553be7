"""Recurrences: one function per cell kind takes a whole sequence and returns a whole sequence.

Each function has the form ``(inputs, state, weights, sizes, reverse) -> (outputs, state)``:

* ``inputs`` (T, B, in), or packed rows (sum of sizes, in) when ``sizes`` lists how many
  sequences are still running at each step, never growing;
* ``state`` a tuple of (B, hidden) tensors; ``weights`` (w_ih, w_hh, b_ih, b_hh[, w_hr]),
  with None for a missing bias;
* ``reverse`` runs from the last step to the first; the outputs stand in input order.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from facula import operators as ops
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.operators.recurrence import recurrence
from facula.operators.recurrent_steps import STEPS, Step, all_steps, unrolled
from facula.tensors import Tensor

State = tuple[Tensor, ...]


def _run(
    cell: str,
    inputs: Tensor,
    state: State,
    weights: tuple,
    sizes: list[int] | None,
    reverse: bool,
) -> tuple[Tensor, State]:
    # the input's part of all gates is one matrix product over all steps
    if sizes is None and _fits(inputs, state, weights):
        found = _fused(cell, inputs, state, weights, reverse)
        if found is not None:
            return found
    gates = ops.linear(inputs, weights[0], weights[2])
    if sizes is not None:
        run = _packed_backward if reverse else _packed_forward
        return run(STEPS[cell], ops.split(gates, sizes), state, weights, sizes)
    if gates.dtype is not weights[1].dtype:  # autocast looks at each operation
        outputs, *last = all_steps(cell, gates, state, weights, reverse)
    else:
        outputs, *last = unrolled(cell, gates, state, weights, reverse)
    return outputs, tuple(last)


SEQUENCES: dict[str, Callable[..., tuple[Tensor, State]]] = {
    "RNN_TANH": partial(_run, "tanh"),
    "RNN_RELU": partial(_run, "relu"),
    "LSTM": partial(_run, "lstm"),
    "GRU": partial(_run, "gru"),
}


def _fits(inputs: Tensor, state: State, weights: tuple) -> bool:
    """Whether all steps can be one operation."""
    own = inputs.dtype
    if len(weights) > 4 or not inputs.size(0) or own not in (dtypes.float32, dtypes.float64):
        return False
    return all(x is None or x.dtype is own for x in (*state, *weights))


def _fused(
    cell: str, inputs: Tensor, state: State, weights: tuple, reverse: bool
) -> tuple[Tensor, State] | None:
    """All steps as one operation; None under autocast, which looks at each one."""
    w_ih, w_hh, b_ih, b_hh = weights
    gates = ops.linear(inputs, w_ih, b_ih)
    if gates.dtype is not w_hh.dtype:
        return None
    given = [x for x in (gates, w_hh, *state, b_hh) if x is not None]
    keep = modes.grad and any(x.requires_grad for x in given)
    _, outputs, *last = recurrence(gates, w_hh, list(state), b_hh, cell, reverse, keep)
    return outputs, tuple(last)


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
