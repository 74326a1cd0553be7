"""Decides which nodes share a kernel.

Nodes that need a buffer (*anchors*: results, operands of contractions, reductions ...) are visited
in order; each joins the kernel of something it reads or reads beside, if it is needed there at the
same place, or opens a kernel of its own. All others are computed again where they are used.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.engines.native.lowering import whole
from facula.engines.native.lowering.cuts import Cuts
from facula.engines.native.lowering.expressions import (
    HEAVY,
    MOVEMENT,
    moves_freely,
    scalar_constant,
)
from facula.engines.native.lowering.groups import Group, Refused, view_of
from facula.graph.node import INPUT, Node

_CHEAP = 3.0  # what is cheaper is computed again rather than stored
_DEEPEST = 40  # operations in a row before a value is stored all the same
_LONG_ROW = 8192
REDUCTIONS = frozenset(("sum", "prod", "max", "min"))


def result_shape(node: Node) -> tuple[int, int, int]:
    """A contraction's result as (batch, row, column)."""
    shape = node.spec.shape
    match node.primitive.name:
        case "matmul":
            batch = 1
            for n in shape[:-2]:
                batch *= n
            return batch, shape[-2], shape[-1]
        case "conv_weight_grad":
            return 1, shape[0], node.spec.numel // shape[0]
    return shape[0], shape[1], node.spec.numel // (shape[0] * shape[1])


class Fusion:
    """The kernels of one run of native nodes; ``outputs`` are the nodes needed after it."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[Node]):
        self.nodes = nodes
        self.outputs = {n for n in outputs if n.primitive is not INPUT}
        self.groups: list[Group] = []
        self.home: dict[Node, Group] = {}
        self.readers: dict[Node, list[Group]] = {}
        self._users: dict[Node, int] = {}
        inside = set(nodes)
        self.outside = {o for n in nodes for o in n.inputs if o not in inside}
        self.buffers = self._choose_buffers()
        self._frontiers: dict[Node, frozenset[Node]] = {}
        for node in nodes:
            if node in self.buffers:
                self._place(node)

    def is_buffer(self, node: Node) -> bool:
        return node in self.buffers or node in self.outside or node.primitive is INPUT

    # Which nodes have buffers ---------------------------------------------------------------------

    def _choose_buffers(self) -> set[Node]:
        for node in self.nodes:
            for operand in node.inputs:
                self._users[operand] = self._users.get(operand, 0) + 1
        wanted = set(self.outputs)
        for node in self.nodes:
            kind = node.primitive.kind
            if self._inline_kind(node):
                if node.primitive.name == "window":
                    wanted.add(self._under(node))
                continue
            wanted.add(node)
            if kind == "contraction":
                wanted.update([self._operand(n) for n in node.inputs])
            elif whole.reads_views(node):
                wanted.update([self._operand(n, in_runs=True) for n in node.inputs])
            elif node.primitive.name not in REDUCTIONS:
                wanted.update(map(self.plain_base, whole.operands(node)))
        wanted = self._add_shared(wanted - self.outside)
        Cuts(self.nodes, self.outputs, self._is_given).settle(wanted)
        return wanted

    def _is_given(self, node: Node) -> bool:
        return node in self.outside or node.primitive is INPUT

    def plain_base(self, node: Node) -> Node:
        """The node whose buffer serves as ``node``'s: reshapes leave elements where they are."""
        while node.primitive.name == "reshape" and node not in self.outside:
            node = node.inputs[0]
        return node

    def _under(self, window: Node) -> Node:
        """The buffer that a slice, perhaps of other movements, is read from."""
        node = window.inputs[0]
        moves = node.primitive.name in MOVEMENT and node.primitive.name != "reshape"
        if node not in self.outside and (moves or moves_freely(node)):
            return self._under(node)
        return self.plain_base(node)

    def _base(self, node: Node) -> Node:
        """The node whose elements a chain of movements shows."""
        while node.primitive.name in MOVEMENT and node not in self.outside:
            node = node.inputs[0]
        return node

    def _operand(self, node: Node, in_runs: bool = False) -> Node:
        """What a contraction reads ``node`` from: the base of a view, or else a copy.

        ``in_runs``: elements of the last axis have to be neighbours.
        """
        base = self._base(node)
        if base.primitive.kind == "create" or base.spec.weak:
            return node
        view = view_of(node, base)
        if view is None or (in_runs and not view.in_runs):
            return node
        return base

    @staticmethod
    def _inline_kind(node: Node) -> bool:
        kind, name = node.primitive.kind, node.primitive.name
        if kind == "movement":
            return name in MOVEMENT or moves_freely(node)
        if name == "constant":
            return scalar_constant(node) is not None
        return kind in ("elementwise", "create")

    def _add_shared(self, wanted: set[Node]) -> set[Node]:
        """Values used more than once are kept if they are dear; very deep ones too."""
        cost: dict[Node, float] = {}
        depth: dict[Node, int] = {}
        for node in self.nodes:
            inputs = [n for n in node.inputs if n not in wanted and n in cost]
            own = 0.0
            if node.primitive.kind == "elementwise":
                own = 8.0 if node.primitive.name in HEAVY else 1.0
            cost[node] = own + sum(cost[n] for n in inputs)
            depth[node] = max([depth[n] for n in inputs], default=0) + (own > 0)
            shared = self._users.get(node, 0) > 1 and cost[node] > _CHEAP
            if own and (shared or depth[node] > _DEEPEST):
                wanted.add(node)
        return wanted

    def viewed(self, node: Node) -> Node:
        """The buffer a contraction reads ``node`` from, now that all are chosen."""
        return node if self.is_buffer(node) else self._base(node)

    def sources(self, anchor: Node) -> list[Node]:
        """The buffers that the kernel of a node that is not fused reads."""
        if anchor.primitive.kind == "contraction" or whole.reads_views(anchor):
            return [self.viewed(n) for n in anchor.inputs]
        return [self.plain_base(n) for n in whole.operands(anchor)]

    # Which kernel computes them -------------------------------------------------------------------

    def frontier(self, node: Node) -> frozenset[Node]:
        """The buffers that the computation of ``node`` reads."""
        found: set[Node] = set()
        seen = set()
        stack = list(whole.operands(node))
        while stack:
            n = stack.pop()
            if n in seen:
                continue
            seen.add(n)
            if self.is_buffer(n):
                found.add(n)
            else:
                stack.extend(n.inputs)
        return frozenset(found)

    def _place(self, node: Node) -> None:
        kind, name = node.primitive.kind, node.primitive.name
        reads = self.frontier(node)
        if kind == "contraction":
            group = self._new(node, result_shape(node), (), anchor=node)
        elif name in REDUCTIONS or (self._inline_kind(node) and name != "constant"):
            group = self._join(node, reads) or self._alone(node)
        else:
            group = self._new(node, node.spec.shape, (), anchor=node)
        self.home[node] = group
        if kind == "contraction":
            group.operand_bases = [self.viewed(n) for n in node.inputs]
        self._depend(group, reads)
        for n in reads:
            self.readers.setdefault(n, [])
            if group not in self.readers[n]:
                self.readers[n].append(group)

    def _new(self, node: Node, shape, axes, anchor=None) -> Group:
        group = Group(len(self.groups), shape, axes, self.is_buffer, anchor)
        self.groups.append(group)
        return group

    def _alone(self, node: Node) -> Group:
        if node.primitive.name in REDUCTIONS:
            axes = tuple(sorted(node.params["axes"]))
            group = self._new(node, node.inputs[0].spec.shape, axes)
        else:
            group = self._new(node, node.spec.shape, ())
        group.join(node)
        return group

    def _join(self, node: Node, reads: frozenset[Node]) -> Group | None:
        """The kernel that ``node`` could join: one it reads from, else one that reads the same."""
        near = {self.home[n] for n in reads if n in self.home}
        beside = {g for n in reads if not n.spec.weak for g in self.readers.get(n, [])[-3:]}
        ordered = sorted(near, key=lambda g: -g.number) + sorted(
            beside - near, key=lambda g: -g.number
        )
        for group in ordered[:6]:
            if self._worthwhile(group, node, group in near) and self._legal(group, reads):
                try:
                    group.join(node)
                except Refused:
                    continue
                return group
        return None

    def _worthwhile(self, group: Group, node: Node, near: bool) -> bool:
        """Whether it pays and could work at all, by sizes."""
        if group.anchor is not None and group.anchor.primitive.kind != "contraction":
            return False
        if group.anchor is not None and not near:
            return False
        if node.primitive.name in REDUCTIONS:
            return bool(group.axes) and group.shape == node.inputs[0].spec.shape
        numel = node.spec.numel
        if not group.axes or numel == group.rows:
            return numel in (group.element_count, group.rows)
        few_long_rows = group.rows < 4 and group.element_count > _LONG_ROW
        return numel == group.element_count and near and not few_long_rows

    def _legal(self, group: Group, reads: frozenset[Node]) -> bool:
        """Whether nothing that ``node`` reads waits for the group itself."""
        for n in reads:
            home = self.home.get(n)
            if home is not None and home is not group and home.ancestors >> group.number & 1:
                return False
        return True

    def _depend(self, group: Group, reads: frozenset[Node]) -> None:
        bits = 0
        for n in reads:
            home = self.home.get(n)
            if home is not None and home is not group:
                bits |= 1 << home.number | home.ancestors
        self._after(group, bits)

    def _after(self, group: Group, bits: int) -> None:
        """Note that ``group`` runs after the groups in ``bits``."""
        if bits & ~group.ancestors:
            group.ancestors |= bits
            for other in self.groups:
                if other.ancestors >> group.number & 1:
                    other.ancestors |= bits

    def run_before(self, earlier: Sequence[Group], group: Group) -> bool:
        """Put some groups before another; False, and nothing done, where that cannot be."""
        if any(g.ancestors >> group.number & 1 for g in earlier):
            return False
        bits = 0
        for g in earlier:
            bits |= 1 << g.number | g.ancestors
        self._after(group, bits)
        return True

    # The result -----------------------------------------------------------------------------------

    def ordered(self) -> list[Group]:
        """The kernels in an order in which they can run."""
        left = list(self.groups)
        done, found = 0, []
        while left:
            later = []
            for group in left:
                if group.ancestors & ~done:
                    later.append(group)
                else:
                    found.append(group)
                    done |= 1 << group.number
            assert len(later) < len(left), "kernels wait for each other"
            left = later
        return found
