"""Where temporaries lie in the arena: those that are not alive together share memory."""

from __future__ import annotations

from collections.abc import Sequence

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
    placed: list[Temporary] = []
    size = 0
    for temporary in sorted(temporaries, key=lambda t: (-t.nbytes, t.first)):
        at = 0
        for other in sorted(_together(temporary, placed), key=lambda t: t.offset):
            if at + temporary.nbytes <= other.offset:
                break
            at = max(at, other.offset + other.nbytes)
        temporary.offset = at
        size = max(size, at + temporary.nbytes)
        placed.append(temporary)
    return size


def _together(temporary: Temporary, placed: Sequence[Temporary]) -> list[Temporary]:
    return [p for p in placed if p.first <= temporary.last and temporary.first <= p.last]
