"""The Engine protocol: what the runtime asks of whatever computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from facula.graph.node import Node


class BadIndex(Exception):
    """An index was out of bounds: what there is to say of it, and the mark of the call."""


class Executable(Protocol):
    """A compiled program."""

    def run(self, buffers: Sequence[Any]) -> list[Any]:
        """The outputs for these inputs.

        An input is an output of this engine, a NumPy array, or a Python number for a weak value;
        inputs must not be written to.
        """
        ...


class Engine(Protocol):
    """Compiles programs; its buffers are opaque but for ``numpy.asarray``."""

    name: str

    def compile(self, nodes: Sequence[Node], outputs: Sequence[Node]) -> Executable:
        """Make ``nodes`` (inputs first, in order) runnable."""
        ...

    def use_threads(self, count: int) -> None:
        """Use so many threads at most; results do not depend on it."""
        ...

    def lets_go(self, buffer: Any) -> bool:
        """Whether it kept a buffer that it computed, to use it again; it no longer does."""
        ...
