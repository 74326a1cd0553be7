"""Expressions: the nodes fused into one kernel, as a flat list of instructions over loop indices.

Movement (reshape, permute, slice, broadcast, flip) costs nothing here: it changes the index at
which the operand is read. An instruction is a tuple ``(what, dtype, ...)``; operands are numbers of
earlier instructions.
"""

from __future__ import annotations

from collections.abc import Callable
from math import frexp, isfinite

import numpy as np

from facula.base import dtypes
from facula.engines.native.lowering.forms import ZERO, Form, Index, Space, combine, scale, start
from facula.engines.native.structured.moves import fits
from facula.graph.node import INPUT, Node

HEAVY = frozenset("exp log tanh erf sin cos tan power log1p expm1 erfc lgamma atan2".split())
MOVEMENT = frozenset(("broadcast", "reshape", "permute", "slice", "flip"))


class Misaligned(Exception):
    """A value of the kernel is needed at another place than where it is computed."""


def moved(node: Node, index: Index) -> Index:
    """Where a movement node's element at ``index`` stands in its operand."""
    shape = node.inputs[0].spec.shape
    params = node.params
    match node.primitive.name:
        case "reshape":
            return index.reshaped(shape)
        case "broadcast":
            return index.broadcast_to_operand(shape)
    parts = index.parts
    match node.primitive.name:
        case "permute":
            found: list = [ZERO] * len(shape)
            for place, axis in enumerate(params["axes"]):
                found[axis] = parts[place]
        case "slice":
            bounds = zip(parts, params["step"], params["start"], strict=True)
            found = [scale(part, step, start) for part, step, start in bounds]
        case "flip":
            axes = {axis % len(shape) for axis in params["axes"]}
            found = [
                combine([(part, -1)], size - 1) if axis in axes else part
                for axis, (part, size) in enumerate(zip(parts, shape, strict=True))
            ]
    return Index(index.space, shape, tuple(found))


def moves_freely(node: Node) -> bool:
    """Whether the node is a slice that starts where Python's numbers say.

    It is read where it lies, as slices that are known are, in a buffer that somebody fills.
    """
    if node.primitive.name != "window":
        return False
    x, *starts = node.inputs
    numbers = all(n.primitive is INPUT and n.spec.weak for n in starts)
    return numbers and fits(x.spec, node.params, [n.spec for n in starts])


def scalar_constant(node: Node):
    """The one value of a constant node, or None if it has several."""
    if node.primitive.name != "constant":
        return None
    array = node.params["data"].array
    return array.reshape(-1)[0].item() if array.size == 1 else None


def is_zero(node: Node) -> bool:
    """Whether the node is a constant 0, however large."""
    while node.primitive.name in ("broadcast", "reshape"):
        node = node.inputs[0]
    return scalar_constant(node) == 0


class Builder:
    """Collects the instructions of one kernel.

    ``slot(node)`` numbers the buffers it reads; ``is_buffer(node)`` says which nodes have one.
    ``registers`` are nodes that the kernel itself computes, with the index where it has them.
    """

    def __init__(
        self, space: Space, is_buffer: Callable[[Node], bool], slot: Callable[[Node], int]
    ):
        self.space = space
        self.is_buffer = is_buffer
        self.slot = slot
        self.instructions: list[tuple] = []
        self._known: dict[tuple, int] = {}
        self._memo: dict[tuple, int] = {}
        self.registers: dict[Node, tuple[Form, int]] = {}

    def emit(self, *instruction) -> int:
        found = self._known.get(instruction)
        if found is None:
            found = self._known[instruction] = len(self.instructions)
            self.instructions.append(instruction)
        return found

    def define(self, node: Node, index: Index, instruction: int) -> None:
        """The kernel has ``node``'s value at ``index`` in a register."""
        self.registers[node] = (index.linear, instruction)

    def value(self, node: Node, index: Index) -> int:
        """The instruction that gives ``node``'s element at ``index``."""
        key = (node, index.linear)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._value(node, index)
        return found

    def _value(self, node: Node, index: Index) -> int:
        held = self.registers.get(node)
        if held is not None:
            if held[0] != index.linear:
                raise Misaligned(node)
            return held[1]
        name, dtype = node.primitive.name, node.spec.dtype
        if name == "constant":
            value = scalar_constant(node)
            if value is not None:
                return self.emit("const", dtype.name, repr(value))
        if self.is_buffer(node):
            if node.spec.weak and node.primitive is INPUT:
                return self.emit("number", dtype.name, self.slot(node))
            return self.emit("load", dtype.name, self.slot(node), index.linear)
        if name in MOVEMENT:
            return self.value(node.inputs[0], moved(node, index))
        if name == "window":
            return self._window(node, index)
        if name == "iota":
            return self.emit("index", dtype.name, index.linear)
        operands = tuple(
            [self.value(n, index.broadcast_to_operand(n.spec.shape)) for n in node.inputs]
        )
        if name == "div":
            inverse = _exact_inverse(self.instructions[operands[1]])
            if inverse is not None:
                name, operands = "mul", (operands[0], self.emit(*inverse))
        return self.emit(
            "op", dtype.name, name, tuple(sorted(_static(node).items())), operands,
            tuple([n.spec.dtype.name for n in node.inputs]),
        )  # fmt: skip

    def _window(self, node: Node, index: Index) -> int:
        """What a slice shows: an element of the buffer under it, mostly."""
        base, params = node.inputs[0], node.params
        shape = base.spec.shape
        found = [scale(part, step) for part, step in zip(index.parts, params["steps"], strict=True)]
        for axis, number in zip(params["axes"], node.inputs[1:], strict=True):
            reach = (params["sizes"][axis] - 1) * params["steps"][axis] + 1
            first = start(self.slot(number), max(0, shape[axis] - max(reach, 0)))
            found[axis] = combine([(found[axis], 1), (first, 1)])
        place = Index(self.space, shape, tuple(found))
        if base.primitive.name != "reshape":
            return self.value(base, place)
        # A position that is known only when the program runs is not divided into others.
        while not self.is_buffer(base) and base not in self.registers:
            assert base.primitive.name == "reshape", "a slice of a reshaped array needs a buffer"
            base = base.inputs[0]
        if base in self.registers:
            raise Misaligned(base)
        return self.emit("load", node.spec.dtype.name, self.slot(base), place.linear)


def _exact_inverse(divisor: tuple) -> tuple | None:
    """1 / 2^k for a constant 2^k: multiplying by it gives what dividing does, far sooner."""
    if divisor[0] != "const" or not dtypes.by_name(divisor[1]).is_floating_point:
        return None
    value = float(parse_constant(divisor[2]))
    if not isfinite(value) or abs(frexp(value)[0]) != 0.5 or not 2**-14 <= abs(value) <= 2**14:
        return None
    return "const", divisor[1], repr(1 / value)


def _static(node: Node) -> dict[str, str]:
    return {k: v.name if isinstance(v, dtypes.dtype) else repr(v) for k, v in node.params.items()}


def parse_constant(text: str):
    """The number that ``repr`` wrote."""
    special = {"inf": np.inf, "-inf": -np.inf, "nan": np.nan, "True": True, "False": False}
    if text in special:
        return special[text]
    return float(text) if any(c in text for c in ".einf") else int(text)
