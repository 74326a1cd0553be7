"""The first few of a sorted order: what topk records as a slice of an argsort."""

from __future__ import annotations

import numpy as np

from facula.graph.node import Node
from facula.graph.primitive import Primitive
from facula.graph.primitives.movement import slice_
from facula.graph.primitives.reduction import argsort
from facula.graph.spec import spec

_MOST = 64  # of a row: each that is found moves those behind it
_SHARE = 8  # a row is so many times longer


def _first_spec(specs, params):
    shape = (*specs[0].shape[:-1], params["count"])
    return spec(shape, argsort.infer(specs, {**params, "axis": len(shape) - 1}).dtype)


def _first_reference(params, x):
    order = argsort.reference({"axis": x.ndim - 1, "descending": params["descending"]}, x)
    return np.ascontiguousarray(order[..., : params["count"]])


FIRST_OF_ORDER = Primitive(
    "first_of_order",
    "sort",
    infer=_first_spec,
    reference=_first_reference,
    doc="The first ``count`` indices of argsort along the last axis.",
)


def first_of_order(node: Node) -> list[Node] | None:
    """The node that replaces a slice of an argsort along the last axis."""
    if node.primitive is not slice_ or node.inputs[0].primitive is not argsort:
        return None
    order, params = node.inputs[0], node.params
    (x,) = order.inputs
    shape, count = x.spec.shape, node.spec.shape[-1]
    if order.params["axis"] != len(shape) - 1 or node.spec.shape[:-1] != shape[:-1]:
        return None
    if any(params["start"]) or any(n != 1 for n in params["step"]):
        return None
    if not 0 < count <= min(_MOST, shape[-1] // _SHARE) or x.spec.dtype.numpy.itemsize > 4:
        return None
    given = {"count": count, "descending": bool(order.params["descending"])}
    return [Node(FIRST_OF_ORDER, (x,), given, node.spec)]
