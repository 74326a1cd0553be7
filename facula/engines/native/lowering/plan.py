"""From a run of nodes to steps over numbered buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from facula.engines.native import contraction
from facula.engines.native.kernel import (
    Kernel,
    Lowered,
    Piece,
    Ref,
    constant,
    given,
    result,
    temporary,
)
from facula.engines.native.lowering import donation, loop_kernel, whole
from facula.engines.native.lowering.epilogue import Epilogue
from facula.engines.native.lowering.fusion import Fusion
from facula.engines.native.lowering.groups import Group, view_of
from facula.engines.native.lowering.memory import Temporary, arrange
from facula.engines.native.views import View
from facula.graph.node import INPUT, Node


class Unsupported(Exception):
    """No generator makes code for a node; it runs on the reference engine."""

    def __init__(self, node: Node):
        super().__init__(node)
        self.node = node


@dataclass
class Step:
    """A kernel on buffers of the plan, the nodes it computes, and the indices it checks."""

    kernel: Kernel
    operands: tuple[int, ...]
    writes: tuple[int, ...]
    nodes: tuple[Node, ...]
    checks: tuple[tuple[int, int], ...] = ()


@dataclass
class Plan:
    """Steps over slots: inputs first, then outputs, then constants, the status and temporaries."""

    inputs: list[Node]
    outputs: list[Node]
    steps: list[Step] = field(default_factory=list)
    constants: dict[int, np.ndarray] = field(default_factory=dict)
    temporaries: dict[int, Temporary] = field(default_factory=dict)
    donors: list[tuple[int, int]] = field(default_factory=list)
    status: int = 0
    slots: int = 0
    arena: int = 0


class Planner:
    """Lowers the groups of a fusion in order and numbers their buffers."""

    def __init__(self, nodes: Sequence[Node], inputs: Sequence[Node], outputs: Sequence[Node]):
        self.plan = Plan(list(inputs), list(outputs))
        self.slot: dict[Node, int] = {n: i for i, n in enumerate(inputs)}
        for node in outputs:
            self.slot[node] = len(self.slot)
        self.plan.status = len(self.slot)
        self.plan.slots = self.plan.status + 1
        self.fusion = Fusion(nodes, outputs)
        self.plan.donors = donation.find(self.fusion, inputs, outputs, self._reads)
        groups = self.fusion.ordered()
        self.needed = set(self.fusion.outputs)
        for group in groups:
            self.needed.update(self._reads(group))
        for group in groups:
            self._lower(group)
        self._finish()

    # Groups ---------------------------------------------------------------------------------------

    def _reads(self, group: Group) -> list[Node]:
        found = [n for n in group.loads if self.fusion.home.get(n) is not group]
        anchor = group.anchor
        return found if anchor is None else [*found, *self.fusion.sources(anchor)]

    def _lower(self, group: Group) -> None:
        anchor = group.anchor
        if anchor is None:
            self._loop(group)
        elif anchor.primitive.kind == "contraction":
            self._contraction(group, anchor)
        elif anchor.primitive.name == "constant":
            self.plan.constants[self._slot(anchor)] = np.ascontiguousarray(
                anchor.params["data"].array
            )
        else:
            self._structured(anchor)

    def _stored(self, group: Group) -> list[Node]:
        return [n for n in group.members if n in self.needed]

    def _loop(self, group: Group) -> None:
        stored = self._stored(group)
        if not stored:
            return
        program, loaded = group.finish(stored)
        kind = "reduce" if group.axes else "loop"
        kernel = loop_kernel.kernel(program, kind)
        operands = [self._slot(n) for n in [*loaded, *stored]]
        writes = tuple(range(len(loaded), len(operands)))
        self.plan.steps.append(Step(kernel, tuple(operands), writes, tuple(group.members)))

    def _contraction(self, group: Group, anchor: Node) -> None:
        stored = self._stored(group)
        views = self._views(anchor)
        epilogue, extras = None, []
        if stored != [anchor]:
            program, loaded = group.finish(stored)
            epilogue = Epilogue(program, len(loaded))
            extras = [*loaded, *stored]
        lowered = contraction.lower(
            anchor.primitive.name, anchor.params, anchor.spec.dtype, views[0], views[1],
            anchor.spec.shape, epilogue,
        )  # fmt: skip
        if lowered is None:
            raise Unsupported(anchor)
        known = {given(i): self._slot(self.fusion.viewed(n)) for i, n in enumerate(anchor.inputs)}
        known.update({given(2 + i): self._slot(n) for i, n in enumerate(extras)})
        if epilogue is None:
            known[result()] = self._slot(anchor)
        self._add(lowered, known, tuple(group.members))

    def _views(self, anchor: Node) -> list[View]:
        """How the operands lie in the buffers they are read from."""
        views = []
        for operand in anchor.inputs:
            view = view_of(operand, self.fusion.viewed(operand))
            assert view is not None
            views.append(view)
        return views

    def _structured(self, node: Node) -> None:
        views = self._views(node) if whole.reads_views(node) else None
        lowered = whole.code(node, views)
        if lowered is None:
            raise Unsupported(node)
        read = self.fusion.sources(node)
        first = len(node.inputs) - len(read)
        known = {given(first + i): self._slot(n) for i, n in enumerate(read)}
        known[result()] = self._slot(node)
        self._add(lowered, known, (node,))

    # Buffers --------------------------------------------------------------------------------------

    def _slot(self, node: Node) -> int:
        found = self.slot.get(node)
        if found is None:
            found = self.slot[node] = self._new_slot()
            if node.primitive.name != "constant":
                self.plan.temporaries[found] = Temporary(_bytes(node), len(self.plan.steps))
        return found

    def _new_slot(self) -> int:
        self.plan.slots += 1
        return self.plan.slots - 1

    def _add(self, lowered: Lowered, known: dict[Ref, int], nodes: tuple[Node, ...]) -> None:
        known[Ref("status")] = self.plan.status
        for i, nbytes in enumerate(lowered.temps):
            slot = known[temporary(i)] = self._new_slot()
            self.plan.temporaries[slot] = Temporary(nbytes, len(self.plan.steps))
        for i, array in enumerate(lowered.constants):
            slot = known[constant(i)] = self._new_slot()
            self.plan.constants[slot] = array
        for piece in lowered.pieces:
            self.plan.steps.append(_step(piece, known, nodes))

    def _finish(self) -> None:
        for number, step in enumerate(self.plan.steps):
            for slot in step.operands:
                lasting = self.plan.temporaries.get(slot)
                if lasting is not None:
                    lasting.last = max(lasting.last, number)
        self.plan.arena = arrange(list(self.plan.temporaries.values()))


def _step(piece: Piece, known: dict[Ref, int], nodes: tuple[Node, ...]) -> Step:
    operands = tuple([known[ref] for ref in piece.operands])
    checks = tuple([(known[index], size) for index, size in piece.checks])
    return Step(piece.kernel, operands, piece.writes, nodes, checks)


def _bytes(node: Node) -> int:
    """How large the buffer of a node is; bfloat16 is kept as float32."""
    return node.spec.numel * max(node.spec.dtype.numpy.itemsize, 1)


def lower(nodes: Sequence[Node], inputs: Sequence[Node], outputs: Sequence[Node]) -> Plan:
    """Plan a run of nodes that all have generators; raises Unsupported for one that has none."""
    live = [n for n in nodes if n.primitive is not INPUT]
    return Planner(live, inputs, outputs).plan
