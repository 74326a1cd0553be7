"""View: how an operand lies in memory, as sizes, strides and an offset in elements."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class View:
    """An operand of a kernel: strides may be 0 (broadcast) or negative (flipped)."""

    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int = 0

    @property
    def contiguous(self) -> bool:
        return self.offset == 0 and self == row_major(self.shape)

    @property
    def in_runs(self) -> bool:
        """Whether elements along the last axis are neighbours."""
        return self.strides[-1] == 1 or self.shape[-1] == 1


def row_major(shape: tuple[int, ...]) -> View:
    """The view of a whole array in C order."""
    strides = tuple([prod(shape[i + 1 :]) for i in range(len(shape))])
    return View(tuple(shape), strides)
