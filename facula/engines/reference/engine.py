"""Runs a program node by node with each primitive's NumPy reference."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facula.base import dtypes
from facula.engines.reference.bfloat16 import round_to_bfloat16
from facula.engines.reference.blas import one_thread
from facula.graph.node import INPUT, Node


class Interpreter:
    """A program as a list of steps; each frees the values nobody needs after it."""

    def __init__(self, nodes: Sequence[Node], outputs: Sequence[Node]):
        slot = {node: i for i, node in enumerate(nodes)}
        self.empty = [None] * sum([node.primitive is not INPUT for node in nodes])
        self.outputs = [slot[n] for n in outputs]
        self.steps = []
        needed = set(self.outputs)  # by later steps: what a step is the last to read dies after it
        for node in reversed(nodes):
            if node.primitive is INPUT:
                continue
            arguments = [slot[n] for n in node.inputs]
            dying = [s for s in arguments if s not in needed]
            needed.update(arguments)
            round16 = getattr(node.spec, "dtype", None) is dtypes.bfloat16
            self.steps.append(
                (node.primitive.reference, node.params, arguments, slot[node], dying, round16)
            )
        self.steps.reverse()

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        with np.errstate(all="ignore"):
            return self.compute(buffers)

    def compute(self, buffers: Sequence[Any]) -> list[Any]:
        """As :meth:`run`, within :meth:`ReferenceEngine.series`."""
        values: list[Any] = [*buffers, *self.empty]
        for reference, params, arguments, target, dying, round16 in self.steps:
            result = reference(params, *[values[a] for a in arguments])
            values[target] = round_to_bfloat16(np.asarray(result)) if round16 else result
            for slot in dying:
                values[slot] = None
        return [values[slot] for slot in self.outputs]


class ReferenceEngine:
    """NumPy on the CPU; a buffer is an ndarray (or NumPy scalar for a 0-d value)."""

    name = "reference"

    def compile(self, nodes: Sequence[Node], outputs: Sequence[Node]) -> Interpreter:
        return Interpreter(nodes, outputs)

    @contextlib.contextmanager
    def series(self) -> Iterator[None]:
        """Within it many small programs are computed: no warnings, and one thread."""
        with np.errstate(all="ignore"), one_thread:
            yield

    def use_threads(self, count: int) -> None:
        """NumPy decides for itself."""

    def lets_go(self, buffer: Any) -> bool:
        return False


def make() -> ReferenceEngine:
    return ReferenceEngine()
