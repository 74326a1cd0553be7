"""Recurrences: all time steps of a recurrent layer as one primitive, and their gradient as another.

The gradients of all weights are products over all steps, done outside. So is the product of the
input with its weights, unless ``direct``: small weights are as well read again at every step.
Each primitive has one flat result; :class:`Places` says what lies where.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from facula.base.dtypes import FLOAT, INTEGER
from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds
from facula.graph.spec import spec

FLOATS = frozenset((FLOAT,))


@dataclass(frozen=True)
class Cell:
    """Sizes of a kind of cell, in units of the hidden size.

    ``gates`` rows of weights, ``states`` carried from step to step (the first is the output),
    ``kept`` values of a step that its gradient needs, ``wide`` gradients of a step: first those of
    the gates as the recurrent weights see them, then others.
    """

    gates: int
    states: int
    kept: int
    wide: int

    @property
    def summed(self) -> bool:
        """Whether the gates are sums of a part from the input and one from the state."""
        return self.wide == self.gates


CELLS = {
    "lstm": Cell(gates=4, states=2, kept=4, wide=4),
    "gru": Cell(gates=3, states=1, kept=4, wide=4),
    "tanh": Cell(gates=1, states=1, kept=0, wide=1),
    "relu": Cell(gates=1, states=1, kept=0, wide=1),
}


@dataclass(frozen=True)
class Places:
    """Where the parts of the flat results begin, in elements.

    Of ``recurrence``: each state at T + 1 times, then (with ``keep``) each kept value at T times.
    Of ``recurrence_grad``: (T, B, wide * H) gradients of the gates, then one of each first state
    if those are ``started``, then (wide * H) sums of the gradients of the gates: of the biases.
    """

    cell: Cell
    steps: int
    batch: int
    hidden: int

    @classmethod
    def of(cls, cell: Cell, memory: int, batch: int, hidden: int) -> Places:
        """Of a kept result with so many elements."""
        rows = memory // max(1, batch * hidden)
        return cls(cell, (rows - cell.states) // (cell.states + cell.kept), batch, hidden)

    @property
    def row(self) -> int:
        """Elements of one state at one time."""
        return self.batch * self.hidden

    def states(self, number: int) -> int:
        return number * (self.steps + 1) * self.row

    def kept(self, number: int) -> int:
        return self.states(self.cell.states) + number * self.steps * self.row

    def size(self, keep: bool) -> int:
        return self.kept(self.cell.kept if keep else 0)

    def first_grad(self, number: int) -> int:
        return (self.steps * self.cell.wide + number) * self.row

    def totals(self, started: bool) -> int:
        return self.first_grad(self.cell.states if started else 0)

    def grad_size(self, started: bool) -> int:
        return self.totals(started) + self.cell.wide * self.hidden


_FEW = 4  # rows of a batch that share the weights which a step reads
SMALL = 512 << 10  # bytes of weights that stay in a core's second-level cache


def is_direct(cell: Cell, batch: int, hidden: int, width: int, itemsize: int) -> bool:
    """Whether the input (T, B, width) is better multiplied with its weights step by step."""
    weights = (width + hidden) * cell.gates * hidden * itemsize
    return cell.summed and batch >= _FEW and weights <= SMALL


def times(step, steps: int, reverse: bool) -> tuple[Any, Any, Any]:
    """(time, place of the state before it, place of the state after it) of a step.

    Numbers of steps count in the order of computing; ``reverse`` goes from the last time back.
    """
    if reverse:
        return steps - 1 - step, steps - step, steps - 1 - step
    return step, step, step + 1


# The definition ---------------------------------------------------------------------------------


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _lstm(from_input, from_state, state):
    i, f, g, o = np.split(from_input + from_state, 4, 1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    cell = f * state[1] + i * g
    return (o * np.tanh(cell), cell), (i, f, g, o)


def _gru(from_input, from_state, state):
    (r, z, n), (hr, hz, hn) = np.split(from_input, 3, 1), np.split(from_state, 3, 1)
    r, z = _sigmoid(r + hr), _sigmoid(z + hz)
    n = np.tanh(n + r * hn)
    return ((state[0] - n) * z + n,), (r, z, n, hn)


def _tanh(from_input, from_state, state):
    return (np.tanh(from_input + from_state),), ()


def _relu(from_input, from_state, state):
    return (np.maximum(from_input + from_state, 0),), ()


_STEPS: dict[str, Callable[..., Any]] = {
    "lstm": _lstm, "gru": _gru, "tanh": _tanh, "relu": _relu
}  # fmt: skip


def _lengths(rest, steps: int, batch: int):
    """(the other operands, length of each sequence as a column)."""
    if rest and rest[-1].dtype.kind == "i":
        return rest[:-1], rest[-1][:, None]
    return rest, np.full((batch, 1), steps)


def _recurrence(params, gates, weight, *rest):
    cell = CELLS[params["cell"]]
    if params["direct"]:
        gates = gates @ weight.T
        weight, *rest = rest
    steps, batch, width = gates.shape
    places = Places(cell, steps, batch, width // cell.gates)
    rest, lengths = _lengths(rest, steps, batch)
    out = np.empty(places.size(params["keep"]), gates.dtype)
    shape = (cell.states, steps + 1, batch, places.hidden)
    states = out[: places.kept(0)].reshape(shape)
    kept = out[places.kept(0) :].reshape(-1, steps, batch, places.hidden)
    first = cell.states if params["started"] else 0
    states[:, steps if params["reverse"] else 0] = rest[:first] if first else 0
    bias = rest[first] if len(rest) > first else 0
    for step in range(steps):
        now, before, after = times(step, steps, params["reverse"])
        state = states[:, before]
        new, keep = _STEPS[params["cell"]](gates[now], state[0] @ weight.T + bias, state)
        states[:, after] = np.where(now < lengths, new, state)
        if params["keep"] and keep:
            kept[:, now] = np.where(now < lengths, keep, 0)
    return out


def _lstm_grad(grad, carry, kept, before, after):
    i, f, g, o = kept
    cell = np.tanh(after[1])
    carry = carry + grad * o * (1 - cell * cell)
    gates = (carry * g * i * (1 - i), carry * before[1] * f * (1 - f), carry * i * (1 - g * g),
             grad * cell * o * (1 - o))  # fmt: skip
    return gates, carry * f


def _gru_grad(grad, carry, kept, before, after):
    r, z, n, hn = kept
    grad = grad + carry
    new = grad * (1 - z) * (1 - n * n)
    update = grad * (before[0] - n) * z * (1 - z)
    return (new * hn * r * (1 - r), update, new * r, new), grad * z


def _tanh_grad(grad, carry, kept, before, after):
    return (grad * (1 - after[0] * after[0]),), carry


def _relu_grad(grad, carry, kept, before, after):
    return (np.where(after[0] <= 0, 0, grad),), carry


_GRADS: dict[str, Callable[..., Any]] = {
    "lstm": _lstm_grad, "gru": _gru_grad, "tanh": _tanh_grad, "relu": _relu_grad
}  # fmt: skip


def _recurrence_grad(params, memory, weight, outputs, *rest):
    cell = CELLS[params["cell"]]
    places = Places.of(cell, memory.size, *outputs.shape[1:])
    steps, batch, hidden = places.steps, places.batch, places.hidden
    if params["at"]:
        now, *rest = rest
        value, outputs = outputs, np.zeros((steps, batch, hidden), outputs.dtype)
        outputs[int(now)] = value[0]
    last, lengths = _lengths(rest, steps, batch)
    states = memory[: places.kept(0)].reshape(cell.states, steps + 1, batch, hidden)
    kept = memory[places.kept(0) :].reshape(-1, steps, batch, hidden)
    out = np.empty(places.grad_size(params["started"]), memory.dtype)
    wide = out[: places.first_grad(0)].reshape(steps, batch, cell.wide * hidden)
    grad = last[0]
    carry = last[1] if cell.states > 1 else np.zeros_like(grad)
    for step in reversed(range(steps)):
        now, before, after = times(step, steps, params["reverse"])
        if not params["reverse"]:
            grad = np.where(now == lengths - 1, last[0], grad)
        gates, left = _GRADS[params["cell"]](
            outputs[now] + grad, carry, kept[:, now], states[:, before], states[:, after]
        )
        wide[now] = np.where(now < lengths, np.concatenate(gates, 1), 0)
        carry = np.where(now < lengths, left, carry)
        grad = wide[now, :, : cell.gates * hidden] @ weight
    if params["started"]:
        first = [grad, carry] if cell.states > 1 else [grad + carry]
        out[places.first_grad(0) : places.totals(True)] = np.concatenate(first).reshape(-1)
    out[places.totals(params["started"]) :] = wide.sum((0, 1))
    return out


# The records ------------------------------------------------------------------------------------


def _without_lengths(name: str, specs, batch: int, params):
    """The operands without the lengths, which only go with steps in order."""
    if specs[-1].dtype.category != INTEGER:
        return specs
    if specs[-1].shape != (batch,) or params["reverse"]:
        raise kinds.RuleError(f"{name}: lengths ({batch}) of sequences, which start at time 0")
    return specs[:-1]


def _infer(specs, params):
    cell = CELLS[params["cell"]]
    first, *weights = specs[: 3 if params["direct"] else 2]
    rows, hidden = weights[-1].shape
    columns = weights[0].shape[1] if params["direct"] else rows
    good = rows == cell.gates * hidden and weights[0].shape[0] == rows
    if not good or first.ndim != 3 or first.shape[2] != columns:
        raise kinds.RuleError(
            f"recurrence: gates (T, B, {cell.gates} H) and weights ({cell.gates} H, H), or inputs "
            f"(T, B, I) and weights ({cell.gates} H, I) before them are wanted, got {first} and "
            f"{weights}"
        )
    steps, batch, _ = first.shape
    specs = _without_lengths("recurrence", specs, batch, params)
    own = kinds.same_dtype("recurrence", specs)
    states = cell.states if params["started"] else 0
    at = 1 + len(weights)
    if any(s.shape != (batch, hidden) for s in specs[at : at + states]):
        raise kinds.RuleError(f"recurrence: states must be ({batch}, {hidden})")
    return spec((Places(cell, steps, batch, hidden).size(params["keep"]),), own)


recurrence = register(
    Primitive(
        "recurrence",
        "recurrence",
        infer=_infer,
        reference=_recurrence,
        categories=FLOATS,
        doc="All steps of a cell: gates from the input (T, B, gates * H), or with ``direct`` the "
        "input (T, B, I) and its weights; recurrent weights, the first states (B, H) if "
        "``started`` (otherwise they are 0), perhaps a bias (gates * H) that goes with the "
        "weights, perhaps the lengths (B) of the sequences, at least 1: states stay as they are "
        "after the end.",
    )
)


def _infer_grad(specs, params):
    cell = CELLS[params["cell"]]
    places = Places.of(cell, specs[0].numel, *specs[2].shape[1:])
    specs = _without_lengths("recurrence_grad", specs, places.batch, params)
    own = kinds.same_dtype("recurrence_grad", [*specs[:3], *specs[4 if params["at"] else 3 :]])
    given = 1 if params["at"] else places.steps
    if specs[0].shape != (places.size(True),) or specs[2].shape[0] != given:
        raise kinds.RuleError(f"recurrence_grad: {specs[0]} is not a kept result of {specs[2]}")
    return spec((places.grad_size(params["started"]),), own)


recurrence_grad = register(
    Primitive(
        "recurrence_grad",
        "recurrence",
        infer=_infer_grad,
        reference=_recurrence_grad,
        categories=FLOATS,
        doc="Gradients of gates, of first states if ``started``, and of biases: from what "
        "recurrence kept, the recurrent weights, the gradients of all outputs (T, B, H) and of "
        "the last states, and the lengths if there are any: outputs after the end have no part. "
        "With ``at`` only one output has a gradient (1, B, H), and its time follows.",
    )
)


def multiplications(specs, params) -> int:
    """Of a recurrence or its gradient, roughly."""
    if not params.get("direct"):
        return specs[0].numel * specs[1].shape[-1]
    steps, batch, _ = specs[0].shape
    return steps * batch * (specs[1].numel + specs[2].numel)
