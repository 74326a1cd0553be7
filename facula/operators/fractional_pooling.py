"""Fractional max pooling: windows at random places, an output of any size (Graham 2014)."""

from __future__ import annotations

from math import prod

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import reduction as r
from facula.operators import kit
from facula.operators.operator import operator
from facula.operators.pooling import _flat, _put_places
from facula.operators.pooling_windows import each
from facula.operators.positions import computed
from facula.runtime import streams
from facula.runtime.generator import default_stream


def _shape(x):
    return x._value.spec.shape


def _starts(samples, n, m, k):
    """Where the windows start, (..., m), for random numbers in [0, 1)."""
    if m == 1:
        return np.full((*samples.shape, 1), n - k)
    step = samples.dtype.type(n - k) / samples.dtype.type(m - 1)
    at = np.arange(m - 1, dtype=samples.dtype)
    moved = ((at + samples[..., None]) * step).astype(np.int64)
    first = (samples * step).astype(np.int64)[..., None]
    return np.concatenate([moved - first, np.full((*samples.shape, 1), n - k)], -1)


def _window_places(samples, sizes, output, kernel):
    """(rows, windows, elements): places in the flattened plane, one row for each channel."""
    rows = samples.shape[0]
    places = np.zeros((rows, 1, 1), np.int64)
    for axis, (n, m, k) in enumerate(zip(sizes, output, kernel, strict=True)):
        at = _starts(samples[:, axis], n, m, k)[:, :, None] + np.arange(k)
        wide = places[:, :, None, :, None] * n + at[:, None, :, None, :]
        places = wide.reshape(rows, places.shape[1] * m, places.shape[2] * k)
    return places


@operator(
    name=lambda specs, template: f"FractionalMaxPool{len(template[2])}DBackward0",
    derivative={
        "input": lambda g, outs, input, output: _put_places(
            g, outs[1], True, _shape(input)[-len(output) :]
        )
    },
)
def _pool(input, places, output: tuple):
    rank = len(output)
    lead = _shape(input)[:-rank]
    rows, windows, elements = _shape(places)
    every = kit.reshape(places, (rows, windows * elements))
    values = kit.bind(ix.gather, _flat(input, rank), every, axis=1)
    best = kit.bind(r.argmax, kit.reshape(values, (rows, windows, elements)), axis=2)
    best = kit.reshape(best, (rows, windows, 1))
    index = kit.reshape(kit.bind(ix.gather, places, best, axis=2), (rows, windows))
    found = kit.bind(ix.gather, _flat(input, rank), index, axis=1)
    return kit.reshape(found, (*lead, *output)), kit.reshape(index, (*lead, *output))


def _output_size(name, rank, sizes, output_size, output_ratio):
    if output_size is not None:
        return each(name, "output_size", output_size, rank)
    if output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    ratios = tuple(output_ratio) if hasattr(output_ratio, "__len__") else (output_ratio,) * rank
    if len(ratios) != rank:
        raise ValueError(
            f"{name} requires output_ratio to either be a single Int or tuple of Ints."
        )
    return tuple([int(n * ratio) for n, ratio in zip(sizes, ratios, strict=True)])


def _fractional(name, rank, input, kernel_size, output_size, output_ratio, samples):
    shape = _shape(input)
    if len(shape) not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"{name}: Expected {rank + 1}D or {rank + 2}D tensor, but got: {list(shape)}"
        )
    sizes = shape[-rank:]
    kernel = each(name, "kernel_size", kernel_size, rank)
    output = _output_size(name, rank, sizes, output_size, output_ratio)
    axes = ("height", "width") if rank == 2 else ("time", "height", "width")
    for axis, n, m, k in zip(axes, sizes, output, kernel, strict=True):
        if m + k - 1 > n:
            raise RuntimeError(f"{name}(): pool {axis} {k} too large relative to input {axis} {n}")
    rows = prod(shape[:-rank])
    own = input._value.spec.dtype
    if samples is None:
        numbers = np.asarray(streams.uniform(default_stream(), rows * rank, own.name))
    else:
        numbers = np.asarray(samples._buffer())
    numbers = numbers.reshape(rows, rank)
    if rank == 2:
        numbers = numbers[:, ::-1]  # images take their numbers in the order width, height
    places = computed(_window_places(numbers, sizes, output, kernel), dtypes.int64)
    return _pool(input, places, output)


def fractional_max_pool2d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """``fractional_max_pool2d`` with each maximum's place in its flattened plane."""
    return _fractional(
        "fractional_max_pool2d", 2, input, kernel_size, output_size, output_ratio, _random_samples
    )


def fractional_max_pool3d_with_indices(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """``fractional_max_pool3d`` with each maximum's place in its flattened volume."""
    return _fractional(
        "fractional_max_pool3d", 3, input, kernel_size, output_size, output_ratio, _random_samples
    )


def fractional_max_pool2d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Maxima of windows at random places of images; the output has any smaller size or ratio."""
    pair = fractional_max_pool2d_with_indices(
        input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )
    return pair if return_indices else pair[0]


def fractional_max_pool3d(
    input, kernel_size, output_size=None, output_ratio=None, return_indices=False,
    _random_samples=None,
):  # fmt: skip
    """Maxima of windows at random places of volumes; the output has any smaller size or ratio."""
    pair = fractional_max_pool3d_with_indices(
        input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    )
    return pair if return_indices else pair[0]


NAMESPACES = {
    "functional": [
        "fractional_max_pool2d", "fractional_max_pool3d", "fractional_max_pool2d_with_indices",
        "fractional_max_pool3d_with_indices",
    ],
}  # fmt: skip
