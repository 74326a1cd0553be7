"""Basic indexing as one view operator: slices, integers and new dimensions together."""

from __future__ import annotations

from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.operator import Operand, operator
from facula.operators.positions import shape_of
from facula.operators.views import View

NEW = -1  # stands in ``places`` for a dimension of size 1 that ``None`` made


def _layout(shape, strides, offset, start, stop, step, places, kind):
    offset += sum([s * first for s, first, n in zip(strides, start, shape, strict=True) if n])
    return tuple([0 if p < 0 else strides[p] * step[p] for p in places]), offset


def _kept(start, stop, step):
    return [max(0, -(-(b - a) // s)) for a, b, s in zip(start, stop, step, strict=True)]


def _write(before, value, start, stop, step, places, kind):
    value = kit.reshape(value, _kept(start, stop, step))
    return kit.bind(m.slice_update, before, value, start=start, stop=stop, step=step)


def _name(specs, template):
    return f"{template[-1]}Backward0"


@operator(
    derivative={
        "input": lambda g, call, start, stop, step, places, kind: _window_into(
            g, start, stop, step, places, kind, call.in_specs[0].shape
        )
    },
    view=View(strides=_layout, write=_write),
)
def _window(input, start: tuple, stop: tuple, step: tuple, places: tuple, kind: str):
    """``input[start:stop:step, ...]`` whose dimension ``i`` is the input's ``places[i]``.

    Input dimensions that are not in ``places`` have size 1 and are dropped (they were indexed with
    an integer). ``kind`` is the first word of the gradient node's name.
    """
    part = kit.bind(m.slice_, input, start=start, stop=stop, step=step)
    kept = shape_of(part)
    return kit.reshape(part, [1 if p < 0 else kept[p] for p in places])


_window.name = _name


@operator(
    name="SliceBackward",
    derivative={
        "value": lambda g, start, stop, step, places, kind: _window(
            g, start, stop, step, places, kind
        )
    },
)
def _window_into(value, start: tuple, stop: tuple, step: tuple, places: tuple, kind: str, shape: tuple):
    """Zeros of ``shape`` with ``value`` in a window: the gradient of reading the window."""
    zeros = kit.full(shape, 0, value._value.spec.dtype)
    return _write(zeros, value, start, stop, step, places, kind)


@operator(name="Fill", differentiable=False)
def _filled(like, value: Operand):
    """A number (or 0-d tensor) in the shape and dtype of ``like``."""
    own = like._value.spec
    return kit.full(own.shape, value, own.dtype)
