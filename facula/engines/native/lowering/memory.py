"""Where temporaries lie in the arena: those that are not alive together share memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ALIGNMENT = 64


class Temporary:
    """A buffer of ``nbytes`` that is alive from step ``first`` to step ``last``."""

    __slots__ = ("first", "last", "nbytes", "offset")

    def __init__(self, nbytes: int, first: int):
        self.nbytes = -(-max(nbytes, 1) // ALIGNMENT) * ALIGNMENT
        self.first = self.last = first
        self.offset = 0


def arrange(temporaries: Sequence[Temporary]) -> int:
    """Set the offsets; returns the bytes needed in all. The largest are placed first."""
    ordered = sorted(temporaries, key=lambda t: (-t.nbytes, t.first))
    first, last = (np.array([getattr(t, name) for t in ordered]) for name in ("first", "last"))
    start = np.zeros(len(ordered), np.int64)
    end = np.zeros(len(ordered), np.int64)
    for i, temporary in enumerate(ordered):
        # in arrays: unrolled programs have thousands, and each is compared with all before
        together = np.flatnonzero((first[:i] <= temporary.last) & (last[:i] >= temporary.first))
        at = 0
        for other in together[np.argsort(start[together], kind="stable")].tolist():
            if at + temporary.nbytes <= start[other]:
                break
            at = max(at, int(end[other]))
        temporary.offset = at
        start[i], end[i] = at, at + temporary.nbytes
    return int(end.max(initial=0))
