"""The first few of a sorted order: what topk records as a slice of an argsort."""

from __future__ import annotations

import numpy as np

from facula.graph.node import Node
from facula.graph.primitive import Primitive
from facula.graph.primitives.movement import permute, slice_
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
    """The nodes that replace a slice of an argsort; the sorted axis becomes the last one."""
    if node.primitive is not slice_ or node.inputs[0].primitive is not argsort:
        return None
    order, params = node.inputs[0], node.params
    (x,) = order.inputs
    axis, shape, found = order.params["axis"], x.spec.shape, node.spec.shape
    others = [d for d in range(len(shape)) if d != axis]
    if any(shape[d] != found[d] for d in others) or any(params["start"]):
        return None
    count = found[axis]
    if any(n != 1 for n in params["step"]) or x.spec.dtype.numpy.itemsize > 4:
        return None
    if not 0 < count <= min(_MOST, shape[axis] // _SHARE):
        return None
    given = {"count": count, "descending": bool(order.params["descending"])}
    if axis == len(shape) - 1:
        return [Node(FIRST_OF_ORDER, (x,), given, node.spec)]
    rows = _permuted(x, (*others, axis))
    chosen = Node(FIRST_OF_ORDER, (rows,), given, _first_spec([rows.spec], given))
    back = tuple([others.index(d) if d != axis else len(others) for d in range(len(shape))])
    return [rows, chosen, _permuted(chosen, back)]


def _permuted(x: Node, axes: tuple[int, ...]) -> Node:
    return Node(permute, (x,), {"axes": axes}, permute.infer([x.spec], {"axes": axes}))
