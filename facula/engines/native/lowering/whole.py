"""Nodes that have a kernel of their own, which reads its operands from whole buffers."""

from __future__ import annotations

from collections.abc import Sequence

from facula.engines.native import structured
from facula.engines.native.kernel import Lowered
from facula.engines.native.lowering.expressions import is_zero
from facula.engines.native.lowering.patterns import MAX_POOL_GRAD
from facula.engines.native.views import View, row_major
from facula.graph.node import Node

_STARTS_FROM = frozenset(
    ("scatter", "index_put", "index_put_along", "slice_update", "window_update")
)


def starts_from_zeros(node: Node) -> bool:
    """Whether the node writes into zeros: then no array of zeros has to be made."""
    return node.primitive.name in _STARTS_FROM and is_zero(node.inputs[0])


def operands(node: Node) -> tuple[Node, ...]:
    """The operands that the kernel reads."""
    return node.inputs[1:] if starts_from_zeros(node) else node.inputs


def reads_views(node: Node) -> bool:
    """Whether the kernel reads operands where they lie, strided, as contractions do."""
    return node.primitive.kind == "attention"


def code(node: Node, views: Sequence[View] | None = None) -> Lowered | None:
    """The pieces that compute the node, or None if there is no kernel for it.

    ``views`` are those of its operands, where they are not whole buffers.
    """
    specs = [n.spec for n in node.inputs]
    if reads_views(node):
        views = views or [row_major(s.shape) for s in specs]
        return structured.lower_attention(node.primitive.name, node.params, views, node.spec.dtype)
    if node.primitive is MAX_POOL_GRAD:
        x, g = specs
        return structured.lower_max_pool_grad(node.params, x, g, node.params["relu"])
    zeros = starts_from_zeros(node)
    return structured.lower(node.primitive.name, node.params, specs, node.spec, zeros)
