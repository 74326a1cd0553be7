"""Whole recurrences: a layer's loop over time in one primitive, its gradient in another.

Gradients of weights are products over all steps, after it; so may be what comes from the input,
before it (``is_direct``).
"""

from __future__ import annotations

from math import prod

from facula.autograd.modes import modes
from facula.autograd.sweep import Sweep
from facula.autograd.tools import tools
from facula.graph.primitives import contraction as c
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.graph.primitives import recurrence as r
from facula.operators import kit
from facula.operators.linear import linear
from facula.operators.operator import operator
from facula.operators.recurrent_steps import node_name, unrolled


def _shape(x):
    return x._value.spec.shape


def _part(flat, first: int, shape: tuple[int, ...]):
    """The elements from ``first`` on as an array."""
    stop = (first + prod(shape),)
    part = kit.bind(m.slice_, flat, start=(first,), stop=stop, step=(1,))
    return kit.reshape(part, shape)


def _times(memory, first: int, shape: tuple[int, int, int]):
    """The states (T, B, H) from row ``first`` of (rows, B, H) on.

    The array is reshaped before it is cut, so that who cuts it further reads it where it lies.
    """
    steps, batch, hidden = shape
    rows = kit.reshape(memory, (prod(_shape(memory)) // max(1, batch * hidden), batch, hidden))
    start, stop = (first, 0, 0), (first + steps, batch, hidden)
    return kit.bind(m.slice_, rows, start=start, stop=stop, step=(1, 1, 1))


def _section(x, rows: tuple[int, int], columns: tuple[int, int]):
    """Some rows and columns of a matrix."""
    (top, bottom), (first, last) = rows, columns
    if (bottom - top, last - first) == _shape(x):
        return x
    return kit.bind(m.slice_, x, start=(top, first), stop=(bottom, last), step=(1, 1))


def _flat_rows(x):
    *rows, width = _shape(x)
    return kit.reshape(x, (prod(rows), width))


def _product(a, b):
    return kit.bind(c.matmul, a, b)


def _swapped(x):
    return kit.permute(x, (1, 0))


def _gradients(gs, out, input, w_ih, w_hh, state, b_ih, b_hh, packing, cell, reverse, keep, needs):
    """Of the input, the weights, the first states and the biases."""
    if modes.grad or not keep:
        return _gradients_of_steps(
            gs[1:], input, (w_ih, w_hh, b_ih, b_hh), state, packing, cell, reverse
        )
    given = (out, input, w_ih, w_hh, gs[1], list(gs[2:]), packing, cell, reverse, bool(state))
    found = _recurrence_grad(*given, "input" in needs)
    names = ["w_ih", "w_hh", "b_ih", "b_hh", *(["input"] if "input" in needs else [])]
    return {**dict(zip(names, found)), "state": found[len(names) :]}


def _gradients_of_steps(gs, input, weights, state, packing, cell, reverse):
    """The same from the composed steps, so that they can be differentiated again."""
    before, modes.grad = modes.grad, True
    try:
        own = [
            x if x is None or x._node is None else tools.identity(x)
            for x in (input, *weights, *state)
        ]
        gates = linear(own[0], own[1], own[3])
        first = own[5:] or zero_state(gates, cell, packing)
        used = (None, own[2], None, own[4])
        outputs = unrolled(cell, gates, first, used, reverse, packing)
    finally:
        modes.grad = before
    edges = [None if x is None or x._node is None else (x._node, x._nr) for x in own]
    pairs = [(o, g) for o, g in zip(outputs, gs, strict=True) if o._node is not None]
    sweep = Sweep([(o._node, o._nr) for o, _ in pairs], stop={e for e in edges if e is not None})
    found = sweep.run([g for _, g in pairs])
    names = ("input", "w_ih", "w_hh", "b_ih", "b_hh")
    input, w_ih, w_hh, b_ih, b_hh, *first = [found.get(e) for e in edges]
    named = zip(names, (input, w_ih, w_hh, b_ih, b_hh), strict=True)
    return {**dict(named), "state": first}


@operator(differentiable=False)
def zero_state(gates, cell: str, packing, projected: int = 0):
    """First states of zeros for gates (T, B, k * H) or packed rows; h may be ``projected``."""
    kind = r.CELLS[cell]
    batch = _shape(packing[0])[0] if packing else _shape(gates)[1]
    hidden = _shape(gates)[-1] // kind.gates
    widths = [projected or hidden, hidden][: kind.states]
    return [kit.full((batch, n), 0, gates._value.spec.dtype) for n in widths]


@operator(name=node_name, derivative=_gradients)
def recurrence(input, w_ih, w_hh, state, b_ih, b_hh, packing, cell: str, reverse: bool, keep: bool):
    """All steps of a layer: memory for the gradient, outputs (T, B, H), last states (B, H).

    ``input`` (T, B, I), ``w_ih`` (k * H, I), ``w_hh`` (k * H, H), biases (k * H) or None;
    ``state`` is a list of (B, H), empty for zeros. Input and outputs have packed rows if there is
    a ``packing``, as for :func:`all_steps`. ``keep`` says that a gradient may be asked for; without
    it that costs all steps again.
    """
    kind = r.CELLS[cell]
    lengths = packing[:1]
    if packing:
        input = kit.bind(ix.index, input, packing[1])
    steps, batch, width = _shape(input)
    hidden = _shape(w_hh)[1]
    bias, bias_hh = b_ih, b_hh
    if kind.summed and b_ih is not None:
        bias, bias_hh = kit.bind(e.add, b_ih, b_hh), None
    direct = r.is_direct(kind, batch, hidden, width, input._value.spec.dtype.itemsize)
    if direct:
        given = [input, w_ih]
        bias_hh = bias
    else:
        gates = _product(_flat_rows(input), _swapped(w_ih))
        if bias is not None:
            gates = kit.bind(e.add, gates, bias)
        given = [kit.reshape(gates, (steps, batch, kind.gates * hidden))]
    given += [w_hh, *state, *([] if bias_hh is None else [bias_hh]), *lengths]
    run = {"cell": cell, "reverse": reverse, "started": bool(state)}
    memory = kit.bind(r.recurrence, *given, **run, direct=direct, keep=keep)
    places = r.Places(kind, steps, batch, hidden)
    row = (batch, hidden)
    begin, end = (0, 0) if reverse else (1, steps * places.row)
    outputs = _times(memory, begin, (steps, *row))
    if packing:
        outputs = _packed(outputs, packing)
    last = [_part(memory, places.states(i) + end, row) for i in range(kind.states)]
    return [memory, outputs, *last]


def _packed(x, packing):
    """The packed rows of (T, B, n)."""
    return kit.bind(ix.index, _flat_rows(x), packing[2])


@operator(differentiable=False)
def _recurrence_grad(
    memory, input, w_ih, w_hh, outputs, last, packing,
    cell: str, reverse: bool, started: bool, to_input: bool,
):  # fmt: skip
    """Gradients of weights and biases, of the input if it wants one, and of first states."""
    kind = r.CELLS[cell]
    if packing:
        outputs = kit.bind(ix.index, outputs, packing[1])
    steps, batch, hidden = _shape(outputs)
    places = r.Places(kind, steps, batch, hidden)
    given = [memory, w_hh, outputs, *last, *packing[:1]]
    run = {"cell": cell, "reverse": reverse, "started": started}
    flat = kit.bind(r.recurrence_grad, *given, **run, at=False)
    width = kind.gates * hidden
    wide = _part(flat, 0, (steps * batch, kind.wide * hidden))
    recurrent, before = _recurrent_rows(memory, wide, places, reverse, started)
    if packing:
        wide = _packed(kit.reshape(wide, (steps, batch, kind.wide * hidden)), packing)
    weight = _product(_swapped(recurrent), before)
    totals = _part(flat, places.totals(started), (1, kind.wide * hidden))
    gates, sums = _from_input(kind, hidden, wide), _from_input(kind, hidden, totals)
    found = [_product(_swapped(gates), _flat_rows(input)), weight]
    found += [kit.reshape(x, (width,)) for x in (sums, _section(totals, (0, 1), (0, width)))]
    if to_input:
        found.append(kit.reshape(_product(gates, w_ih), _shape(input)))
    states = kind.states if started else 0
    return found + [_part(flat, places.first_grad(i), (batch, hidden)) for i in range(states)]


def _recurrent_rows(memory, wide, places: r.Places, reverse: bool, started: bool):
    """Gradients of gates as rows, and the states before: without a first step from zeros."""
    steps, batch, hidden = places.steps, places.batch, places.hidden
    width = places.cell.gates * hidden
    first, last = 0, steps
    if not started and steps > 1:
        first, last = (0, steps - 1) if reverse else (1, steps)
    # rows first, then columns: so the product reads its operand where it lies
    recurrent = _section(wide, (first * batch, last * batch), (0, width))
    place = first + (1 if reverse else 0)
    before = _part(memory, place * places.row, ((last - first) * batch, hidden))
    return recurrent, before


def _from_input(kind: r.Cell, hidden: int, x):
    """The columns for what comes from the input: a GRU's new gate has two, this is the last."""
    if kind.summed:
        return x
    rows, width = (0, _shape(x)[0]), kind.gates * hidden
    parts = [
        _section(x, rows, (0, width - hidden)),
        _section(x, rows, (width, width + hidden)),
    ]
    return kit.bind(m.concat, *parts, axis=1)
