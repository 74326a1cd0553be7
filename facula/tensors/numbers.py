"""Arrays of Python numbers, alone or in lists, without looking at each of them in Python."""

from __future__ import annotations

from itertools import chain
from typing import Any

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import dtype

_SINGLE_OR_DOUBLE = (dtypes.float32, dtypes.float64)


def from_numbers(data: Any) -> tuple[np.ndarray, dtype] | None:
    """Numbers of one type, alone or in lists of one or two levels: the array and its dtype.

    None for everything else, and for ints of more than 64 bits.
    """
    kind: Any = data.__class__
    if kind is list:
        kinds = {*map(type, data)}
        if kinds == {list} and len({*map(len, data)}) == 1:
            kinds = {*map(type, chain.from_iterable(data))}
        if len(kinds) != 1:
            return None
        (kind,) = kinds
    if kind is float:
        own = dtypes.default_float()
        if own not in _SINGLE_OR_DOUBLE:
            return None
    elif kind is int:
        own = dtypes.int64
    elif kind is bool:
        own = dtypes.bool_
    else:
        return None
    try:
        with np.errstate(over="ignore"):
            return np.array(data, own.numpy), own
    except OverflowError:
        return None
