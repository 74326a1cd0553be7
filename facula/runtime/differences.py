"""Why a program is a new one: what differs from the most similar one that is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from facula.graph.node import INPUT, Node
from facula.runtime.plans import Plan

_SIMILAR = 0.6  # share of nodes two programs must have in common to be worth comparing
_MOST = 4  # differences that are listed
_CLOSE = 8  # programs that are looked at closely


def _names(plan: Plan) -> list[str]:
    return [node.primitive.name for node in plan.nodes]


def _overlap(a: Counter, b: Counter) -> float:
    return 2 * (a & b).total() / max(a.total() + b.total(), 1)


def nearest(plan: Plan, known: Iterable[Plan]) -> Plan | None:
    """The known program most similar to this one; None if none is similar."""
    own = Counter(_names(plan))
    rated = [(_overlap(own, Counter(_names(other))), other) for other in known if other is not plan]
    rated = [pair for pair in rated if pair[0] >= _SIMILAR]
    rated.sort(key=lambda pair: -pair[0])
    best, found = 0.0, None
    for _, other in rated[:_CLOSE]:
        ratio = SequenceMatcher(None, _signatures(plan), _signatures(other), False).ratio()
        if ratio > best:
            best, found = ratio, other
    return found


def _signatures(plan: Plan) -> list[tuple]:
    return [(node.primitive.name, node.spec) for node in plan.nodes]


def why_new(plan: Plan, known: Iterable[Plan]) -> list[str]:
    """What differs from the nearest known program, in words; nothing if there is none."""
    other = nearest(plan, known)
    if other is None:
        return []
    mine, theirs = _names(plan), _names(other)
    if mine == theirs:
        return _same_operations(plan, other)
    found: list[str] = []
    for tag, i, j, k, end in SequenceMatcher(None, theirs, mine, False).get_opcodes():
        if tag in ("delete", "replace"):
            found.append(f"without {_list(other.nodes[i:j])}")
        if tag in ("insert", "replace"):
            found.append(f"with {_list(plan.nodes[k:end])}")
    return _shortened(found)


def _same_operations(plan: Plan, other: Plan) -> list[str]:
    found: list[str] = []
    for mine, theirs in zip(plan.nodes, other.nodes):
        if mine.spec is not theirs.spec and (mine.primitive is INPUT or not found):
            what = "input" if mine.primitive is INPUT else mine.primitive.name
            found.append(f"{what} is {mine.spec}, was {theirs.spec}{_line(mine)}")
    for mine, theirs in zip(plan.nodes, other.nodes):
        if not found and repr(mine.params) != repr(theirs.params):
            found.append(f"{mine.primitive.name} has other static arguments{_line(mine)}")
    if not found and len(plan.outputs) != len(other.outputs):
        found.append(
            f"{len(plan.outputs)} results are kept (tensors that Python can still see), "
            f"{len(other.outputs)} were"
        )
    return _shortened(found) or ["the same operations are connected in another way"]


def _line(node: Node) -> str:
    return f" ({node.source})" if node.source else ""


def _list(nodes: Sequence[Node]) -> str:
    shown = ", ".join([f"{node.primitive.name}{_line(node)}" for node in nodes[:_MOST]])
    return shown if len(nodes) <= _MOST else f"{shown} and {len(nodes) - _MOST} more"


def _shortened(found: list[str]) -> list[str]:
    return found if len(found) <= _MOST else [*found[:_MOST], f"and {len(found) - _MOST} more"]
