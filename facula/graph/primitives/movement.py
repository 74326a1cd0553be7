"""Movement primitives: make or rearrange elements without computing on them."""

from __future__ import annotations

import numpy as np

from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds
from facula.graph.spec import spec


class Data:
    """A constant array as a static parameter; equal when it is the same object."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray):
        self.array = array

    def __repr__(self) -> str:
        return f"<{self.array.dtype}{list(self.array.shape)}>"


constant = register(
    Primitive(
        "constant",
        "create",
        infer=lambda specs, params: spec(params["data"].array.shape, params["dtype"]),
        reference=lambda params: params["data"].array,
        doc="An array known when the program is recorded (an index table, a window).",
    )
)

iota = register(
    Primitive(
        "iota",
        "create",
        infer=lambda specs, params: spec((params["size"],), params["dtype"]),
        reference=lambda params: np.arange(params["size"], dtype=params["dtype"].numpy),
        doc="0, 1, ... size-1.",
    )
)


def _movement(name, infer, reference, doc=""):
    return register(Primitive(name, "movement", infer=infer, reference=reference, doc=doc))


def _infer_broadcast(specs, params):
    shape = params["shape"]
    if kinds.broadcast_shapes("broadcast", specs[0].shape, shape) != shape:
        raise kinds.RuleError(f"broadcast: {specs[0]} does not broadcast to {list(shape)}")
    return spec(shape, specs[0].dtype)


broadcast = _movement(
    "broadcast",
    _infer_broadcast,
    lambda p, x: np.broadcast_to(x, p["shape"]),
    "Repeat size-1 axes.",
)


def _infer_reshape(specs, params):
    out = spec(params["shape"], specs[0].dtype)
    if out.numel != specs[0].numel:
        raise RuntimeError(
            f"shape '{list(params['shape'])}' is invalid for input of size {specs[0].numel}"
        )
    return out


reshape = _movement("reshape", _infer_reshape, lambda p, x: x.reshape(p["shape"]))

permute = _movement(
    "permute",
    lambda specs, params: spec(tuple([specs[0].shape[a] for a in params["axes"]]), specs[0].dtype),
    lambda p, x: np.transpose(x, p["axes"]),
)


def _slices(params):
    return tuple(
        [
            slice(*bounds)
            for bounds in zip(params["start"], params["stop"], params["step"], strict=True)
        ]
    )


def _slice_shape(params):
    bounds = zip(params["start"], params["stop"], params["step"], strict=True)
    return tuple([max(0, -(-(stop - start) // step)) for start, stop, step in bounds])


slice_ = _movement(
    "slice",
    lambda specs, params: spec(_slice_shape(params), specs[0].dtype),
    lambda p, x: x[_slices(p)],
    "start:stop:step along every axis, steps positive.",
)


def _slice_update(params, x, value):
    out = x.copy()
    out[_slices(params)] = value
    return out


slice_update = _movement(
    "slice_update",
    lambda specs, params: specs[0],
    _slice_update,
    "The first operand with a slice replaced by the second.",
)


def _window_slices(params, starts):
    """Slices of every axis; the axes in ``axes`` start at operands, the others at 0."""
    first = dict(zip(params["axes"], starts, strict=True))
    found = []
    for axis, (size, step) in enumerate(zip(params["sizes"], params["steps"], strict=True)):
        start = int(first.get(axis, 0))
        found.append(slice(start, start + (size - 1) * step + 1 if size else start, step))
    return tuple(found)


window = _movement(
    "window",
    lambda specs, params: spec(params["sizes"], specs[0].dtype),
    lambda p, x, *starts: x[_window_slices(p, starts)],
    "A slice whose starts are operands: one program serves every position.",
)


def _window_update(params, x, value, *starts):
    out = x.copy()
    out[_window_slices(params, starts)] = value
    return out


window_update = _movement(
    "window_update",
    lambda specs, params: specs[0],
    _window_update,
    "The first operand with such a slice replaced by the second.",
)

flip = _movement("flip", lambda specs, params: specs[0], lambda p, x: np.flip(x, p["axes"]))


def _infer_pad(specs, params):
    shape = zip(specs[0].shape, params["low"], params["high"], strict=True)
    return spec(tuple([n + low + high for n, low, high in shape]), specs[0].dtype)


def _pad(params, x, value):
    low, high = params["low"], params["high"]
    out = np.full([n + a + b for n, a, b in zip(x.shape, low, high, strict=True)], value, x.dtype)
    out[tuple([slice(a, a + n) for a, n in zip(low, x.shape, strict=True)])] = x
    return out


pad = _movement(
    "pad", _infer_pad, _pad, "Add low/high (>= 0) elements of a 0-d value on each side."
)


def _infer_concat(specs, params):
    kinds.same_dtype("concat", specs)
    axis = params["axis"]
    shape = list(specs[0].shape)
    shape[axis] = sum(s.shape[axis] for s in specs)
    return spec(tuple(shape), specs[0].dtype)


concat = _movement("concat", _infer_concat, lambda p, *xs: np.concatenate(xs, p["axis"]))


def _infer_bitcast(specs, params):
    return spec(params["shape"], params["dtype"])


bitcast = _movement(
    "bitcast",
    _infer_bitcast,
    lambda p, x: np.ascontiguousarray(x).view(p["dtype"].numpy).reshape(p["shape"]),
    "The same bytes read as another dtype.",
)
