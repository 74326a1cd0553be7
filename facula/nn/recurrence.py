"""Recurrences: one function per cell kind takes a whole sequence and returns a whole sequence.

Each function has the form ``(inputs, state, weights, packing, reverse) -> (outputs, state)``:

* ``inputs`` (T, B, in), or packed rows with a :func:`packing`, and outputs too;
* ``state`` a tuple of (B, hidden) tensors, empty for zeros; ``weights`` (w_ih, w_hh, b_ih,
  b_hh[, w_hr]), with None for a missing bias;
* ``reverse`` runs from the last step to the first; the outputs stand in input order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from facula import tensors
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.operators.linear import linear
from facula.operators.recurrence import recurrence, zero_state
from facula.operators.recurrent_steps import all_steps, unrolled
from facula.tensors import Tensor

State = tuple[Tensor, ...]


def packing(sizes: Sequence[int], reverse: bool) -> list[Tensor]:
    """Where the rows of sequences packed step by step stand when each has a column of its own.

    ``sizes`` says how many sequences are running at each step. Given are lengths (B), rows of all
    steps (T, B), and the places of the rows there; with ``reverse`` a column begins with the last
    row of its sequence. After its end a column repeats some row.
    """
    running, batch = np.asarray(sizes), sizes[0]
    steps = np.arange(len(sizes))[:, None]
    lengths = (running[:, None] > np.arange(batch)).sum(0)
    time = lengths - 1 - steps if reverse else np.repeat(steps, batch, 1)
    rows = (np.cumsum(running) - running)[time] + np.arange(batch)
    at, column = np.nonzero(steps < lengths)
    step = time[at, column]  # what turns a sequence round also turns it back
    rows = np.where(steps < lengths, rows, 0)
    return [tensors.tensor(x) for x in (lengths, rows, step * batch + column)]


def _run(
    cell: str,
    inputs: Tensor,
    state: State,
    weights: tuple,
    packing: Sequence[Tensor],
    reverse: bool,
) -> tuple[Tensor, State]:
    reverse = reverse and not packing  # of packed sequences the columns are reversed
    if _fits(inputs, state, weights):
        w_ih, w_hh, b_ih, b_hh = weights
        keep = False
        if modes.grad:
            needs = [x.requires_grad for x in (inputs, *state, *weights) if x is not None]
            keep = any(needs)
        given = (inputs, w_ih, w_hh, state, b_ih, b_hh, packing)
        _, outputs, *last = recurrence(*given, cell, reverse, keep)
        return outputs, tuple(last)
    # the input's part of all gates is one matrix product over all steps
    gates = linear(inputs, weights[0], weights[2])
    if not state:
        state = tuple(zero_state(gates, cell, packing, *[w.size(0) for w in weights[4:]]))
    steps = all_steps if gates.dtype is not weights[1].dtype else unrolled
    outputs, *last = steps(cell, gates, state, weights, reverse, packing)
    return outputs, tuple(last)


_DTYPES = (dtypes.float32, dtypes.float64)


def _fits(inputs: Tensor, state: State, weights: tuple) -> bool:
    """Whether all steps can be one primitive: no projection, one dtype of 32 or 64 bits."""
    own = inputs.dtype
    if len(weights) > 4 or not inputs.shape[0] or own not in _DTYPES:
        return False
    if not linear.exchangeable:  # autocast is on, which looks at each operation
        return False
    others = [x for x in (*state, *weights) if x is not None and x.dtype is not own]
    return not others


SEQUENCES: dict[str, Callable[..., tuple[Tensor, State]]] = {
    "RNN_TANH": partial(_run, "tanh"),
    "RNN_RELU": partial(_run, "relu"),
    "LSTM": partial(_run, "lstm"),
    "GRU": partial(_run, "gru"),
}
