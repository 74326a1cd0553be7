"""Indexing an axis in the middle: read and written where it lies, instead of moved to the front.

``x[:, i]`` is recorded as a permutation, ``index`` for the leading axes, and a permutation back;
its gradient likewise. Copies of whole arrays, transposed, cost far more than the reading itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np

from facula.base.dtypes import float32, float64
from facula.engines.native.lowering.expressions import is_zero
from facula.graph.node import Node
from facula.graph.primitive import Primitive
from facula.graph.primitives.indexing import index, index_put
from facula.graph.primitives.movement import concat, constant, permute, reshape, slice_
from facula.graph.spec import spec


def _forward(ndim: int, lead: int, count: int) -> tuple[int, ...]:
    """The permutation that brings ``count`` axes before the first ``lead``."""
    first = (*range(lead, lead + count), *range(lead))
    return (*first, *range(len(first), ndim))


def _index_along_reference(params, x, *indices):
    lead, behind = params["lead"], np.broadcast(*indices).ndim
    moved = np.transpose(x, _forward(x.ndim, lead, len(indices)))
    out = index.reference({}, moved, *indices)
    return np.transpose(out, np.argsort(_forward(out.ndim, lead, behind)))


def _index_along_spec(specs, params):
    x, *indices = specs
    lead, count = params["lead"], len(indices)
    middle = np.broadcast_shapes(*[i.shape for i in indices])
    return spec((*x.shape[:lead], *middle, *x.shape[lead + count :]), x.dtype)


def _put_along_reference(params, x, values, *indices):
    lead, count = params["lead"], len(indices)
    front = _forward(x.ndim, lead, count)
    order = _forward(values.ndim, lead, values.ndim - x.ndim + count)
    given = np.transpose(x, front), np.transpose(values, order)
    out = index_put.reference({"mode": params["mode"]}, *given, *indices)
    return np.transpose(out, np.argsort(front))


INDEX_ALONG = Primitive(
    "index_along",
    "gather",
    infer=_index_along_spec,
    reference=_index_along_reference,
    doc="index for the axes after the first ``lead``.",
)
PUT_ALONG = Primitive(
    "index_put_along",
    "scatter",
    infer=lambda specs, params: specs[0],
    reference=_put_along_reference,
    doc="index_put for the axes after the first ``lead``; values have the full shape.",
)


def _places(runs) -> np.ndarray:
    return np.concatenate([np.arange(start, start + count) for start, count in runs])


def _runs_spec(specs, params):
    shape, lead = specs[0].shape, params["lead"]
    return spec((*shape[:lead], params["size"], *shape[lead + 1 :]), specs[0].dtype)


def _add_runs_reference(params, values):
    lead, size = params["lead"], params["size"]
    zeros = np.zeros((*values.shape[:lead], size, *values.shape[lead + 1 :]), values.dtype)
    indices = (_places(params["runs"]),)
    return _put_along_reference({"lead": lead, "mode": "add"}, zeros, values, *indices)


INDEX_RUNS = Primitive(
    "index_runs",
    "gather",
    infer=_runs_spec,
    reference=lambda p, x: np.take(x, _places(p["runs"]), p["lead"]),
    doc="Runs (start, length) of the axis behind the first ``lead``, joined; ``size`` in all.",
)
ADD_RUNS = Primitive(
    "add_runs",
    "scatter",
    infer=_runs_spec,
    reference=_add_runs_reference,
    doc="Zeros, and runs of the operand added to them where INDEX_RUNS would read: its gradient.",
)
_MOST_RUNS = 8  # each is code of its own
_MANY_PLANES = 16  # that threads can share
_SMALL = 1 << 18  # bytes that need no threads


def indexed_in_place(node: Node) -> list[Node] | None:
    """The nodes that replace a permutation of an ``index`` or an ``index_put``."""
    if node.primitive is not permute:
        return None
    if node.inputs[0].primitive is index:
        return _read(node)
    return _write(node) if node.inputs[0].primitive is index_put else None


def _read(node: Node) -> list[Node] | None:
    x, *indices = node.inputs[0].inputs
    behind, count = node.inputs[0].spec.ndim - (x.spec.ndim - len(indices)), len(indices)
    lead = _moved_by(node.params["axes"], behind)
    if (
        lead == 0
        or x.primitive is not permute
        or x.params["axes"] != _forward(x.spec.ndim, lead, count)
    ):
        return None
    x = x.inputs[0]
    runs = _runs(indices)
    if runs:
        params = {"lead": lead, "runs": runs, "size": node.spec.shape[lead]}
        return [Node(INDEX_RUNS, (x,), params, node.spec)]
    operands = (x, *indices)
    return [Node(INDEX_ALONG, operands, {"lead": lead}, node.spec)]


def _write(node: Node) -> list[Node] | None:
    x, values, *indices = node.inputs[0].inputs
    count = len(indices)
    lead = _moved_by(node.params["axes"], count)
    behind = len(np.broadcast_shapes(*[i.spec.shape for i in indices]))
    if lead == 0 or values.spec.ndim != x.spec.ndim - count + behind:
        return None
    shape = values.spec.shape
    if shape[behind:] != x.spec.shape[count:] or values.spec.weak:
        return None
    if shape[:behind] != np.broadcast_shapes(*[i.spec.shape for i in indices]):
        return None
    mode, made = node.inputs[0].params["mode"], list[Node]()
    runs = _runs(indices)
    if runs and mode == "add" and is_zero(x) and node.spec.dtype in (float32, float64):
        given = _brought_back(values, lead, behind, made)
        params = {"lead": lead, "runs": runs, "size": node.spec.shape[lead]}
        return [*made, Node(ADD_RUNS, (given,), params, node.spec)]
    base = _zeros_like(node, x, made) if is_zero(x) else _brought_back(x, lead, count, made)
    given = _brought_back(values, lead, behind, made)
    params = {"lead": lead, "mode": mode}
    return [*made, Node(PUT_ALONG, (base, given, *indices), params, node.spec)]


def joined_runs(node: Node) -> list[Node] | None:
    """The node that replaces slices of one array that are joined in another order: rolling."""
    if node.primitive is not concat or len(node.inputs) > _MOST_RUNS:
        return None
    axis, first = node.params["axis"], node.inputs[0]
    if any(n.primitive is not slice_ or n.inputs != first.inputs for n in node.inputs):
        return None
    (x,) = first.inputs
    planes = x.spec.numel // max(1, prod(x.spec.shape[axis:]))
    if planes < _MANY_PLANES and x.spec.nbytes > _SMALL:
        return None
    runs = []
    for part in node.inputs:
        start, stop, step = (part.params[k] for k in ("start", "stop", "step"))
        whole = [(0, n) for n in x.spec.shape]
        whole[axis] = (start[axis], stop[axis])
        if [*zip(start, stop, strict=True)] != whole or any(n != 1 for n in step):
            return None
        runs.append((start[axis], stop[axis] - start[axis]))
    params = {"lead": axis, "runs": tuple(runs), "size": node.spec.shape[axis]}
    return [Node(INDEX_RUNS, (x,), params, node.spec)]


def _runs(indices: Sequence[Node]) -> tuple[tuple[int, int], ...]:
    """(start, length) of each run of a constant vector of indices; none if there are many."""
    if len(indices) != 1 or indices[0].primitive is not constant or indices[0].spec.ndim != 1:
        return ()
    places = np.asarray(indices[0].params["data"].array)
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    if not places.size or len(breaks) >= _MOST_RUNS:
        return ()
    edges = [0, *breaks.tolist(), len(places)]
    return tuple([(int(places[a]), b - a) for a, b in pairwise(edges)])


def _moved_by(axes: Sequence[int], count: int) -> int:
    """How many axes a permutation brings before the first ``count``; 0 if it does more."""
    lead = tuple(axes).index(0)
    wanted = (*range(count, count + lead), *range(count))
    return lead if axes == (*wanted, *range(len(wanted), len(axes))) else 0


def _brought_back(x: Node, lead: int, count: int, made: list[Node]) -> Node:
    """``x`` with its first ``count`` axes behind ``lead`` others; ``made`` gets a new node."""
    if x.primitive is permute and x.params["axes"] == _forward(x.spec.ndim, lead, count):
        return x.inputs[0]
    params = {"axes": tuple(np.argsort(_forward(x.spec.ndim, lead, count)).tolist())}
    made.append(Node(permute, (x,), params, permute.infer([x.spec], params)))
    return made[-1]


def _zeros_like(node: Node, zeros: Node, made: list[Node]) -> Node:
    """Zeros in another order are zeros."""
    if zeros.spec.shape != node.spec.shape:
        zeros = Node(reshape, (zeros,), {"shape": node.spec.shape}, node.spec)
        made.append(zeros)
    return zeros
