"""One part of a tensor along a dimension: narrow, select, unbind; see parts.py for several."""

from __future__ import annotations

from facula.operators import kit
from facula.operators.window import _window, _window_into, select_arguments, slice_arguments


def _shape(x):
    return x._value.spec.shape


# Slices -----------------------------------------------------------------------------------------


def _slice(input, start, stop, step):
    """``input[start:stop:step, ...]`` (a view)."""
    return _window(input, *slice_arguments(_shape(input), start, stop, step))


def slice_into(like, value, start, stop, step):
    """Zeros shaped as ``like`` with ``value`` written at a slice."""
    shape = _shape(like)
    return _window_into(value, *slice_arguments(shape, start, stop, step), shape)


def _whole(shape):
    return [0] * len(shape), list(shape), [1] * len(shape)


def slice_axis(input, axis, first, last, step=1):
    """``input[first:last:step]`` along one axis; bounds as in Python slices of that axis."""
    shape = _shape(input)
    start, stop, by = _whole(shape)
    start[axis], stop[axis], by[axis] = first, max(last, first), step
    return _slice(input, tuple(start), tuple(stop), tuple(by))


def narrow(input, dim, start, length):
    """``length`` elements from ``start`` along a dimension (a view)."""
    shape = _shape(input)
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    axis = kit.axis_of(dim, len(shape))
    start, length = int(start), int(length)
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -shape[axis] <= start <= shape[axis]:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-shape[axis]}, {shape[axis]}], "
            f"but got {start})"
        )
    start = start + shape[axis] if start < 0 else start
    if start + length > shape[axis]:
        raise RuntimeError(
            f"start ({start}) + length ({length}) exceeds dimension size ({shape[axis]})."
        )
    return slice_axis(input, axis, start, start + length)


def _select_at(input, axis, index, node="Select"):
    """``input`` at a (non-negative) index of an axis, which is dropped (a view)."""
    return _window(input, *select_arguments(_shape(input), axis, index)[:-1], node)


def _several(parts):
    """Views that one function made: PyTorch does not let gradients follow writes into them."""
    for part in parts:
        if part._alias is not None:
            part._alias.made = "several"
    return tuple(parts)


def select(input, dim, index):
    """The slice at ``index`` along a dimension, which is dropped (a view)."""
    shape = _shape(input)
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    axis = kit.axis_of(dim, len(shape))
    index = int(index)
    n = shape[axis]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension "
            f"{axis}"
        )
    return _select_at(input, axis, index + n if index < 0 else index)


def unbind(input, dim=0):
    """All slices along a dimension, as a tuple (views)."""
    shape = _shape(input)
    if not shape:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    axis = kit.axis_of(dim, len(shape))
    return _several([_select_at(input, axis, i, "Unbind") for i in range(shape[axis])])


_FUNCTIONS = ["narrow", "select", "unbind"]  # methods too

NAMESPACES = {
    "torch": _FUNCTIONS,
    "method": _FUNCTIONS,
}
