"""fold and unfold: images as columns of sliding patches, and back."""

from __future__ import annotations

from math import prod

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.operator import operator


def _shape(x):
    return x._value.spec.shape


def _pair(value):
    if isinstance(value, int):
        return (value, value)
    values = tuple([int(v) for v in value])
    return values * 2 if len(values) == 1 else values


def _blocks(sizes, kernel, dilation, padding, stride):
    """How many patches fit along each dimension."""
    return tuple(
        [
            (n + 2 * p - d * (k - 1) - 1) // s + 1
            for n, k, d, p, s in zip(sizes, kernel, dilation, padding, stride, strict=True)
        ]
    )


def _patch_places(sizes, kernel, dilation, padding, stride):
    """(kernel positions, patches): places in the flattened padded plane."""
    counts = _blocks(sizes, kernel, dilation, padding, stride)
    width = sizes[1] + 2 * padding[1]
    rows = np.arange(kernel[0])[:, None] * dilation[0] + np.arange(counts[0]) * stride[0]
    columns = np.arange(kernel[1])[:, None] * dilation[1] + np.arange(counts[1]) * stride[1]
    places = rows[:, None, :, None] * width + columns[None, :, None, :]
    return places.reshape(prod(kernel), prod(counts))


@operator(
    name="Im2Col",
    derivative={"input": lambda g, call, geometry: _fold(g, call.in_specs[0].shape[2:], geometry)},
)
def _unfold(input, geometry: tuple):
    kernel, dilation, padding, stride = geometry
    n, channels, *sizes = _shape(input)
    low = (0, 0, *padding)
    x = kit.bind(m.pad, input, kit.number(0, input._value.spec.dtype), low=low, high=low)
    places = _patch_places(sizes, kernel, dilation, padding, stride)
    plane = prod(_shape(x)[2:])
    front = kit.permute(kit.reshape(x, (n, channels, plane)), (2, 0, 1))
    found = kit.bind(ix.index, front, kit.table(places, dtypes.int64))  # (k, patches, n, channels)
    found = kit.permute(found, (2, 3, 0, 1))
    return kit.reshape(found, (n, channels * places.shape[0], places.shape[1]))


@operator(
    name="Col2Im",
    derivative={"input": lambda g, geometry: _unfold(g, geometry)},
)
def _fold(input, output_size: tuple, geometry: tuple):
    kernel, dilation, padding, stride = geometry
    places = _patch_places(output_size, kernel, dilation, padding, stride)
    n, wide, patches = _shape(input)
    channels = wide // prod(kernel)
    padded = [size + 2 * p for size, p in zip(output_size, padding, strict=True)]
    x = kit.reshape(input, (n, channels, prod(kernel), patches))
    x = kit.permute(x, (2, 3, 0, 1))
    zeros = kit.full((prod(padded), n, channels), 0, input._value.spec.dtype)
    total = kit.bind(ix.index_put, zeros, x, kit.table(places, dtypes.int64), mode="add")
    total = kit.reshape(kit.permute(total, (1, 2, 0)), (n, channels, *padded))
    start = (0, 0, *padding)
    stop = (n, channels, *[p + size for p, size in zip(padding, output_size, strict=True)])
    return kit.bind(m.slice_, total, start=start, stop=stop, step=(1, 1, 1, 1))


def _geometry(kernel_size, dilation, padding, stride):
    kernel, spread, pads, steps = map(_pair, (kernel_size, dilation, padding, stride))
    for what, values in (("kernel size", kernel), ("dilation", spread), ("stride", steps)):
        if any(v <= 0 for v in values):
            name = what.replace(" ", "_")
            raise RuntimeError(
                f"{what} should be greater than zero, but got {name}_height: {values[0]} "
                f"{name}_width: {values[1]}"
            )
    if any(p < 0 for p in pads):
        raise RuntimeError(
            f"padding should be non-negative, but got pad_height: {pads[0]} pad_width: {pads[1]}"
        )
    return kernel, spread, pads, steps


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Sliding patches as columns: (N, C, H, W) to (N, C * kernel elements, patches).

    >>> import facula as torch
    >>> torch.nn.functional.unfold(torch.zeros(1, 3, 4, 4), 2).shape
    torch.Size([1, 12, 9])
    """
    geometry = _geometry(kernel_size, dilation, padding, stride)
    shape = _shape(input)
    if len(shape) not in (3, 4) or 0 in shape[-3:]:
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero "
            f"dimensions for input, but got: {list(shape)}"
        )
    kernel, spread, pads, steps = geometry
    counts = _blocks(shape[-2:], kernel, spread, pads, steps)
    if any(count < 1 for count in counts):
        raise RuntimeError(
            f"Given input with spatial size {_spaced(shape[-2:])}, kernel_size={_spaced(kernel)}, "
            f"dilation={_spaced(spread)}, padding={_spaced(pads)}, calculated shape of the array "
            f"of sliding blocks as {_spaced(counts)}, but its components must be at least one."
        )
    if len(shape) == 3:
        return _unfold_one(input, geometry)
    return _unfold(input, geometry)


def _spaced(values):
    return f"({', '.join(map(str, values))})"


@operator(name="Im2Col")
def _unfold_one(input, geometry: tuple):
    found = _unfold(_batch(input), geometry)
    return _batch(found, undo=True)


@operator(name="View", derivative={"input": lambda g, undo: _batch(g, not undo)})
def _batch(input, undo: bool = False):
    shape = _shape(input)
    return kit.reshape(input, shape[1:] if undo else (1, *shape))


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Patches added up into images: (N, C * kernel elements, patches) to (N, C, H, W)."""
    geometry = _geometry(kernel_size, dilation, padding, stride)
    kernel, spread, pads, steps = geometry
    size = _pair(output_size)
    shape = _shape(input)
    if len(shape) not in (2, 3):
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and "
            f"non-zero dimensions for input, but got: {list(shape)}"
        )
    if shape[-2] % prod(kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, "
            f"but got input.size(1)={shape[-2]} and kernel_size={_spaced(kernel)}."
        )
    counts = _blocks(size, kernel, spread, pads, steps)
    if prod(counts) != shape[-1]:
        raise RuntimeError(
            f"Given output_size={_spaced(size)}, kernel_size={_spaced(kernel)}, "
            f"dilation={_spaced(spread)}, padding={_spaced(pads)}, stride={_spaced(steps)}, "
            "expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{counts[0]} * {counts[1]} = {prod(counts)}, but got input.size(2)={shape[-1]}."
        )
    if len(shape) == 2:
        return _fold_one(input, size, geometry)
    return _fold(input, size, geometry)


@operator(name="Col2Im")
def _fold_one(input, output_size: tuple, geometry: tuple):
    return _batch(_fold(_batch(input), output_size, geometry), undo=True)


NAMESPACES = {"functional": ["fold", "unfold"]}
