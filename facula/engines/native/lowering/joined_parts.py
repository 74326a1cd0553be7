"""Parts of an array joined again where they came from: then nothing need be copied.

The gradient of a split joins the gradients of its parts. Where one kernel made them all, it may
have put them side by side already.
"""

from __future__ import annotations

from facula.engines.native.lowering.expressions import MOVEMENT
from facula.engines.native.lowering.groups import view_of
from facula.engines.native.views import row_major
from facula.graph.node import Node
from facula.graph.primitives.movement import concat, reshape

_MOST = 8  # parts


def whole_again(node: Node) -> list[Node] | None:
    """The node that replaces a concatenation of all parts of an array, in order."""
    if node.primitive is not concat or len(node.inputs) > _MOST:
        return None
    base = _base(node.inputs[0])
    if base.spec.numel != node.spec.numel or any(_base(n) is not base for n in node.inputs[1:]):
        return None
    axis, strides = node.params["axis"], row_major(node.spec.shape).strides
    begin = 0
    for part in node.inputs:
        view = view_of(part, base)
        if view is None or view.offset != begin * strides[axis]:
            return None
        shape = part.spec.shape
        if any(a != b for a, b, n in zip(view.strides, strides, shape, strict=True) if n > 1):
            return None
        begin += shape[axis]
    return [Node(reshape, (base,), {"shape": node.spec.shape}, node.spec)]


def _base(node: Node) -> Node:
    while node.primitive.name in MOVEMENT:
        node = node.inputs[0]
    return node
