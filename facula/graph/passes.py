"""Passes every engine profits from: merge equal nodes, drop dead ones."""

from __future__ import annotations

from collections.abc import Sequence

from facula.graph.composite import Composite
from facula.graph.node import INPUT, Block, Node


class Flattener:
    """Copies blocks into one list of nodes, merging nodes that compute the same thing.

    Two nodes are the same when primitive, params and inputs are: a derivative that computes
    again what the forward pass computed costs nothing.
    """

    def __init__(self):
        self.nodes: list[Node] = []
        self._seen: dict[tuple, Node] = {}

    def add_input(self, node: Node) -> Node:
        self.nodes.append(node)
        return node

    def inline(
        self, block: Block | Composite, arguments: Sequence[Node], source=None
    ) -> list[Node]:
        """Append the block's nodes with its inputs replaced; returns its outputs."""
        if isinstance(block, Composite):
            return self._inline_parts(block, arguments, source)
        table = dict(zip(block.inputs, arguments, strict=True))
        seen, append = self._seen, self.nodes.append
        for node in block.nodes:
            inputs = tuple([table[n] for n in node.inputs])
            params = node.params
            key: tuple = (node.primitive, inputs)
            if params:
                key = (*key, *params.items())
            found = seen.get(key)
            if found is None:
                found = seen[key] = Node(node.primitive, inputs, params, node.spec)
                found.source = source
                append(found)
            table[node] = found
        return [table[n] for n in block.outputs]

    def _inline_parts(self, composite: Composite, arguments: Sequence[Node], source) -> list[Node]:
        found = list(arguments)
        at = 0
        for part in composite.parts:
            end = at + len(part.inputs)
            operands = [found[place] for place in composite.places[at:end]]
            found += self.inline(part, operands, source)
            at = end
        return [found[place] for place in composite.outputs]


def live_nodes(nodes: Sequence[Node], outputs: Sequence[Node]) -> list[Node]:
    """The nodes that an output depends on (inputs are always kept), in their order."""
    needed = set(outputs)
    kept = []
    for node in reversed(nodes):
        if node in needed or node.primitive is INPUT:
            needed.update(node.inputs)
            kept.append(node)
    kept.reverse()
    return kept
