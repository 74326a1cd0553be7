"""Random permutations, bit for bit PyTorch's `randperm`, without a loop over the elements."""

from __future__ import annotations

import numpy as np

from facula.runtime.streams.mt19937 import Stream

__all__ = ["randperm"]

_LONG = ((1 << 32) - 1) // 20  # from here on PyTorch builds the permutation inside out
_SHORT = 400  # below this a plain loop is faster


def randperm(stream: Stream, n: int) -> np.ndarray:
    """Return a permutation of 0..n-1 as int64."""
    if n >= _LONG:
        return _inside_out(stream.draw64(n))
    if n < 2:
        return np.arange(n)
    order = np.empty(n, np.int64)
    if stream.filled("permutation", order, n - 1, n - 1):
        return order
    draws = stream.draw32(n - 1)
    if n <= _SHORT:
        return _swap_one_by_one(draws.tolist(), n)
    return _swap_all(draws, n)


def _swap_one_by_one(draws: list[int], n: int) -> np.ndarray:
    order = list(range(n))
    for i, draw in enumerate(draws):
        j = i + draw % (n - i)
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def _last_and_previous(target: np.ndarray, places: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the last step that hits each place, and for each step the one before it.

    "Before" means the latest earlier step with the same target; -1 stands for none. Fancy
    assignment keeps the last of several values, so each round finds the latest step of every
    place among those that remain; about half of them remain each time.
    """
    kind = target.dtype
    last = np.full(places, -1, kind)
    previous = np.full(target.size, -1, kind)
    newest = np.empty(places, kind)
    steps = np.arange(target.size, dtype=kind)
    last[target] = steps
    later = last.take(target)
    others = np.flatnonzero(later != steps)
    while others.size:
        steps, target, later = steps.take(others), target.take(others), later.take(others)
        newest[target] = steps
        winner = newest.take(target)
        is_winner = winner == steps
        found = np.flatnonzero(is_winner)
        previous[later.take(found)] = steps.take(found)
        later = winner
        others = np.flatnonzero(~is_winner)
    return last, previous


def _roots(parent: np.ndarray) -> np.ndarray:
    """Follow every chain of parents to its end, doubling the length of the jumps."""
    while True:
        grand = parent[parent]
        if np.array_equal(grand, parent):
            return parent
        parent = grand


def _swap_all(draws: np.ndarray, n: int) -> np.ndarray:
    """Return what n-1 swaps of place i with place j[i] = i + draws[i] % (n - i) make of 0..n-1.

    Before step i, place q holds what the latest earlier step with target q put there, namely
    the value that then stood in its own place; or q itself if there was no such step. So the
    value of place i at step i is found by following "latest earlier step with target i".
    """
    own = np.arange(n, dtype=np.int32)
    target = own.copy()
    target[:-1] += (draws % np.arange(n, 1, -1, dtype=np.uint32)).view(np.int32)
    last, previous = _last_and_previous(target, n)
    # A step that swaps a place with itself does not count as an earlier one.
    before = np.where(last == own, previous, last)
    value = _roots(np.where(before < 0, own, before))
    return np.where(previous < 0, target, value.take(previous)).astype(np.int64)


def _inside_out(draws: np.ndarray) -> np.ndarray:
    """Return the permutation made by p[i] = p[j], p[j] = i with j = draws[i] % (i + 1)."""
    own = np.arange(draws.size, dtype=np.int64)
    target = (draws % (own + 1).view(np.uint64)).view(np.int64)
    last, previous = _last_and_previous(target, draws.size)
    # Step i copies place j: the number of the latest earlier step that hit j, if any, else
    # what step j itself had copied into place j.
    chain = _roots(np.where((previous < 0) & (target != own), target, own))
    copied = np.where(target[chain] == chain, chain, previous[chain])
    return np.where(last < 0, copied, last)
