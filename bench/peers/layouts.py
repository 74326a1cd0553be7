"""PyTorch's parameters in the layouts other libraries want."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np


def channels_last(parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Kernels as (height, width, in, out), matrices as (in, out).

    The rows of the first matrix after convolutions are put in the order that flattening
    channels-last images gives.
    """
    channels, found = None, []
    for array in parameters:
        if array.ndim == 4:
            channels, array = array.shape[0], array.transpose(2, 3, 1, 0)
        elif array.ndim == 2:
            if channels and array.shape[1] > channels:
                side = round((array.shape[1] / channels) ** 0.5)
                array = array.reshape(-1, channels, side, side).transpose(0, 2, 3, 1)
                array = array.reshape(array.shape[0], -1)
            channels, array = None, array.T
        found.append(np.ascontiguousarray(array))
    return found


def batches_last(batches) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images as (batch, height, width, channels); other inputs as they are."""
    return [
        (np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if x.ndim == 4 else x, y) for x, y in batches
    ]


def feed(batches, place):
    """The batches in turn for ever, each put in the library's own arrays once."""
    return itertools.cycle([(place(x), place(y)) for x, y in batches])
