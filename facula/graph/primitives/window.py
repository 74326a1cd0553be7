"""Window primitives: sums and maxima over sliding windows, for pooling."""

from __future__ import annotations

from itertools import product

import numpy as np

from facula.base import dtypes
from facula.graph.primitive import Primitive, register
from facula.graph.spec import spec

ORDERED = frozenset((1, 2))


def _places(offset, params):
    """The slice of the padded input that kernel position ``offset`` meets, for each output."""
    return (
        ...,
        *[
            slice(o * d, o * d + s * (m - 1) + 1, s)
            for o, d, s, m in zip(
                offset, params["dilation"], params["stride"], params["out"], strict=True
            )
        ],
    )


def _padded(x, params, value):
    if not any(low or high for low, high in params["padding"]):
        return x
    rank = len(params["out"])
    widths = ((0, 0),) * (x.ndim - rank) + tuple(params["padding"])
    return np.pad(x, widths, constant_values=value)


def _infer_window(specs, params):
    x = specs[0]
    return spec(x.shape[: x.ndim - len(params["out"])] + params["out"], x.dtype)


def _lowest(dtype):
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


def _covered(params) -> bool:
    """Whether every window lies inside the input."""
    return not any(low or high for low, high in params["padding"])


def _argmax_inside(params, x):
    """The same for windows inside an input without NaN: remember the best kernel position."""
    rank = len(params["out"])
    sizes = x.shape[x.ndim - rank :]
    steps = [int(np.prod(sizes[i + 1 :])) for i in range(rank)]
    offsets = list(product(*map(range, params["kernel"])))
    small = np.int8 if len(offsets) < 128 else np.int64
    best = x[_places(offsets[0], params)].copy()
    which = np.zeros(best.shape, small)
    for k, offset in enumerate(offsets[1:], 1):
        values = np.ascontiguousarray(x[_places(offset, params)])
        # k only grows: the maximum of (better) * k is the last position that was better.
        np.maximum(which, (values > best) * small(k), out=which)
        np.maximum(best, values, out=best)
    reach = np.multiply(params["dilation"], steps)
    index = np.array([int(np.dot(offset, reach)) for offset in offsets])[which]
    for i in range(rank):
        at = np.arange(params["out"][i]) * (params["stride"][i] * steps[i])
        index += at.reshape([-1 if j == i else 1 for j in range(rank)])
    return index


def _window_argmax(params, x):
    """Flat position (in the unpadded plane) of each window's first maximum; NaN wins."""
    if _covered(params) and not (x.dtype.kind == "f" and np.isnan(x).any()):
        return _argmax_inside(params, x)
    rank = len(params["out"])
    sizes = x.shape[x.ndim - rank :]
    padded = _padded(x, params, _lowest(x.dtype))
    strides = [int(np.prod(sizes[i + 1 :])) for i in range(rank)]
    best = index = None
    for offset in product(*map(range, params["kernel"])):
        values = padded[_places(offset, params)]
        here = np.zeros(params["out"], np.int64)
        inside = np.ones(params["out"], bool)
        for i in range(rank):
            at = np.arange(params["out"][i]) * params["stride"][i]
            at = at + offset[i] * params["dilation"][i] - params["padding"][i][0]
            shape = [-1 if j == i else 1 for j in range(rank)]
            here = here + (at * strides[i]).reshape(shape)
            inside = inside & ((at >= 0) & (at < sizes[i])).reshape(shape)
        if best is None:
            best = np.where(inside, values, _lowest(x.dtype)).astype(x.dtype)
            index = np.broadcast_to(np.where(inside, here, -1), best.shape)
            continue
        better = ((values > best) | (index < 0)) & inside
        if x.dtype.kind == "f":
            better |= np.isnan(values) & inside
        index = np.where(better, here, index)
        best = np.where(better, values, best)
    return np.ascontiguousarray(index)


window_argmax = register(
    Primitive(
        "window_argmax",
        "window",
        infer=lambda specs, params: spec(_infer_window(specs, params).shape, dtypes.int64),
        reference=_window_argmax,
        categories=ORDERED,
        doc="For max pooling: index of the maximum of each window, as PyTorch returns it.",
    )
)


def _window_max(params, x):
    padded = _padded(x, params, _lowest(x.dtype))
    offsets = list(product(*map(range, params["kernel"])))
    out = padded[_places(offsets[0], params)].copy()
    for offset in offsets[1:]:
        np.maximum(out, padded[_places(offset, params)], out=out)
    return out


window_max = register(
    Primitive(
        "window_max",
        "window",
        infer=_infer_window,
        reference=_window_max,
        categories=ORDERED,
        doc="The maximum of each window.",
    )
)


def _window_sum(params, x):
    padded = _padded(x, params, 0)
    wide = padded.astype(np.float32) if x.dtype == np.float16 else padded
    offsets = list(product(*map(range, params["kernel"])))
    out = wide[_places(offsets[0], params)].copy()
    for offset in offsets[1:]:
        out += wide[_places(offset, params)]
    return out.astype(x.dtype, copy=False)


window_sum = register(
    Primitive(
        "window_sum",
        "window",
        infer=_infer_window,
        reference=_window_sum,
        categories=ORDERED,
        doc="The sum of each window; padding counts as zero.",
    )
)


def _window_spread(params, g):
    rank = len(params["out"])
    sizes = params["sizes"]
    padded = [n + low + high for n, (low, high) in zip(sizes, params["padding"], strict=True)]
    out = np.zeros(g.shape[: g.ndim - rank] + tuple(padded), g.dtype)
    for offset in product(*map(range, params["kernel"])):
        out[_places(offset, params)] += g
    inner = [slice(low, low + n) for n, (low, _) in zip(sizes, params["padding"], strict=True)]
    place = (..., *inner)
    return out[place]


window_spread = register(
    Primitive(
        "window_spread",
        "window",
        infer=lambda specs, params: spec(
            specs[0].shape[: specs[0].ndim - len(params["out"])] + params["sizes"], specs[0].dtype
        ),
        reference=_window_spread,
        categories=ORDERED,
        doc="Gradient of window_sum: adds each value to every place of its window.",
    )
)
