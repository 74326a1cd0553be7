"""Rewrites of windows: slices at known places, and sums of values put into zeros.

The gradient of every slice of an array is that array full of zeros with a value written into it;
backward then adds them all. Here such a sum becomes one node: the values joined, where they are
known to lie side by side, else each of them added to its window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from facula.base import dtypes
from facula.engines.native.lowering.expressions import is_zero, scalar_constant
from facula.graph.node import Node
from facula.graph.primitive import Primitive
from facula.graph.primitives.elementwise import add
from facula.graph.primitives.movement import (
    broadcast,
    concat,
    permute,
    slice_,
    window,
    window_update,
)
from facula.graph.primitives.recurrence import recurrence_grad

_MOST = 8  # slices of one array: each place is code of its own, which a long sequence must not be
_FEWEST = 2  # a single value put into zeros is better left to the loop that adds it


def _window_sum_reference(params, *operands):
    given = iter(operands)
    out = np.zeros(params["shape"], params["dtype"].numpy)
    if not params["zeros"]:
        out += next(given)
    for axes, sizes, steps in params["parts"]:
        value = next(given)
        where = {"axes": axes, "sizes": sizes, "steps": steps}
        starts = [next(given) for _ in axes]
        now = window.reference(where, out, *starts)
        out = window_update.reference(where, out, now + value, *starts)
    return out


WINDOW_SUM = Primitive(
    "window_sum_into",
    "movement",
    infer=lambda specs, params: specs[0],
    reference=_window_sum_reference,
    doc="Operand 0 (or zeros), and values added to windows of it; each is followed by its starts.",
)


def find_slices(nodes: Sequence[Node]) -> set[Node]:
    """The windows that are better read as slices: of arrays that are cut into a few parts."""
    windows = [n for n in nodes if n.primitive is window]
    count = Counter([n.inputs[0] for n in windows])
    return {n for n in windows if count[n.inputs[0]] <= _MOST}


def at_constants(node: Node) -> list[Node] | None:
    """The slice that replaces a window whose starts are constants."""
    starts = [scalar_constant(n) for n in node.inputs[1:]]
    if any(s is None for s in starts):
        return None
    x, sizes, steps = node.inputs[0], node.params["sizes"], node.params["steps"]
    first = dict(zip(node.params["axes"], starts, strict=True))
    start = tuple([first.get(axis, 0) for axis in range(len(sizes))])
    stop = tuple(
        [a + (n - 1) * step + 1 if n else a for a, n, step in zip(start, sizes, steps, strict=True)]
    )
    if any(a < 0 or b > n for a, b, n in zip(start, stop, x.spec.shape, strict=True)):
        return None
    params = {"start": start, "stop": stop, "step": tuple(steps)}
    return [Node(slice_, (x,), params, node.spec)]


def turned_before(node: Node) -> list[Node] | None:
    """The nodes that replace a permutation of a value put into zeros: the value is permuted.

    The gradient of one step of outputs that stand batch first would be turned as a whole.
    """
    if node.primitive is not permute or node.inputs[0].primitive is not window_update:
        return None
    put, axes = node.inputs[0], node.params["axes"]
    zeros, value, *starts = put.inputs
    whole = value.spec.shape == put.params["sizes"] and not value.spec.weak
    if not whole or zeros.primitive is not broadcast or not is_zero(zeros):
        return None
    if zeros.inputs[0].spec.ndim:
        return None
    start = Node(broadcast, zeros.inputs, {"shape": node.spec.shape}, node.spec)
    turned = Node(permute, (value,), {"axes": axes}, permute.infer([value.spec], {"axes": axes}))
    params = {name: tuple([put.params[name][a] for a in axes]) for name in ("sizes", "steps")}
    params["axes"] = tuple([axes.index(a) for a in put.params["axes"]])
    return [start, turned, Node(window_update, (start, turned, *starts), params, node.spec)]


def at_one_time(node: Node) -> list[Node] | None:
    """The node that replaces a recurrence's gradient where only one output has a gradient."""
    if node.primitive is not recurrence_grad or node.params["at"]:
        return None
    memory, weight, put, *others = node.inputs
    if not _puts_into_zeros(put, put):
        return None
    value, *starts = put.inputs[1:]
    if put.params["axes"] != (0,) or value.spec.shape != (1, *put.spec.shape[1:]):
        return None
    operands = (memory, weight, value, *starts, *others)
    return [Node(recurrence_grad, operands, {**node.params, "at": True}, node.spec)]


class Sum:
    """A tree of additions: its terms, those apart that are a value put into zeros."""

    def __init__(self, root: Node, inner: set[Node]):
        self.windows: list[Node] = []
        self.others: list[Node] = []
        stack = [root]
        while stack:
            node = stack.pop()
            if node is root or node in inner:
                stack.extend(reversed(node.inputs))
            elif _puts_into_zeros(node, root):
                self.windows.append(node)
            else:
                self.others.append(node)

    def replacement(self, root: Node, new: Mapping[Node, Node]) -> list[Node]:
        """The nodes that compute the same; the last is the sum."""
        spec, made = root.spec, []
        total = None
        for other in self.others:
            total = new[other] if total is None else Node(add, (total, new[other]), {}, spec)
            if total is not new[other]:
                made.append(total)
        axis, values = _side_by_side(self.windows, spec.shape)
        if values:
            joined = Node(concat, tuple([new[v] for v in values]), {"axis": axis}, spec)
            return [*made, joined] if total is None else [
                *made, joined, Node(add, (total, joined), {}, spec)
            ]  # fmt: skip
        operands = [new[n] for w in self.windows for n in w.inputs[1:]]
        params = {
            "zeros": total is None,
            "shape": spec.shape,
            "dtype": spec.dtype,
            "parts": tuple(
                [tuple([w.params[k] for k in ("axes", "sizes", "steps")]) for w in self.windows]
            ),
        }
        given = operands if total is None else [total, *operands]
        return [*made, Node(WINDOW_SUM, tuple(given), params, spec)]


def find_sums(nodes: Sequence[Node], outputs: Sequence[Node]) -> dict[Node, Sum]:
    """The sums, by the node that is their result, in which several values are put into zeros."""
    if sum(n.primitive is window_update for n in nodes) < _FEWEST:
        return {}
    users = Counter([i for n in nodes for i in n.inputs])
    users.update(outputs)
    inner: set[Node] = set()
    roots: list[Node] = []
    for node in reversed(nodes):
        if not _is_sum(node):
            continue
        if node not in inner:
            roots.append(node)
        inner.update([i for i in node.inputs if _is_sum(i) and users[i] == 1 and _alike(i, node)])
    found = {root: Sum(root, inner) for root in roots}
    return {root: s for root, s in found.items() if len(s.windows) >= _FEWEST}


def _is_sum(node: Node) -> bool:
    return node.primitive is add and node.spec.dtype in (dtypes.float32, dtypes.float64)


def _alike(node: Node, other: Node) -> bool:
    a, b = node.spec, other.spec
    return a.shape == b.shape and a.dtype is b.dtype and not a.weak and not b.weak


def _puts_into_zeros(node: Node, like: Node) -> bool:
    if node.primitive is not window_update or not _alike(node, like):
        return False
    zeros, value = node.inputs[:2]
    return is_zero(zeros) and value.spec.dtype is node.spec.dtype and not value.spec.weak


def _side_by_side(windows: Sequence[Node], shape) -> tuple[int, list[Node]]:
    """(axis, values) if the windows make up the whole array along one axis, else no values."""
    axes = {w.params["axes"] for w in windows}
    (first, *more) = axes
    if more or len(first) != 1 or any(s != 1 for w in windows for s in w.params["steps"]):
        return 0, []
    (axis,) = first
    placed = [(scalar_constant(w.inputs[2]), w.params["sizes"][axis], w.inputs[1]) for w in windows]
    if any(start is None for start, _, _ in placed):
        return 0, []
    at, values = 0, []
    for start, size, value in sorted(placed, key=lambda p: p[0]):
        own = (*shape[:axis], size, *shape[axis + 1 :])
        if start != at or value.spec.shape != own:
            return 0, []
        at += size
        values.append(value)
    return (axis, values) if at == shape[axis] else (0, [])
