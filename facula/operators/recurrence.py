"""Whole recurrences: a layer's loop over time in one primitive, its gradient in another.

The products that do not wait for the step before are outside of both: gates from the input before,
gradients of weights after, each one product for all steps.
"""

from __future__ import annotations

from math import prod

from facula.autograd.modes import modes
from facula.autograd.sweep import Sweep
from facula.autograd.tools import tools
from facula.graph.primitives import contraction as c
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import recurrence as r
from facula.graph.primitives import reduction as reductions
from facula.operators import kit
from facula.operators.operator import operator
from facula.operators.recurrent_steps import node_name, unrolled


def _shape(x):
    return x._value.spec.shape


def _part(flat, first: int, shape: tuple[int, ...]):
    """The elements from ``first`` on as an array."""
    stop = (first + prod(shape),)
    part = kit.bind(m.slice_, flat, start=(first,), stop=stop, step=(1,))
    return kit.reshape(part, shape)


def _columns(x, first: int, last: int):
    """Some columns of (..., n)."""
    *rows, width = _shape(x)
    if (first, last) == (0, width):
        return x
    start, stop = (*[0] * len(rows), first), (*rows, last)
    return kit.bind(m.slice_, x, start=start, stop=stop, step=(1,) * len(start))


def _gradients(gs, out, gates, w_hh, state, bias, packing, cell, reverse, keep):
    """Of gates, weights, first states and the bias."""
    if modes.grad or not keep:
        return _gradients_of_steps(gs[1:], gates, w_hh, state, bias, packing, cell, reverse)
    found = _recurrence_grad(
        out, w_hh, gs[1], list(gs[2:]), packing, cell, reverse, bias is not None
    )
    gates, weight, b_hh, *first = found
    return {"gates": gates, "w_hh": weight, "state": first, "bias": b_hh}


def _gradients_of_steps(gs, gates, w_hh, state, bias, packing, cell, reverse):
    """The same from the composed steps, so that they can be differentiated again."""
    before, modes.grad = modes.grad, True
    try:
        own = [
            x if x is None or x._node is None else tools.identity(x)
            for x in (gates, w_hh, bias, *state)
        ]
        weights = (None, own[1], None, own[2])
        outputs = unrolled(cell, own[0], own[3:], weights, reverse, packing)
    finally:
        modes.grad = before
    edges = [None if x is None or x._node is None else (x._node, x._nr) for x in own]
    pairs = [(o, g) for o, g in zip(outputs, gs, strict=True) if o._node is not None]
    sweep = Sweep([(o._node, o._nr) for o, _ in pairs], stop={e for e in edges if e is not None})
    found = sweep.run([g for _, g in pairs])
    gates, weight, b_hh, *first = [found.get(e) for e in edges]
    return {"gates": gates, "w_hh": weight, "state": first, "bias": b_hh}


@operator(name=node_name, derivative=_gradients)
def recurrence(gates, w_hh, state, bias, packing, cell: str, reverse: bool, keep: bool):
    """All steps of a cell: memory for the gradient, outputs (T, B, H), last states (B, H).

    ``gates`` (T, B, k * H) is the input's part with its bias, ``w_hh`` (k * H, H); ``state`` is a
    list of (B, H), ``bias`` (k * H) goes with ``w_hh`` and may be None. Gates and outputs have
    packed rows if there is a ``packing``, as for :func:`all_steps`. ``keep`` says that a gradient
    may be asked for; without it that costs all steps again.
    """
    lengths = []
    if packing:
        gates, lengths = kit.bind(ix.index, gates, packing[1]), packing[:1]
    given = [gates, w_hh, *state, *([] if bias is None else [bias]), *lengths]
    memory = kit.bind(r.recurrence, *given, cell=cell, reverse=reverse, keep=keep)
    steps, batch, width = _shape(gates)
    places = r.Places(r.CELLS[cell], steps, batch, width // r.CELLS[cell].gates)
    row = (batch, places.hidden)
    begin, end = (0, 0) if reverse else (places.row, steps * places.row)
    outputs = _part(memory, begin, (steps, *row))
    if packing:
        outputs = _packed(outputs, packing)
    last = [_part(memory, places.states(i) + end, row) for i in range(len(state))]
    return [memory, outputs, *last]


def _packed(x, packing):
    """The packed rows of (T, B, n)."""
    steps, batch, width = _shape(x)
    return kit.bind(ix.index, kit.reshape(x, (steps * batch, width)), packing[2])


@operator(differentiable=False)
def _recurrence_grad(memory, w_hh, outputs, last, packing, cell: str, reverse: bool, biased: bool):
    """Gradients of gates, weights and bias (of a weight without one), then of the first states."""
    kind = r.CELLS[cell]
    if packing:
        outputs = kit.bind(ix.index, outputs, packing[1])
    steps, batch, hidden = _shape(outputs)
    places = r.Places(kind, steps, batch, hidden)
    given = [memory, w_hh, outputs, *last, *packing[:1]]
    flat = kit.bind(r.recurrence_grad, *given, cell=cell, reverse=reverse)
    wide = _part(flat, 0, (steps, batch, kind.wide * hidden))
    before = _part(memory, places.row if reverse else 0, (steps, batch, hidden))
    if packing:
        wide, before = _packed(wide, packing), _packed(before, packing)
    *rows, all_columns = _shape(wide)
    width = kind.gates * hidden
    # rows first, then columns: so the product reads its operand where it lies
    recurrent = _columns(kit.reshape(wide, (prod(rows), all_columns)), 0, width)
    flat_before = kit.reshape(before, (prod(rows), hidden))
    weight = kit.bind(c.matmul, kit.permute(recurrent, (1, 0)), flat_before)
    gates = wide
    if kind.wide > kind.gates:  # a GRU's new gate comes in two: the last is the input's part
        parts = [_columns(wide, 0, width - hidden), _columns(wide, width, width + hidden)]
        gates = kit.bind(m.concat, *parts, axis=len(rows))
    b_hh = weight
    if biased:  # the sum that is the other bias's gradient too
        b_hh = kit.bind(reductions.total, _columns(wide, 0, width), axes=tuple(range(len(rows))))
    first = [_part(flat, places.first_grad(i), (batch, hidden)) for i in range(kind.states)]
    return [gates, weight, b_hh, *first]
