"""A row of the table: one piece of work, written once for every library that speaks PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One piece of work.

    ``build(kit)`` returns a step function, whose result (numbers or arrays) is compared between
    the libraries before anything is timed.
    """

    name: str
    title: str
    group: str
    build: Callable
    goal: float | None = None  # PyTorch's time over ours, from DESIGN 6
    capture_goal: float | None = None
    capture: bool = False  # also measured with facula.capture
    compiled: bool = False  # also measured with torch.compile, which takes half a minute
    peer: tuple[str, dict] | None = None  # (kind, options) for the libraries under peers/
    flops: float | None = None  # None: PyTorch's counter says; 0: not work of the multipliers
    tolerance: float = 1e-3  # of results, relative to their size
    steps: int | None = None  # in every turn, where each step is another piece of work
    checks: int = 3  # steps whose results are compared
    needs_data: bool = False
