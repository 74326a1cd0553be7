"""A recorded program with its inputs in the order of their first use, and without unused ones.

Recordings of one function may register their inputs in different orders; in this form equal
programs have equal keys, also equal to that of the same program recorded without capturing.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.runtime.recorder import NEW_INPUT


class Canonical:
    """``key``, ``order`` (which of the given inputs are used, in order) and where values went."""

    __slots__ = ("key", "order", "place", "users")

    def __init__(self, key: Sequence[int], calls: Sequence):
        self.key: list[int] = []
        self.order: list[int] = []
        self.place: dict[int, int] = {}  # position of a value: before -> now
        self.users: list[int] = []  # number of the call that first uses each input
        entries = iter(enumerate(calls))
        inputs: dict[int, int] = {}  # position -> number of the input
        at = made = 0
        while at < len(key):
            if key[at] == NEW_INPUT:
                inputs[made] = len(inputs)
                at, made = at + 1, made + 1
                continue
            number, entry = next(entries)
            end = at + 1 + len(entry.block.inputs)
            operands = key[at + 1 : end]
            for position in operands:
                if position not in self.place:
                    self._enter(position, inputs[position], number)
            self.key.append(key[at])
            self.key.extend([self.place[position] for position in operands])
            for position in range(made, made + len(entry.specs)):
                self.place[position] = len(self.place)
            at, made = end, made + len(entry.specs)

    def _enter(self, position: int, number: int, user: int) -> None:
        self.place[position] = len(self.place)
        self.key.append(NEW_INPUT)
        self.order.append(number)
        self.users.append(user)
