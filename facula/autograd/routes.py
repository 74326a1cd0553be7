"""Routes: the walk over a gradient graph that was seen before, with nothing to find out anew.

``backward()`` describes a graph by a key, which costs a look at every node and every edge, some
sorting and a hash. In a training loop the graph is the last one again. A route says what the nodes
must be and where their edges must lead; following it checks exactly that and collects the values
that the gradient program needs, in one pass.
"""

from __future__ import annotations

from itertools import count

from facula.autograd.node import AccumulateGrad
from facula.base.caches import Cache

LONGEST = 1000  # nodes: writing out a walk takes some milliseconds for every hundred
_KEPT = 4  # routes from one kind of root: sequences of several lengths, training and validation
_routes = Cache(1000)  # number of the root's call -> routes, the last one followed first


class Returns:
    """How often a graph came again soon, while the routes from its root would still be kept.

    Where programs take turns, as with sentences of all lengths, walks are not worth writing out.
    """

    __slots__ = ("last", "soon")
    _described = count()

    def __init__(self):
        self.last, self.soon = next(Returns._described), 0

    def pay(self, nodes: int) -> bool:
        """Whether its walk is worth writing out, now that the graph was described again."""
        since, self.last = self.last, next(Returns._described)
        self.soon = self.soon + 1 if self.last - since <= _KEPT else 0
        return self.soon > nodes // 100


class Route:
    """One graph: the calls of its nodes, newest first, and where each edge leads.

    ``follow(node)`` gives (nodes, leaves, saved values) if the graph below ``node`` is this one,
    else None.
    """

    __slots__ = ("block", "count", "follow", "freed", "fresh", "nr", "olds", "seed")

    def __init__(self, order, root, seed, leaves, olds, block):
        self.follow = _written(order, leaves)
        self.nr = root[1]
        self.seed = seed  # spec of the root's tensor
        self.olds = olds  # specs of the gradients that the leaves had already, or None
        self.fresh = not any(olds)
        self.block = block
        self.count = len(block.entry.block.inputs)
        calls = [node.call for node in order]
        self.freed = [i for i, c in enumerate(calls) if (c.saves and c.frees) or c.once]


def _written(order, leaves):
    """The walk as a function, written out: a loop would cost several times as much.

    A call fixes which of its operands have edges; what is left to check is where they lead. Nodes
    are numbered as in ``order``, leaves after them. ``q`` is the newest that the next node may be:
    nodes were made in the order they had before, so no two of them can be one.
    """
    places = {node: i for i, node in enumerate([*order, *leaves])}
    space = {"AccumulateGrad": AccumulateGrad}
    lines = ["def follow(n0):", " q = n0.sequence + 1"]
    known = {0}
    saved = []
    for i, node in enumerate(order):
        space[f"c{i}"] = node.call
        lines.append(
            f" if n{i}.call is not c{i} or n{i}.hooks is not None or n{i}.sequence >= q: return"
        )
        lines.append(f" q = n{i}.sequence")
        if node.call.saves:
            saved.append(f"*s{i}")
            lines += [f" s{i} = n{i}.saved", f" if s{i} is None: return"]
        elif node.call.once:
            lines.append(f" if n{i}.saved is None: return")
        lines += _edges(i, node.edges, places, known)
    ends = [f"n{i}" for i in range(len(order), len(places))]
    for end, leaf in zip(ends, leaves, strict=True):
        space[f"{end}_spec"] = leaf.spec
        lines.append(f" if {end}.__class__ is not AccumulateGrad: return")
        lines.append(f" if {end}.hooks is not None or {end}.spec is not {end}_spec: return")
    lines.append(f" if len({{{', '.join(ends)}}}) != {len(ends)}: return")
    nodes = "".join([f"n{i}, " for i in range(len(order))])
    lines.append(
        f" return ({nodes}), ({''.join([f'{end}, ' for end in ends])}), [{', '.join(saved)}]"
    )
    exec(compile("\n".join(lines), __file__, "exec"), space)
    return space["follow"]


def _edges(i, edges, places, known):
    """Lines that take the edges of node ``i`` to nodes met for the first time, or compare them."""
    lines = [f" edges = n{i}.edges", f" if len(edges) != {len(edges)}: return"]
    for k, edge in enumerate(edges):
        if edge is None or edge[0] is None:
            continue
        place = places[edge[0]]
        if place in known:
            lines.append(f" n, r = edges[{k}]")
            lines.append(f" if n is not n{place} or r != {edge[1]}: return")
        else:
            known.add(place)
            lines.append(f" n{place}, r = edges[{k}]")
            lines.append(f" if r != {edge[1]}: return")
    return lines


def known_route(tensor):
    """(route, nodes, leaves, saved values) for the graph of a root seen before; else None."""
    node = tensor._node
    routes = _routes.get(node.call.number) if node.call is not None else None
    if routes is None:
        return None
    for route in routes:
        if route.nr == tensor._nr and route.seed is tensor._value.spec:
            found = route.follow(node)
            if found is not None:
                return route, *found
    return None


def keep(number: int, route: Route) -> None:
    """Follow this route from now on when a graph begins with a node of call ``number``."""
    others = _routes.get(number, ())
    _routes.put(number, [route, *others[: _KEPT - 1]])
