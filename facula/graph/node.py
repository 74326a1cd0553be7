"""Node and Block: one applied primitive, and a straight-line program of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula.graph.primitive import Primitive, register
from facula.graph.spec import Spec

INPUT = register(
    Primitive("input", "input", infer=lambda s, p: p["spec"], reference=lambda p, *a: None)
)
PICK = register(
    Primitive(
        "pick",
        "pick",
        infer=lambda specs, params: specs[0][params["index"]],
        reference=lambda p, results: results[p["index"]],
        doc="One result of a primitive that has several.",
    )
)


class Node:
    """A primitive applied to other nodes; frozen by convention, its spec known from the start."""

    __slots__ = ("inputs", "params", "primitive", "source", "spec")

    def __init__(
        self, primitive: Primitive, inputs: tuple[Node, ...], params: dict[str, Any], spec
    ):
        self.primitive = primitive
        self.inputs = inputs
        self.params = params
        self.spec = spec
        self.source = None

    def __repr__(self) -> str:
        return f"<{self.primitive.name} {self.spec}>"


def apply(primitive: Primitive, inputs: tuple[Node, ...], params: dict[str, Any]) -> Node:
    """A new node; its spec is inferred at once, so a wrong operand is refused here."""
    return Node(primitive, inputs, params, primitive.infer([n.spec for n in inputs], params))


class Block:
    """A straight-line program: input nodes, nodes in order, output nodes.

    ``piece`` is what the runtime made of the block to run it by itself.
    """

    __slots__ = ("inputs", "nodes", "outputs", "piece", "specs")

    def __init__(self, inputs: Sequence[Node], nodes: Sequence[Node], outputs: Sequence[Node]):
        self.inputs = tuple(inputs)
        self.nodes = tuple(nodes)
        self.outputs = tuple(outputs)
        self.specs = tuple([node.spec for node in outputs])
        self.piece: Any = None


def input_node(spec: Spec) -> Node:
    """A placeholder for a value that comes from outside the block."""
    return Node(INPUT, (), {"spec": spec}, spec)
