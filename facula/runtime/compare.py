"""FACULA_COMPARE: every program also runs on the reference engine, and has to give the same.

Where it does not, the first operation that differs is looked for: first with all results of all
operations as outputs, and, as that changes what an engine fuses, also operation by operation, each
with the reference's operands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.engines.protocol import Engine, Executable
from facula.engines.registry import engine
from facula.graph.node import INPUT, Node, input_node
from facula.graph.primitive import Primitive

# How far results may be apart, as a part of the largest number of the reference's result.
_TOLERANCE = {"float64": 1e-9, "complex128": 1e-9, "float32": 3e-4, "complex64": 3e-4}
_LOW_PRECISION = 5e-2
_REFERENCE = "reference"
_SHAKES, _SAFETY = 2, 10.0


class ComparisonError(RuntimeError):
    """An engine and the reference disagree; the text names the operation, the line, the numbers."""

    __module__ = "facula"  # its public place, and what type() shows


class Compared:
    """An executable that compares what it gives with the reference engine."""

    def __init__(self, executable: Executable, by: Engine, nodes: Sequence[Node], outputs):
        self.executable = executable
        self.by = by
        self.nodes = list(nodes)
        self.outputs = list(outputs)
        self.reference = engine(_REFERENCE).compile(self.nodes, self.outputs)

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """The engine's results; ComparisonError if one is not what the reference gives."""
        given = [_copy(b) for b in buffers]
        expected = self.reference.run(given)
        results = self.executable.run(buffers)
        if _first(self.outputs, results, expected) is not None:
            noise = _noise(self.reference, given, expected)
            found = _first(self.outputs, results, expected, noise)
            if found is not None:
                self._complain(found, given)
        return results

    def describe(self) -> str:
        """What the executable says of itself."""
        describe = getattr(self.executable, "describe", None)
        return "" if describe is None else describe()

    def _complain(self, found: tuple[Node, str], buffers: list) -> None:
        kept = [n for n in self.nodes if n.primitive is not INPUT and not isinstance(n.spec, tuple)]
        reference = engine(_REFERENCE).compile(self.nodes, kept)
        expected = reference.run(buffers)
        values = dict(zip(kept, expected))
        values.update(zip([n for n in self.nodes if n.primitive is INPUT], buffers))
        ours = self.by.compile(self.nodes, kept).run(buffers)
        together = _first(kept, ours, expected, _noise(reference, buffers, expected))
        alone = self._first_alone(kept, values)
        text = [f"engine {self.by.name} differs from the reference in a result: {_told(found)}"]
        if together is not None:
            text.append(f"first operation that differs: {_told(together)}")
        if alone is not None:
            text.append(f"by itself this operation differs: {_told(alone)}")
        else:
            text.append("each operation by itself agrees: what differs is how they are combined")
        raise ComparisonError("\n".join(text))

    def _first_alone(self, kept: list[Node], values: dict[Node, Any]) -> tuple[Node, str] | None:
        """The first node that differs when it is computed from the reference's operands."""
        for node in kept:
            nodes, given = _alone(node, values)
            reference = engine(_REFERENCE).compile(nodes, [nodes[-1]])
            expected = reference.run(given)
            got = self.by.compile(nodes, [nodes[-1]]).run(given)
            found = _first([node], got, expected, _noise(reference, given, expected))
            if found is not None:
                return found
        return None


def _first(nodes, results, expected, noise=None) -> tuple[Node, str] | None:
    """The first of some results that is not what is expected, and how it differs."""
    for i, (node, got, wanted) in enumerate(zip(nodes, results, expected, strict=True)):
        found = difference(node, got, wanted, 0.0 if noise is None else noise[i])
        if found is not None:
            return node, found
    return None


def _noise(reference: Executable, buffers: list, expected: list) -> list[float]:
    """How much each result moves when the inputs move by a few units in the last place.

    A sum of numbers that cancel, or a quotient of such sums, is rounding errors and no more.
    """
    rng = np.random.default_rng(0)
    found = [0.0] * len(expected)
    for _ in range(_SHAKES):
        moved = reference.run([_shaken(b, rng) for b in buffers])
        for i, (one, two) in enumerate(zip(moved, expected, strict=True)):
            if np.asarray(two).dtype.kind in "fc":
                with np.errstate(all="ignore"):
                    apart = np.abs(np.asarray(one, complex) - np.asarray(two, complex))
                finite = np.isfinite(apart)
                found[i] = max(found[i], float(apart.max(initial=0.0, where=finite)))
    return [_SAFETY * noise for noise in found]


def _shaken(buffer: Any, rng: np.random.Generator) -> Any:
    if not isinstance(buffer, np.ndarray) or buffer.dtype.kind not in "fc":
        return buffer
    step = 4 * float(np.finfo(buffer.dtype).eps)
    return (buffer * (1 + step * rng.standard_normal(buffer.shape))).astype(buffer.dtype)


def _alone(node: Node, values: dict[Node, Any]) -> tuple[list[Node], list]:
    """A program of one operation (with the one it picks a result of), and its inputs."""
    chain = [node]
    while any(isinstance(n.spec, tuple) for n in chain[0].inputs):
        chain.insert(0, chain[0].inputs[0])
    made: dict[Node, Node] = {}
    inputs, given = [], []
    for each in chain:
        for operand in each.inputs:
            if operand not in made:
                made[operand] = input_node(operand.spec)
                inputs.append(made[operand])
                given.append(values[operand])
        primitive: Primitive = each.primitive
        made[each] = Node(primitive, tuple([made[n] for n in each.inputs]), each.params, each.spec)
    return [*inputs, *[made[each] for each in chain]], given


def difference(node: Node, got: Any, wanted: Any, noise: float = 0.0) -> str | None:
    """In words how two results of a node differ by more than rounding; None if they do not."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        return f"shape {got.shape} instead of {wanted.shape}"
    if not wanted.size:
        return None
    with np.errstate(all="ignore"):
        if wanted.dtype.kind in "fc":
            wide = np.complex128 if wanted.dtype.kind == "c" else np.float64
            a, b = got.astype(wide), wanted.astype(wide)
            finite = np.isfinite(b)
            scale = float(np.max(np.abs(b), initial=0.0, where=finite))
            limit = _TOLERANCE.get(node.spec.dtype.name, _LOW_PRECISION) * scale + noise
            same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit)
            distance = np.where(same, 0.0, np.where(np.isfinite(a - b), np.abs(a - b), np.inf))
        else:
            same = got == wanted
            distance = np.abs(got.astype(np.float64) - wanted.astype(np.float64))
    if same.all():
        return None
    at = np.unravel_index(int(np.argmax(distance)), distance.shape)
    place = f" at {tuple(map(int, at))}" if at else ""
    return (
        f"largest difference {float(distance[at]):.4g}{place}: {got[at]} instead of {wanted[at]}; "
        f"{int((~same).sum())} of {same.size} elements differ"
    )


def _told(found: tuple[Node, str]) -> str:
    node, text = found
    operands = ", ".join([str(n.spec) for n in node.inputs])
    line = f", {node.source}" if node.source else ""
    return f"{node.primitive.name}({operands}) -> {node.spec}{line}\n  {text}"


def _copy(buffer: Any) -> Any:
    return np.array(buffer) if isinstance(buffer, np.ndarray) else buffer
