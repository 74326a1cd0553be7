"""Splits a program into runs of nodes that have native code and nodes that have none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from facula.base.dtypes import COMPLEX, FLOAT
from facula.engines.native import scalars
from facula.engines.native.lowering import whole
from facula.engines.native.lowering.expressions import MOVEMENT
from facula.engines.native.lowering.fusion import REDUCTIONS
from facula.graph.node import INPUT, Node
from facula.graph.primitives.movement import iota
from facula.graph.spec import Spec


@dataclass
class Segment:
    """Nodes of one kind, what they read from before, and what is read of them afterwards."""

    native: bool
    nodes: list[Node]
    inputs: list[Node]
    outputs: list[Node]


def has_code(node: Node) -> bool:
    """Whether a generator makes native code for the node."""
    specs = [n.spec for n in node.inputs]
    spec = node.spec
    if not isinstance(spec, Spec) or not all(isinstance(s, Spec) for s in specs):
        return False
    if any(s.dtype.category == COMPLEX or s.numel == 0 for s in [spec, *specs]):
        return False
    name = node.primitive.name
    match node.primitive.kind:
        case "elementwise":
            return scalars.supports(name, node.params, [s.dtype for s in specs], spec.dtype)
        case "create":
            return True
        case "contraction":
            return spec.dtype.category == FLOAT
    if name in MOVEMENT or name in REDUCTIONS:
        return True
    return whole.code(node) is not None


def split(nodes: Sequence[Node], outputs: Sequence[Node], refused: set[Node]) -> list[Segment]:
    """Segments in the order in which they run; ``refused`` nodes are not native.

    Constants belong to every segment that uses them; a result that is one needs no segment.
    """
    stage: dict[Node, int] = {}
    members: dict[int, list[Node]] = {}
    wanted = set(outputs)
    for node in nodes:
        if node.primitive is INPUT:
            stage[node] = 0
        elif node.primitive.kind != "create" or (node in wanted and node.primitive is iota):
            native = node not in refused and has_code(node)
            earliest = max([stage.get(n, 0) for n in node.inputs], default=0)
            stage[node] = earliest + ((earliest % 2 == 0) != native)
            members.setdefault(stage[node], []).append(node)
    for node in nodes:
        wanted.update([n for n in node.inputs if n in stage and stage[n] != stage.get(node)])
    return [_segment(number, members[number], wanted) for number in sorted(members)]


def _segment(number: int, members: list[Node], wanted: set[Node]) -> Segment:
    inside = dict.fromkeys(members)
    given = dict.fromkeys([n for m in members for n in m.inputs if n not in inside])
    constants = [n for n in given if n.primitive.kind == "create"]
    inputs = [n for n in given if n.primitive.kind != "create"]
    results = [n for n in members if n in wanted]
    return Segment(number % 2 == 0, [*constants, *members], inputs, results)
