"""The readable form of a program: one line a node, with the user's line behind it."""

from __future__ import annotations

from collections.abc import Sequence

from facula.graph.node import INPUT, Node


def _param(value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def program_text(nodes: Sequence[Node], outputs: Sequence[Node]) -> str:
    """``%2: f32[4,3] = add %0 %1   # train.py:12`` for each node, then what is returned."""
    names: dict[Node, str] = {}
    lines = []
    for node in nodes:
        names[node] = f"%{len(names)}"
        if node.primitive is INPUT:
            lines.append((f"{names[node]}: {node.spec} = input", ""))
            continue
        params = "".join(f" {k}={_param(v)}" for k, v in node.params.items())
        arguments = "".join(f" {names[n]}" for n in node.inputs)
        head = f"{names[node]}: {node.spec} = {node.primitive.name}{arguments}{params}"
        lines.append((head, f"# {node.source}" if node.source else ""))
    width = min(72, max((len(head) for head, tail in lines if tail), default=0))
    text = [f"{head:<{width}}  {tail}".rstrip() for head, tail in lines]
    return "\n".join([*text, f"return {' '.join(names[n] for n in outputs)}"])
