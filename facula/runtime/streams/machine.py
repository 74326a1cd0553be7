"""Machine code for the kinds of random numbers that a process asks for often.

The first numbers of a kind are made by NumPy, so that a small program never waits for a compiler;
once many have been asked for, machine code makes them. Both make the same bits, and only numbers
are counted, no time: nothing that can be observed depends on the change. What is missing (llvmlite,
instructions of the CPU) leaves the work to NumPy.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Callable

import numpy as np

from facula.base.flags import flags
from facula.engines.registry import Unavailable, random_functions

__all__ = ["function"]

ENOUGH = 1 << 18  # numbers for which NumPy takes a few milliseconds, and a compiler twenty
_CALL = 2000  # numbers that take NumPy as long as a call without any, mostly
_STATE_WORDS = 624
_asked: Counter[str] = Counter()
_found: dict[str, Callable[..., None] | None] = {}


def function(kind: str, n: int) -> Callable[..., None] | None:
    """The function that makes numbers of a kind, None while (or where) NumPy does; n are wanted."""
    if flags.engine == "reference":
        return None
    if kind in _found:
        return _found[kind]
    _asked[kind] += n + _CALL
    if _asked[kind] < ENOUGH:
        return None
    try:
        _found[kind] = random_functions()(kind) if _state_is_where_expected() else None
    except Unavailable:
        _found[kind] = None
    return _found[kind]


def _state_is_where_expected() -> bool:
    """Whether NumPy keeps the words of a generator's state where machine code renews them."""
    bits = np.random.MT19937(0)
    words = (ctypes.c_uint32 * _STATE_WORDS).from_address(bits.ctypes.state_address)
    return np.array_equal(np.array(words), bits.state["state"]["key"])
