"""Which results may be written over an input: ``p - lr * g`` over ``p``.

That is right if the kernel reads the input only where it writes the result, and no later kernel
reads the input. Whether the input is needed by anybody else is seen when the program runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facula.engines.native.lowering.fusion import Fusion
from facula.engines.native.lowering.groups import Group
from facula.engines.native.lowering.loops import operands
from facula.graph.node import Node


def find(
    fusion: Fusion,
    inputs: Sequence[Node],
    outputs: Sequence[Node],
    reads: Callable[[Group], list[Node]],
) -> list[tuple[int, int]]:
    """Pairs (input, output) by number; the kernels are put into an order that permits them."""
    place = {n: i for i, n in enumerate(inputs) if not n.spec.weak}
    readers: dict[Node, list[Group]] = {}
    for each in fusion.groups:
        for node in dict.fromkeys(reads(each)):
            readers.setdefault(node, []).append(each)
    found: list[tuple[int, int]] = []
    taken: set[Node] = set()
    for number, output in enumerate(outputs):
        group = fusion.home.get(output)
        if group is None or not _can_write(group):
            continue
        for node in _nearest(group, output):
            if node in place and node not in taken and _fits(group, node, output):
                others = [g for g in readers[node] if g is not group]
                if fusion.run_before(others, group):
                    found.append((place[node], number))
                    taken.add(node)
                    break
    return found


def _can_write(group: Group) -> bool:
    """Whether the group is a loop or the epilogue of a contraction."""
    return group.anchor is None or group.anchor.primitive.kind == "contraction"


def _nearest(group: Group, output: Node) -> list[Node]:
    """What the output is computed from, the nearest first: ``p`` of ``p - lr * (m * v + g)``."""
    by_slot = {slot: node for node, slot in group.loads.items()}
    found: dict[Node, None] = {}
    level = [group.registers[output][1]] if output in group.registers else []
    seen = set(level)
    while level:
        following = []
        for i in level:
            instruction = group.instructions[i]
            if instruction[0] == "load":
                found[by_slot[instruction[2]]] = None
            following += [o for o in operands(instruction) if o not in seen]
            seen.update(following)
        level = following
    return list(found)


def _fits(group: Group, node: Node, output: Node) -> bool:
    """Whether the group reads ``node`` exactly where it writes ``output``."""
    if node.spec is not output.spec or output not in group.registers:
        return False
    if group.axes and group.full[output]:  # rows are walked several times
        return False
    if group.anchor is not None and any(node is n for n in group.operand_bases):
        return False
    where, slot = group.registers[output][0], group.loads[node]
    loads = [i for i in group.instructions if i[0] == "load" and i[2] == slot]
    return all(i[3] == where for i in loads)
