"""Composite: a block that is put together from other blocks, without copying their nodes.

A gradient program is made of the derivatives of the operations it goes back through. A program
that never repeats has a new one each time; so it only says which block is applied to what. Nodes
are made of it when the program that it stands in is expanded.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.graph.node import Block
from facula.graph.spec import Spec


class Composite:
    """Blocks in order, what each is applied to, and which values are the results.

    Values are numbered: the inputs first, then the outputs of each part. ``places`` holds the
    operands of all parts, one after the other.
    """

    __slots__ = ("inputs", "outputs", "parts", "places", "specs")

    def __init__(self, inputs: Sequence[Spec]):
        self.inputs = tuple(inputs)
        self.parts: list[Block] = []
        self.places: list[int] = []
        self.outputs: list[int] = []
        self.specs: tuple[Spec, ...] = ()

    def finish(self, outputs: Sequence[int], specs: Sequence[Spec]) -> Composite:
        """The results, by their numbers, and their specs."""
        self.outputs = list(outputs)
        self.specs = tuple(specs)
        return self
