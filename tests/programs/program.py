"""A random program: straight-line Python text with what may be compared after each line."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Line:
    """One statement (perhaps of several text lines) and what is known about its results."""

    text: str
    kind: str
    new: tuple[str, ...] = ()  # variables it assigns
    writes: tuple[str, ...] = ()  # tensors whose memory it writes
    inexact: bool = False  # libraries may round differently
    names: bool = False  # the grad_fn of the new variables has PyTorch's name
    noise: dict[str, float] = field(default_factory=dict)  # variable -> tolerance from here on
    strided: frozenset[str] = frozenset()  # variables whose strides are defined


@dataclass
class Program:
    """Lines, and how facula is to run them."""

    lines: list[Line]
    seed: int
    eager: bool = False
    nodes: int = 1000  # operations recorded before they are run
    watch: bool = False  # compare every variable after every line, not only at the end
    coarse: float = 1e-10  # tolerance of gradients

    def text(self) -> str:
        """The program as one would type it."""
        mode = f"eager={self.eager} nodes={self.nodes} watch={self.watch}"
        return "\n".join([f"# seed {self.seed} {mode}", *[line.text for line in self.lines]])

    def only(self, lines: list[Line]) -> Program:
        """The same program with fewer lines."""
        return Program(lines, self.seed, self.eager, self.nodes, self.watch, self.coarse)
