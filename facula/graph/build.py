"""Trace: collects the primitives that a Python function applies into a Block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula.graph.node import PICK, Block, Node, apply, input_node
from facula.graph.primitive import Primitive
from facula.graph.spec import Spec


class Trace:
    """A block under construction."""

    __slots__ = ("inputs", "nodes")

    def __init__(self):
        self.inputs: list[Node] = []
        self.nodes: list[Node] = []

    def input(self, spec: Spec) -> Node:
        node = input_node(spec)
        self.inputs.append(node)
        return node

    def bind(self, primitive: Primitive, inputs: tuple[Node, ...], params: dict[str, Any]) -> Node:
        node = apply(primitive, inputs, params)
        self.nodes.append(node)
        return node

    def pick(self, node: Node, index: int) -> Node:
        return self.bind(PICK, (node,), {"index": index})

    def block(self, outputs: Sequence[Node]) -> Block:
        """The finished block, without nodes that no output needs."""
        needed = set(outputs)
        kept = []
        for node in reversed(self.nodes):
            if node in needed:
                needed.update(node.inputs)
                kept.append(node)
        return Block(self.inputs, kept[::-1], outputs)
