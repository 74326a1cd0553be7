"""Group: nodes that one kernel computes, collected while it is decided what joins."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from facula.engines.native.lowering.expressions import Builder, Misaligned, moved
from facula.engines.native.lowering.forms import (
    Form,
    Index,
    Space,
    SplitNeeded,
    combine,
    of_dims,
    starts,
    symbol,
    with_slots,
)
from facula.engines.native.lowering.loops import LoopProgram, Store, live, renumbered, simplified
from facula.engines.native.views import View
from facula.graph.node import Node

_MOST_SPLITS = 8
_LARGEST = 80  # instructions of a kernel


class Refused(Exception):
    """A node cannot join a group."""


class Group:
    """A kernel under construction: a loop over ``shape``, of which ``axes`` are reduced.

    A contraction's group has its result as *anchor*, and loops over (batch, row, column).
    """

    def __init__(self, number: int, shape, axes, is_buffer: Callable[[Node], bool], anchor=None):
        self.number = number
        self.shape = tuple(shape)
        self.axes = tuple(axes)
        self.is_buffer = is_buffer
        self.anchor: Node | None = anchor
        self.members: list[Node] = [] if anchor is None else [anchor]
        self.full: dict[Node, bool] = {}
        self.operand_bases: list[Node] = []  # of a contraction: the buffers it multiplies
        self.ancestors = 0  # bits: the groups that must run before
        self.splits: dict[int, list[int]] = {}
        self.loads: dict[Node, int] = {}
        self._prepare()

    # Loops --------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Start over with the dimensions as they are split now."""
        kept = [a for a in range(len(self.shape)) if a not in self.axes]
        sizes: list[int] = []
        forms: dict[int, Form] = {}
        for axis in [*kept, *self.axes]:
            parts = self.splits.get(axis, [self.shape[axis]])
            dims = range(len(sizes), len(sizes) + len(parts))
            strides = [prod(parts[i + 1 :]) for i in range(len(parts))]
            forms[axis] = combine([(symbol(d), s) for d, s in zip(dims, strides, strict=True)])
            sizes.extend(parts)
            if axis == (kept[-1] if kept else None):
                self.outer = len(sizes)
        if not kept:
            self.outer = 0
        self.sizes = sizes
        self.space = Space(dict(enumerate(sizes)), may_split=self.anchor is None)
        self.element = Index(
            self.space, self.shape, tuple([forms[a] for a in range(len(self.shape))])
        )
        self.row = Index(
            self.space, tuple([self.shape[a] for a in kept]), tuple([forms[a] for a in kept])
        )
        self.loads = {}
        self.builder = Builder(self.space, self.is_buffer, self._slot)
        if self.anchor is not None:
            name = self.anchor.spec.dtype.name
            self.builder.define(self.anchor, self.element, self.builder.emit("anchor", name))

    def _slot(self, node: Node) -> int:
        return self.loads.setdefault(node, len(self.loads))

    def _split(self, dim: int, inner: int) -> None:
        """Replace the loop over ``dim`` by two."""
        at = 0
        kept = [a for a in range(len(self.shape)) if a not in self.axes]
        for axis in [*kept, *self.axes]:
            parts = self.splits.get(axis, [self.shape[axis]])
            if dim < at + len(parts):
                place = dim - at
                parts = [*parts[:place], parts[place] // inner, inner, *parts[place + 1 :]]
                self.splits[axis] = parts
                return
            at += len(parts)

    # Members ------------------------------------------------------------------------------------

    @property
    def registers(self) -> dict[Node, tuple[Form, int]]:
        """Where the kernel has its members, and the instruction that computes each."""
        return self.builder.registers

    @property
    def instructions(self) -> list[tuple]:
        return self.builder.instructions

    @property
    def rows(self) -> int:
        return prod([n for a, n in enumerate(self.shape) if a not in self.axes])

    def join(self, node: Node) -> None:
        """Compute ``node`` here too; raises Refused where that cannot be."""
        splits = dict(self.splits)
        try:
            self._add(node)
            if len(self.builder.instructions) > _LARGEST and len(self.members) > 1:
                raise Refused
            if self.anchor is not None and not self._affine():
                raise Refused
        except (Misaligned, Refused):
            self.splits = splits
            self._rebuild()
            raise Refused from None
        self.members.append(node)

    def _affine(self) -> bool:
        instructions = self.builder.instructions
        return all(i[-1].affine for i in instructions if i[0] in ("load", "index"))

    def _add(self, node: Node) -> None:
        for _ in range(_MOST_SPLITS):
            try:
                self._compute(node)
                return
            except SplitNeeded as wanted:
                self._split(wanted.dim, wanted.inner)
                self._rebuild()
        self.space.may_split = False
        self._compute(node)

    def _rebuild(self) -> None:
        for _ in range(_MOST_SPLITS):
            try:
                self._prepare()
                for member in self.members:
                    if member is not self.anchor:
                        self._compute(member)
                return
            except SplitNeeded as wanted:
                self._split(wanted.dim, wanted.inner)

    def _compute(self, node: Node) -> None:
        if "axes" in node.params and node.primitive.kind == "reduce":
            operand = node.inputs[0]
            if operand.spec.shape != self.shape or tuple(sorted(node.params["axes"])) != self.axes:
                raise Refused
            value = self.builder.value(operand, self.element)
            dtype = node.spec.dtype.name
            result = self.builder.emit("reduce", dtype, node.primitive.name, value)
            self.builder.define(node, self.row.reshaped(node.spec.shape), result)
            self.full[node] = False
            return
        numel = node.spec.numel
        full = numel == self.element_count
        if not full and numel != self.rows:
            raise Refused
        index = (self.element if full else self.row).reshaped(node.spec.shape)
        self.builder.define(node, index, self._inline(node, index))
        self.full[node] = full

    @property
    def element_count(self) -> int:
        return prod(self.shape)

    def _inline(self, node: Node, index: Index) -> int:
        """The node's instruction although it is to have a buffer: this kernel fills it."""
        builder, is_buffer = self.builder, self.is_buffer
        builder.is_buffer = lambda n: n is not node and is_buffer(n)
        try:
            return builder.value(node, index)
        finally:
            builder.is_buffer = is_buffer

    # The finished kernel --------------------------------------------------------------------------

    def finish(self, stored: list[Node]) -> tuple[LoopProgram, list[Node]]:
        """The loop program that stores ``stored``, and the nodes it loads in slot order.

        Slots: first what is loaded, then what is stored.
        """
        wanted = [self.builder.registers[n][1] for n in stored]
        kept = live(self.builder.instructions, wanted)
        names = {old: new for new, old in enumerate(kept)}
        by_slot = {slot: node for node, slot in self.loads.items()}
        slots: dict[int, int] = {}
        instructions = []
        for old in kept:
            instruction = self.builder.instructions[old]
            if instruction[0] in ("load", "number"):
                slot = slots.setdefault(instruction[2], len(slots))
                instruction = (*instruction[:2], slot, *instruction[3:])
            if instruction[0] == "load":
                for number, _ in starts(instruction[3]):
                    slots.setdefault(number, len(slots))
                instruction = (*instruction[:3], with_slots(instruction[3], slots))
            instructions.append(renumbered(instruction, names))
        loaded = [by_slot[s] for s in slots]
        stores = []
        for i, node in enumerate(stored):
            place, value = self.builder.registers[node]
            full = self.full.get(node, True)
            stores.append(Store(len(loaded) + i, node.spec.dtype.name, names[value], place, full))
        program = LoopProgram(
            tuple(self.sizes), self.outer, tuple(instructions), tuple(stores),
            len(loaded) + len(stored),
        )  # fmt: skip
        return (program if self.anchor is not None else simplified(program)), loaded


def view_of(node: Node, base: Node) -> View | None:
    """How ``node``, reached from the buffer of ``base`` by movements, lies in that buffer."""
    shape = node.spec.shape
    space = Space(dict(enumerate(shape)), may_split=False)
    index = of_dims(space, shape, range(len(shape)))
    while node is not base:
        index, node = moved(node, index), node.inputs[0]
    form = index.linear
    if not form.affine:
        return None
    return View(shape, tuple([form.coefficient(d) for d in range(len(shape))]), form.const)
