"""``torch.Size``: the tuple that a tensor's shape is."""

from __future__ import annotations

import operator
from math import prod


class Size(tuple):
    """A tuple of ints that prints as ``torch.Size([2, 3])`` and stays a Size when sliced."""

    __module__ = "facula"  # its public place, and what type() shows

    __slots__ = ()

    def __new__(cls, sizes=()):
        return super().__new__(cls, map(operator.index, sizes))

    def numel(self) -> int:
        """Number of elements of a tensor of this size."""
        return prod(self)

    def __getitem__(self, index):
        got = tuple.__getitem__(self, index)
        return Size(got) if isinstance(index, slice) else got

    def __add__(self, other):
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple.__add__(self, other))

    def __radd__(self, other):
        if not isinstance(other, tuple):
            return NotImplemented
        return Size(tuple(other) + tuple(self))

    def __mul__(self, times):
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return f"torch.Size({list(self)})"

    def __reduce__(self):
        return (Size, (tuple(self),))
