"""Padding: constant, reflected, replicated and circular borders."""

from __future__ import annotations

import numpy as np

from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.axis_tables import add_last_axes, read_last_axes
from facula.operators.operator import Number, operator


def _shape(x):
    return x._value.spec.shape


# Constant ----------------------------------------------------------------------------------------


def _negated(widths):
    return tuple([(-low, -high) for low, high in widths])


@operator(
    name="ConstantPadNd",
    derivative={"input": lambda g, widths: _pad_constant(g, _negated(widths), 0)},
)
def _pad_constant(input, widths: tuple, value: Number):
    """Negative widths cut elements off, so that the derivative is the same operator."""
    if any(low < 0 or high < 0 for low, high in widths):
        shape = _shape(input)
        start = tuple([max(0, -low) for low, _ in widths])
        stop = tuple([n - max(0, -high) for n, (_, high) in zip(shape, widths, strict=True)])
        stop = tuple([max(a, b) for a, b in zip(start, stop, strict=True)])
        input = kit.bind(m.slice_, input, start=start, stop=stop, step=(1,) * len(shape))
    low = tuple([max(0, low) for low, _ in widths])
    high = tuple([max(0, high) for _, high in widths])
    if not any(low) and not any(high):
        return input
    fill = kit.as_dtype(value, input._value.spec.dtype)
    return kit.bind(m.pad, input, fill, low=low, high=high)


def _constant(input, pad, value):
    shape = _shape(input)
    if len(pad) % 2:
        raise RuntimeError(f"Length of pad must be even but instead it equals {len(pad)}")
    count = len(pad) // 2
    if count > len(shape):
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {len(shape)}"
        )
    pairs = [(int(pad[2 * i]), int(pad[2 * i + 1])) for i in range(count)]
    widths = tuple([(0, 0)] * (len(shape) - count) + pairs[::-1])
    if any(n + low + high < 0 for n, (low, high) in zip(shape, widths, strict=True)):
        raise RuntimeError("narrow(): length must be non-negative.")
    return _pad_constant(input, widths, value)


def constant_pad_nd(input, pad, value=0):
    """The input with ``value`` around it; ``pad`` lists (before, after) from the last dimension."""
    return _constant(input, tuple(pad), value)


# Borders made of the input itself ----------------------------------------------------------------


def _places(mode, n, low, high):
    """For each element of a padded axis its place in the input."""
    at = np.arange(-low, n + high)
    if mode == "replicate":
        return np.clip(at, 0, n - 1)
    if mode == "circular":
        # What negative widths cut off takes no part in going round.
        first, last = max(0, -low), n - max(0, -high)
        return first + (at - first) % (last - first)
    at = np.abs(at)
    return np.where(at > n - 1, 2 * (n - 1) - at, at)


def _tables(mode, shape, widths):
    sizes = shape[len(shape) - len(widths) :]
    return [_places(mode, n, low, high) for n, (low, high) in zip(sizes, widths, strict=True)]


def _border_name(specs, template):
    mode, rank = template[1], len(template[2])
    if mode == "circular":
        return "CopySlices"
    return f"{'Reflection' if mode == 'reflect' else 'Replication'}Pad{rank}DBackward0"


@operator(
    name=_border_name,
    derivative={
        "input": lambda g, call, mode, widths: _unpad_border(
            g, mode, widths, call.in_specs[0].shape
        )
    },
)
def _pad_border(input, mode: str, widths: tuple):
    return read_last_axes(input, _tables(mode, _shape(input), widths))


@operator(
    name=lambda specs, template: _border_name(specs, template).replace("DBack", "DBackwardBack"),
    derivative={"grad": lambda g, mode, widths: _pad_border(g, mode, widths)},
)
def _unpad_border(grad, mode: str, widths: tuple, shape: tuple):
    sizes = shape[len(shape) - len(widths) :]
    return add_last_axes(grad, _tables(mode, shape, widths), sizes)


_COMBINATIONS = (
    "\nSupported combinations for non-constant padding:"
    "\n  - 2D or 3D input: padding size = 2 (pads last dimension)"
    "\n  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)"
    "\n  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
)


def _check_border(mode, shape, pad, widths):
    if (len(pad), len(shape)) not in {(2, 2), (2, 3), (4, 3), (4, 4), (6, 4), (6, 5)}:
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {len(shape)}D input tensor."
            + _COMBINATIONS
        )
    first = len(shape) - len(widths)
    for axis, (low, high) in enumerate(widths, first):
        n = shape[axis]
        if mode == "reflect" and (low >= n or high >= n):
            raise RuntimeError(
                f"Argument #{4 + 2 * (len(shape) - 1 - axis)}: Padding size should be less than "
                f"the corresponding input dimension, but got: padding ({low}, {high}) at dimension "
                f"{axis} of input {list(shape)}"
            )
        if mode == "circular" and (low > n or high > n):
            raise RuntimeError("Padding value causes wrapping around more than once.")
        if mode == "circular" and n + low + high < 0:
            raise RuntimeError("Negative padding value is resulting in an empty dimension")
        if mode != "circular" and n + low + high < 1:
            raise RuntimeError(
                f"input (W: {n}) is too small. Calculated output W: {n + low + high}"
            )


def pad(input, pad, mode="constant", value=None):
    """The input with a border; ``pad`` lists (before, after) widths from the last dimension on.

    Modes: "constant" (filled with ``value``, 0 by default), "reflect" (mirrored without the edge),
    "replicate" (the edge repeated), "circular". Negative widths cut elements off.

    >>> import facula as torch
    >>> torch.nn.functional.pad(torch.tensor([[1.0, 2.0]]), (1, 2))
    tensor([[0., 1., 2., 0., 0.]])
    """
    pad = tuple(pad)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * len(_shape(input)):
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {len(_shape(input))}"
        )
    if mode == "constant":
        return _constant(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    widths = tuple([(int(pad[i]), int(pad[i + 1])) for i in range(len(pad) - 2, -1, -2)])
    _check_border(mode, _shape(input), pad, widths)
    return _pad_border(input, mode, widths)


NAMESPACES = {"torch": ["constant_pad_nd"], "functional": ["pad"]}
