"""Shelf: the arrays that a plan keeps for the results of its next runs.

Memory that is used again need not be asked of the system, which costs as much as writing it. All
plans together keep a bounded amount beside what the two that ran last keep: a program for each
length of a text must not hold a copy of the parameters for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from sys import getrefcount
from threading import RLock
from typing import Any
from weakref import WeakSet

import numpy as np

LIMIT = 256 << 20  # bytes
_LASTING = 2  # plans that keep what they have: a step and its evaluation, forward and backward

_shelves: WeakSet[Shelf] = WeakSet()
_lock = RLock()
_clock = itertools.count()
_made = {"bytes": 0}  # since the bytes were last counted, and what was counted then
_latest: list[Shelf] = []  # the shelf that was filled last


class Shelf:
    """Two arrays for each result: while the last one is held, the one before it may be free."""

    def __init__(self, shapes: Sequence[tuple[tuple[int, ...], np.dtype]]):
        self.shapes = shapes
        self.used = next(_clock)
        self.clear()
        with _lock:
            _shelves.add(self)

    def clear(self) -> None:
        """Keep nothing; a run that is just taking arrays goes on with the old lists."""
        self.kept: list[Any] = [None] * len(self.shapes)  # None never counts as free
        self.spare: list[Any] = [None] * len(self.shapes)

    def fill(self, outputs: list[Any]) -> None:
        """An array for each result that has none: one of an earlier run if it is free, or new."""
        kept, spare = self.kept, self.spare
        self.used = next(_clock)
        _latest[:] = (self,)
        new = 0
        for i, given in enumerate(outputs):
            if given is not None:
                continue
            array = kept[i]
            if getrefcount(array) > FREE:
                other = spare[i]
                if getrefcount(other) > FREE:
                    other = np.empty(*self.shapes[i])
                    new += other.nbytes
                kept[i], spare[i] = other, array
                array = other
            outputs[i] = array
        if new:
            _made["bytes"] += new
            if _made["bytes"] > LIMIT:
                _bound()

    def lets_go(self, array: np.ndarray, number: int) -> bool:
        """Whether this plan kept the array for a result; it no longer does."""
        if array is not self.kept[number] and array is not self.spare[number]:
            return False
        self.kept[number] = self.spare[number] = None
        return True

    def nbytes(self) -> int:
        """Bytes of the arrays kept."""
        return sum([a.nbytes for a in (*self.kept, *self.spare) if a is not None])


def lets_go(array: np.ndarray) -> bool:
    """Whether the plan that ran last kept the array for a result; it no longer does."""
    for shelf in _latest:
        for number, kept in enumerate(shelf.kept):
            if kept is array:
                return shelf.lets_go(array, number)
    return False


def _bound() -> None:
    """Clear the shelves of the plans that ran longest ago until half the limit is kept."""
    with _lock:
        latest = sorted(_shelves, key=lambda shelf: -shelf.used)
    total = 0
    for number, shelf in enumerate(latest):
        size = shelf.nbytes()
        if number >= _LASTING and size and total + size > LIMIT // 2:
            shelf.clear()
        elif number >= _LASTING:
            total += size
    _made["bytes"] = total


def _count_free() -> int:
    """References to an array that only a list holds, as :meth:`Shelf.fill` sees them."""
    kept = [np.empty(0)]
    array = kept[0]
    return getrefcount(array)


FREE = _count_free()
