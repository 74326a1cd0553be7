"""picker: several items of a list at once, by a function that is C code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter


def picker(places: Sequence[int]) -> Callable[[Sequence], tuple]:
    """A function from a sequence to a tuple of its items at ``places``.

    >>> picker([2, 0])("abc"), picker([1])("abc"), picker([])("abc")
    (('c', 'a'), ('b',), ())
    """
    if len(places) > 1:
        return itemgetter(*places)
    return lambda items: tuple([items[place] for place in places])
