"""Whole recurrences: a layer's loop over time in one primitive, its gradient in another.

The products that do not wait for the step before are outside of both: gates from the input before,
gradients of weights after, each one product for all steps.
"""

from __future__ import annotations

from facula.autograd.modes import modes
from facula.autograd.sweep import Sweep
from facula.autograd.tools import tools
from facula.graph.primitives import contraction as c
from facula.graph.primitives import movement as m
from facula.graph.primitives import recurrence as r
from facula.graph.primitives import reduction as reductions
from facula.operators import kit
from facula.operators.operator import operator
from facula.operators.recurrent_steps import unrolled


def _shape(x):
    return x._value.spec.shape


def _part(flat, first: int, shape: tuple[int, ...]):
    """The elements from ``first`` on as an array."""
    size = 1
    for n in shape:
        size *= n
    part = kit.bind(m.slice_, flat, start=(first,), stop=(first + size,), step=(1,))
    return kit.reshape(part, shape)


def _columns(x, first: int, last: int):
    """Columns of (T, B, n)."""
    steps, batch, _ = _shape(x)
    return kit.bind(
        m.slice_, x, start=(0, 0, first), stop=(steps, batch, last), step=(1, 1, 1)
    )  # fmt: skip


def _places(cell: str, gates) -> r.Places:
    steps, batch, width = _shape(gates)
    return r.Places(r.CELLS[cell], steps, batch, width // r.CELLS[cell].gates)


def _gradients(gs, out, gates, w_hh, state, bias, cell, reverse, keep, needs):
    """Of gates, weights, first states and the bias."""
    if modes.grad or not keep:
        return _gradients_of_steps(gs[1:], gates, w_hh, state, bias, cell, reverse, needs)
    wide, weight, b_hh, *first = _recurrence_grad(
        out, w_hh, gs[1], list(gs[2:]), cell, reverse, bias is not None
    )
    return {"gates": wide, "w_hh": weight, "state": first, "bias": b_hh}


def _gradients_of_steps(gs, gates, w_hh, state, bias, cell, reverse, needs):
    """The same from the composed steps, so that they can be differentiated again."""
    wanted = {"gates": gates, "w_hh": w_hh, "bias": bias}
    wanted.update({f"state {i}": x for i, x in enumerate(state)})
    before, modes.grad = modes.grad, True
    try:
        own = {
            name: x if x is None or x._node is None else tools.identity(x)
            for name, x in wanted.items()
        }
        states = tuple([own[f"state {i}"] for i in range(len(state))])
        weights = (None, own["w_hh"], None, own["bias"])
        outputs = unrolled(cell, own["gates"], states, weights, reverse)
    finally:
        modes.grad = before
    targets = {
        name: (x._node, x._nr) for name, x in own.items() if x is not None and x._node is not None
    }
    pairs = [(o, g) for o, g in zip(outputs, gs, strict=True) if o._node is not None]
    sweep = Sweep([(o._node, o._nr) for o, _ in pairs], stop=set(targets.values()))
    edges = sweep.run([g for _, g in pairs])
    found = {name: edges.get(edge) for name, edge in targets.items()}
    first = [found.get(f"state {i}") for i in range(len(state))]
    return {"gates": found.get("gates"), "w_hh": found.get("w_hh"), "state": first,
            "bias": found.get("bias")}  # fmt: skip


@operator(name="Stack", derivative=_gradients)
def recurrence(gates, w_hh, state, bias, cell: str, reverse: bool, keep: bool):
    """All steps of a cell: memory for the gradient, outputs (T, B, H), last states (B, H).

    ``gates`` (T, B, k * H) is the input's part with its bias, ``w_hh`` (k * H, H); ``state`` is a
    list of (B, H), ``bias`` (k * H) goes with ``w_hh`` and may be None.
    ``keep`` says that a gradient may be asked for; without it that costs all steps again.
    """
    places = _places(cell, gates)
    given = [gates, w_hh, *state, *([] if bias is None else [bias])]
    memory = kit.bind(r.recurrence, *given, cell=cell, reverse=reverse, keep=keep)
    row = (places.batch, places.hidden)
    begin = 0 if reverse else places.row
    end = 0 if reverse else places.steps * places.row
    outputs = _part(memory, begin, (places.steps, *row))
    return [
        memory,
        outputs,
        *[_part(memory, places.states(i) + end, row) for i in range(len(state))],
    ]


@operator(differentiable=False)
def _recurrence_grad(memory, w_hh, outputs, last, cell: str, reverse: bool, biased: bool):
    """Gradients of gates, weights and bias (None without one), then of the first states."""
    kind = r.CELLS[cell]
    places = r.Places(kind, *_shape(outputs))
    flat = kit.bind(r.recurrence_grad, memory, w_hh, outputs, *last, cell=cell, reverse=reverse)
    steps, batch, hidden = places.steps, places.batch, places.hidden
    wide = _part(flat, 0, (steps, batch, kind.wide * hidden))
    first = [_part(flat, places.first_grad(i), (batch, hidden)) for i in range(kind.states)]
    width = kind.gates * hidden
    recurrent = wide if kind.wide == kind.gates else _columns(wide, 0, width)
    rows = kit.reshape(recurrent, (steps * batch, width))
    begin = places.row if reverse else 0
    before = _part(memory, begin, (steps * batch, hidden))
    weight = kit.bind(c.matmul, kit.permute(rows, (1, 0)), before)
    gates, b_hh = wide, weight
    if kind.wide > kind.gates:  # a GRU's new gate comes in two: the last is the input's part
        parts = [_columns(wide, 0, width - hidden), _columns(wide, width, width + hidden)]
        gates = kit.bind(m.concat, *parts, axis=2)
    if biased:
        b_hh = kit.bind(reductions.total, rows, axes=(0,))
    return [gates, weight, b_hh, *first]
