"""What a contraction's kernel stores of the values that follow from its result.

An activation and its derivative are functions of one contraction. The backward pass would read the
contraction's result and compute the derivative from it, though the forward kernel has nearly all
of that in registers: it stores the derivative instead, if that takes no more memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush

from facula.engines.native.lowering.expressions import HEAVY, scalar_constant
from facula.graph.node import Node

_SMALL = 16  # elements of the result to one of an operand that may be read along


class Cuts:
    """Looks at the nodes of a plan; ``free(node)`` says what is there before the plan runs."""

    def __init__(self, nodes: Sequence[Node], outputs: set[Node], free: Callable[[Node], bool]):
        self.outputs, self.free = outputs, free
        self.number = {n: i for i, n in enumerate(nodes)}
        self.nodes = nodes
        self.users: dict[Node, list[Node]] = {}
        for node in nodes:
            for operand in dict.fromkeys(node.inputs):
                self.users.setdefault(operand, []).append(node)

    def settle(self, wanted: set[Node]) -> None:
        """Change which nodes get buffers where that saves memory or dear operations."""
        if not any(n.primitive.name in HEAVY for n in self.nodes):
            return
        for node in self.nodes:
            if node.primitive.kind == "contraction":
                region = self._region(node)
                if any(n.primitive.name in HEAVY for n in region):
                    self._move(node, region, wanted)

    def _region(self, anchor: Node) -> list[Node]:
        """The nodes that are functions of the anchor's element and of little else, in order."""
        found = {anchor: None}
        waiting = [self.number[n] for n in self.users.get(anchor, [])]
        waiting.sort()
        seen = set(waiting)
        while waiting:
            node = self.nodes[heappop(waiting)]
            if not self._follows(node, anchor, found):
                continue
            found[node] = None
            for user in self.users.get(node, []):
                number = self.number[user]
                if number not in seen:
                    seen.add(number)
                    heappush(waiting, number)
        return list(found)

    def _follows(self, node: Node, anchor: Node, region) -> bool:
        numel = anchor.spec.numel
        if node.primitive.kind != "elementwise" and node.primitive.name != "reshape":
            return False
        if node.spec.numel != numel:
            return False
        return all(n in region or self._is_small(n, numel) for n in node.inputs)

    def _is_small(self, node: Node, numel: int) -> bool:
        while node.primitive.name in ("broadcast", "reshape") and not self.free(node):
            node = node.inputs[0]
        there = self.free(node) or scalar_constant(node) is not None
        return there and node.spec.numel * _SMALL <= numel

    def _move(self, anchor: Node, region: list[Node], wanted: set[Node]) -> None:
        """Store what is used outside of the region, if what is stored now takes as much."""
        inside = set(region)
        used = [
            n
            for n in region
            if n in self.outputs or any(u not in inside for u in self.users.get(n, []))
        ]
        sinks = {_base(n, inside) for n in used}
        kept: set[Node] = set()
        for node in sinks:
            kept |= _stored(node, inside, wanted, anchor)
        if sinks == kept or _bytes(sinks) > _bytes(kept):
            return
        wanted |= sinks
        wanted -= inside - sinks - self.outputs - {anchor}


def _base(node: Node, inside: set[Node]) -> Node:
    while node.primitive.name == "reshape" and node.inputs[0] in inside:
        node = node.inputs[0]
    return node


def _stored(node: Node, inside: set[Node], wanted: set[Node], anchor: Node) -> set[Node]:
    """What another kernel would read for a node of the region."""
    found: set[Node] = set()
    waiting, seen = [node], set()
    while waiting:
        n = waiting.pop()
        if n in seen or n not in inside:
            continue
        seen.add(n)
        if n in wanted or n is anchor:
            found.add(n)
        else:
            waiting.extend(n.inputs)
    return found


def _bytes(nodes: set[Node]) -> int:
    return sum([n.spec.dtype.itemsize for n in nodes])
