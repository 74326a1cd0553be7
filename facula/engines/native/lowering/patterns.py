"""Rewrites of several nodes into one that has better code than the parts.

Max pooling's gradient is recorded as a scatter to the positions that ``window_argmax`` gives. Read
together with the pooling's input it needs no index array, and no zeros to scatter into.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facula.engines.native.lowering.expressions import is_zero
from facula.engines.native.lowering.index_patterns import indexed_in_place, joined_runs
from facula.engines.native.lowering.joined_parts import whole_again
from facula.engines.native.lowering.sort_patterns import first_of_order
from facula.engines.native.lowering.window_patterns import (
    at_constants,
    at_one_time,
    find_slices,
    find_sums,
    turned_before,
)
from facula.graph.node import Node
from facula.graph.passes import live_nodes
from facula.graph.primitive import Primitive
from facula.graph.primitives.indexing import index, index_put, scatter
from facula.graph.primitives.movement import concat, reshape, window, window_update
from facula.graph.primitives.reduction import argsort, maximum
from facula.graph.primitives.window import window_argmax, window_max


def _max_pool_grad_reference(params, x, g):
    index = window_argmax.reference(params, x)
    rank = len(params["out"])
    lead = x.shape[: x.ndim - rank]
    flat = (int(np.prod(lead)), -1)
    where = {"axis": 1, "mode": "add"}
    zeros = np.zeros((flat[0], int(np.prod(x.shape[x.ndim - rank :]))), g.dtype)
    out = scatter.reference(where, zeros, index.reshape(flat), g.reshape(flat)).reshape(x.shape)
    return np.where(x <= 0, 0, out).astype(g.dtype) if params["relu"] else out


MAX_POOL_GRAD = Primitive(
    "max_pool_grad",
    "window",
    infer=lambda specs, params: specs[0],
    reference=_max_pool_grad_reference,
    doc="Gradient of window_max for its input; with ``relu`` zero where that is not positive.",
)


# Nothing is rewritten without one of these.
_STARTING = (scatter, window, window_update, index, index_put, argsort, window_max, concat)


def rewrite(nodes: Sequence[Node], outputs: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """The program with every known pattern replaced."""
    if not any(n.primitive in _STARTING for n in nodes):
        return list(nodes), list(outputs)
    sums, slices = find_sums(nodes, outputs), find_slices(nodes)
    new: dict[Node, Node] = {}
    made: list[Node] = []
    for node in nodes:
        inputs = tuple([new[n] for n in node.inputs])
        if inputs != node.inputs:
            copy = Node(node.primitive, inputs, node.params, node.spec)
            copy.source = node.source
            node, original = copy, node
        else:
            original = node
        if original in sums:
            found = sums[original].replacement(original, new)
        elif original in slices:
            found = at_constants(node) or [node]
        else:
            found = _one_node(node) or [node]
        found[-1].source = node.source
        made.extend(found)
        new[original] = found[-1]
    results = [new[n] for n in outputs]
    return live_nodes(made, results), results


def _one_node(node: Node) -> list[Node] | None:
    return (
        _max_pool_grad(node)
        or _masked_by_relu(node)
        or indexed_in_place(node)
        or whole_again(node)
        or joined_runs(node)
        or first_of_order(node)
        or _whole_maximum(node)
        or turned_before(node)
        or at_one_time(node)
    )


def _whole_maximum(node: Node) -> list[Node] | None:
    """The nodes that replace ``window_max`` with one window for each plane."""
    if node.primitive is not window_max:
        return None
    x, params = node.inputs[0], node.params
    rank = len(params["out"])
    sizes = x.spec.shape[x.spec.ndim - rank :]
    if tuple(params["kernel"]) != sizes or any(map(any, params["padding"])) or 0 in sizes:
        return None
    if any(n != 1 for n in params["out"]):
        return None
    axes = {"axes": tuple(range(x.spec.ndim - rank, x.spec.ndim))}
    found = Node(maximum, (x,), axes, maximum.infer([x.spec], axes))
    return [found, Node(reshape, (found,), {"shape": node.spec.shape}, node.spec)]


def _max_pool_grad(node: Node) -> list[Node] | None:
    """The nodes that replace ``reshape(scatter(0, reshape(window_argmax x), reshape g))``."""
    if node.primitive is not reshape or node.inputs[0].primitive is not scatter:
        return None
    zeros, where, values = node.inputs[0].inputs
    argmax = _before_reshape(where)
    if argmax.primitive is not window_argmax or not is_zero(zeros):
        return None
    x, params = argmax.inputs[0], argmax.params
    if x.spec.numel == 0:
        return None
    plane = 1
    for n in x.spec.shape[x.spec.ndim - len(params["out"]) :]:
        plane *= n
    flat = (x.spec.numel // plane, plane)
    same_rows = where.spec.shape[0] == flat[0] and node.inputs[0].spec.shape == flat
    if node.spec.shape != x.spec.shape or not same_rows or node.inputs[0].params["axis"] != 1:
        return None
    if node.inputs[0].params["mode"] not in ("set", "add"):
        return None
    g = _before_reshape(values)
    before = []
    if g.spec.shape != argmax.spec.shape:
        spec = reshape.infer([g.spec], {"shape": argmax.spec.shape})
        g = Node(reshape, (g,), {"shape": argmax.spec.shape}, spec)
        before.append(g)
    return [*before, Node(MAX_POOL_GRAD, (x, g), {**params, "relu": False}, node.spec)]


def _masked_by_relu(node: Node) -> list[Node] | None:
    """The node that replaces ``select(x <= 0, 0, max_pool_grad(x, g))``."""
    if node.primitive.name != "select":
        return None
    condition, zero, grad = node.inputs
    if grad.primitive is not MAX_POOL_GRAD or condition.primitive.name != "less_equal":
        return None
    x, bound = condition.inputs
    if x is not grad.inputs[0] or not is_zero(bound) or not is_zero(zero):
        return None
    return [Node(MAX_POOL_GRAD, grad.inputs, {**grad.params, "relu": True}, node.spec)]


def _before_reshape(node: Node) -> Node:
    while node.primitive is reshape:
        node = node.inputs[0]
    return node
