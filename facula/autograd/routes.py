"""Routes: the walk over a gradient graph that was seen before, with nothing to find out anew.

``backward()`` describes a graph by a key, which costs a look at every node and every edge, some
sorting and a hash. In a training loop the graph is the last one again. A route says what the nodes
must be and where their edges must lead; following it checks exactly that and collects the values
that the gradient program needs, in one pass.
"""

from __future__ import annotations

from facula.autograd.node import AccumulateGrad
from facula.base.caches import Cache

_KEPT = 4  # routes from one kind of root: sequences of several lengths, training and validation
_routes = Cache(1000)  # number of the root's call -> routes, the last one followed first


class Route:
    """One graph: the calls of its nodes, newest first, and where each edge leads.

    ``steps`` holds (call, goals) of every node. A goal is None for an operand without a gradient,
    or (place, output): places count the nodes from 0, and the leaves on from there.
    """

    __slots__ = ("block", "count", "freed", "fresh", "nr", "olds", "seed", "size", "specs", "steps")

    def __init__(self, order, root, seed, leaves, olds, block):
        place = {node: i for i, node in enumerate([*order, *leaves])}
        self.steps = [
            (
                node.call,
                tuple(
                    [None if e is None or e[0] is None else (place[e[0]], e[1]) for e in node.edges]
                ),
            )
            for node in order
        ]
        self.size = len(place)
        self.nr = root[1]
        self.seed = seed  # spec of the root's tensor
        self.specs = [leaf.spec for leaf in leaves]
        self.olds = olds  # specs of the gradients that the leaves had already, or None
        self.fresh = not any(olds)
        self.block = block
        self.count = len(block.entry.block.inputs)
        calls = [call for call, _ in self.steps]
        self.freed = [i for i, c in enumerate(calls) if (c.saves and c.frees) or c.once]

    def follow(self, node):
        """(nodes, leaves, saved values) if the graph below ``node`` is this one, else None."""
        found = [None] * self.size
        found[0] = node
        values: list = []
        last = node.sequence + 1
        place = 0
        for call, goals in self.steps:
            node = found[place]
            if node.call is not call or node.hooks is not None or node.saved is None:
                return None
            sequence = node.sequence
            if sequence >= last:  # made in another order, or one node where two are expected
                return None
            last = sequence
            place += 1
            values += node.saved
            for edge, goal in zip(node.edges, goals):
                if goal is None:
                    if edge is not None and edge[0] is not None:
                        return None
                    continue
                target, nr = goal
                if edge is None or edge[1] != nr:
                    return None
                known = found[target]
                if known is None:
                    found[target] = edge[0]
                elif known is not edge[0]:
                    return None
        leaves = found[place:]
        for leaf, spec in zip(leaves, self.specs):
            if leaf.__class__ is not AccumulateGrad or leaf.hooks is not None:
                return None
            if leaf.spec is not spec:
                return None
        if len(set(leaves)) != len(leaves):
            return None
        return found, leaves, values


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


def keep(route: Route) -> None:
    """Follow this route from now on when a graph begins as it does."""
    number = route.steps[0][0].number
    others = _routes.get(number, ())
    _routes.put(number, [route, *others[: _KEPT - 1]])
