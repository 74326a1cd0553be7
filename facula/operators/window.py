"""Basic indexing as one view operator: slices, integers and new dimensions together.

Where a slice starts is an input of the program, its size is part of it: a loop over ``x[i]`` or
``x[i:i + n]`` is one program, whatever ``i``.
"""

from __future__ import annotations

from functools import lru_cache

from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.operator import Numbers, operator
from facula.operators.views import View


def new_place(axis: int) -> int:
    """Stands in ``places`` for a dimension of size 1 that ``None`` made in front of ``axis``."""
    return -1 - axis


def sliced(shape, start, stop, step):
    """(starts, axes, sizes, steps): the slice in the form the operators here take it."""
    sizes = tuple([max(0, -(-(b - a) // s)) for a, b, s in zip(start, stop, step, strict=True)])
    axes = tuple(
        [i for i, (n, k, s) in enumerate(zip(shape, sizes, step, strict=True)) if n != k or s != 1]
    )
    return tuple([start[a] for a in axes]), axes, sizes, tuple(step)


def select_arguments(shape, axis, index):
    """Arguments of the window operator for one (non-negative) index of an axis."""
    sizes = (*shape[:axis], 1, *shape[axis + 1 :])
    axes = () if shape[axis] == 1 else (axis,)
    places = tuple([i for i in range(len(shape)) if i != axis])
    return (index,) if axes else (), axes, sizes, (1,) * len(shape), places, "Select"


def slice_arguments(shape, start, stop, step):
    """Arguments of the window operator for a slice of every axis."""
    return (*sliced(shape, start, stop, step), tuple(range(len(shape))), "Slice")


def _layout(shape, strides, offset, start, axes, sizes, step, places, kind):
    for axis, first in zip(axes, start):
        offset += strides[axis] * first
    return _strides(shape, strides, step, places), offset


@lru_cache(10_000)
def _strides(shape, strides, step, places):
    return tuple([_stride(shape, strides, step, p) for p in places])


def _stride(shape, strides, step, place):
    if place >= 0:
        return strides[place] * step[place]
    following = -1 - place
    return shape[following] * strides[following] if following < len(shape) else 1


def _write(before, value, start, axes, sizes, step, places, kind):
    value = kit.reshape(value, sizes)
    if not axes:
        return value
    return kit.bind(
        m.window_update, before, value, *_positions(start), axes=axes, sizes=sizes, steps=step
    )


def _positions(start):
    """Starts as operands: handles, or ints where a derivative knows them."""
    return [x if hasattr(x, "_value") else kit.number(x, kit.spec_of(x).dtype) for x in start]


def _name(specs, template):
    return f"{template[-1]}Backward0"


@operator(
    derivative={
        "input": lambda g, call, start, axes, sizes, step, places, kind: _window_into(
            g, start, axes, sizes, step, places, kind, call.in_specs[0].shape
        )
    },
    view=View(strides=_layout, write=_write),
)
def _window(
    input, start: Numbers, axes: tuple, sizes: tuple, step: tuple, places: tuple, kind: str
):
    """A slice of the input (see :func:`sliced`) whose dimension ``i`` is the slice's ``places[i]``.

    Dimensions that are not in ``places`` have size 1 and are dropped (they were indexed with an
    integer). ``kind`` is the first word of the gradient node's name.
    """
    part = input
    if axes:
        part = kit.bind(m.window, input, *_positions(start), axes=axes, sizes=sizes, steps=step)
    return kit.reshape(part, [1 if p < 0 else sizes[p] for p in places])


_window.name = _name


@operator(
    name="SliceBackward",
    derivative={
        "value": lambda g, start, axes, sizes, step, places, kind: _window(
            g, start, axes, sizes, step, places, kind
        )
    },
)
def _window_into(
    value,
    start: Numbers,
    axes: tuple,
    sizes: tuple,
    step: tuple,
    places: tuple,
    kind: str,
    shape: tuple,
):
    """Zeros of ``shape`` with ``value`` in a window: the gradient of reading the window."""
    zeros = kit.full(shape, 0, value._value.spec.dtype)
    return _write(zeros, value, start, axes, sizes, step, places, kind)
