"""The native engine: compiles programs, and runs them in one native call each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.engines.native import jit, linked, shelf, threads
from facula.engines.native.executable import NativeSegment
from facula.engines.native.lowering.patterns import rewrite
from facula.engines.native.lowering.plan import Unsupported, lower
from facula.engines.native.lowering.segments import Segment, has_code, split
from facula.engines.reference.engine import Interpreter
from facula.graph.node import INPUT, Node
from facula.graph.primitives.movement import reshape


class Segments:
    """A program that runs in several segments, some of them on the reference engine."""

    def __init__(self, inputs: Sequence[Node], segments, outputs: Sequence[Node]):
        place = {n: i for i, n in enumerate(inputs)}
        self.parts: list[tuple[Any, list[int]]] = []
        for segment, executable in segments:
            given = [place[n] for n in segment.inputs]
            for node in segment.outputs:
                place[node] = len(place)
            self.parts.append((executable, given))
        # A constant may be a result: each run gives it away anew.
        self.constants: list[np.ndarray] = []
        for node in outputs:
            if node not in place:
                place[node] = len(place)
                self.constants.append(node.params["data"].array)
        self.outputs = [place[n] for n in outputs]

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        values = list(buffers)
        for executable, given in self.parts:
            values.extend(executable.run([values[i] for i in given]))
        values.extend([np.array(array) for array in self.constants])
        return [values[i] for i in self.outputs]

    def describe(self) -> str:
        """The segments' kernels, one a line."""
        return "\n".join([part.describe() for part, _ in self.parts if hasattr(part, "describe")])


class NativeEngine:
    """Machine code for this CPU; a buffer is a C-contiguous ndarray."""

    name = "native"

    def __init__(self):
        jit.check()  # raises Unavailable where there is no LLVM

    def compile(self, nodes: Sequence[Node], outputs: Sequence[Node]):
        nodes, outputs = _with_copies(*rewrite(nodes, outputs))
        inputs = [n for n in nodes if n.primitive is INPUT]
        refused: set[Node] = set()
        while True:
            segments = split(nodes, outputs, refused)
            whole = len(segments) == 1 and set(segments[0].outputs) == set(outputs)
            whole = whole and len(segments[0].outputs) == len(outputs)
            whole = whole and not any(n.spec.weak and n.spec.dtype.is_complex for n in inputs)
            if whole:  # in the program's own order nothing needs to be rearranged
                segments[0].inputs, segments[0].outputs = inputs, list(outputs)
            try:
                made = [(s, _executable(s)) for s in segments]
            except Unsupported as found:
                refused.add(found.node)
                continue
            break
        return made[0][1] if whole else Segments(inputs, made, outputs)

    def link(self, blocks: Sequence[tuple[linked.Parts, Any]], native: bool) -> list[linked.Linked]:
        """Blocks made ready to run by themselves, see `linked.py`."""
        return linked.link(blocks, native)

    def blocks(self, *program: Any) -> linked.Run:
        """A program of such blocks."""
        return linked.Run(*program)

    def use_threads(self, count: int) -> None:
        threads.set_count(count)

    def lets_go(self, buffer: np.ndarray) -> bool:
        """Whether a plan kept the array for its next runs; it no longer does."""
        return shelf.lets_go(buffer)


def _with_copies(nodes: list[Node], outputs: list[Node]) -> tuple[list[Node], list[Node]]:
    """A node that is several results, as gradients of two biases are, is stored as often."""
    made, results = list(nodes), []
    seen: set[Node] = set()
    for node in outputs:
        if node in seen and node.primitive.kind not in ("input", "create"):
            copy = Node(reshape, (node,), {"shape": node.spec.shape}, node.spec)
            if has_code(copy):
                node = copy
                made.append(node)
        seen.add(node)
        results.append(node)
    return made, results


def _executable(segment: Segment):
    if segment.native:
        return NativeSegment(lower(segment.nodes, segment.inputs, segment.outputs))
    given = [Node(INPUT, (), {"spec": n.spec}, n.spec) for n in segment.inputs]
    table = dict(zip(segment.inputs, given, strict=True))
    for node in segment.nodes:
        inputs = tuple([table[n] for n in node.inputs])
        table[node] = Node(node.primitive, inputs, node.params, node.spec)
    return Interpreter(list(table.values()), [table[n] for n in segment.outputs])


def make() -> NativeEngine:
    return NativeEngine()
