"""Contractions: matrix products and convolutions with their two gradients."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np

from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds
from facula.graph.spec import spec

NUMERIC = frozenset((1, 2, 3))


def _infer_matmul(specs, params):
    a, b = specs
    own = kinds.same_dtype("matmul", specs)
    if a.ndim < 2 or b.ndim < 2 or a.shape[-1] != b.shape[-2]:
        raise kinds.RuleError(
            f"matmul: inner sizes differ: {a} @ {b}; a.shape[-1] must equal b.shape[-2]"
        )
    batch = (
        kinds.broadcast_shapes("matmul", a.shape[:-2], b.shape[:-2]) if a.ndim + b.ndim > 4 else ()
    )
    return spec((*batch, a.shape[-2], b.shape[-1]), own)


matmul = register(
    Primitive(
        "matmul",
        "contraction",
        infer=_infer_matmul,
        reference=kinds.halves_in_float32(lambda p, a, b: np.matmul(a, b)),
        categories=NUMERIC,
        doc="(..., m, k) @ (..., k, n); leading axes broadcast.",
    )
)


def output_sizes(sizes, kernel, params):
    """Spatial sizes of a convolution's result (PyTorch's Conv2d formula)."""
    return tuple(
        [
            (n + low + high - d * (k - 1) - 1) // s + 1
            for n, k, s, (low, high), d in zip(
                sizes, kernel, params["stride"], params["padding"], params["dilation"], strict=True
            )
        ]
    )


def _infer_conv(specs, params):
    x, w = specs
    own = kinds.same_dtype("conv", specs)
    return spec((x.shape[0], w.shape[0], *output_sizes(x.shape[2:], w.shape[2:], params)), own)


def _spatial(slices):
    """An index that leaves the batch and channel axes whole."""
    return (slice(None), slice(None), *slices)


def _padded(x, padding):
    """Zeros around the spatial axes; a negative padding cuts elements off."""
    if any(pair != (0, 0) for pair in padding):
        if any(low < 0 or high < 0 for low, high in padding):
            cut = [
                slice(max(0, -low), n - max(0, -high))
                for n, (low, high) in zip(x.shape[2:], padding, strict=True)
            ]
            x = x[_spatial(cut)]
            padding = [(max(0, low), max(0, high)) for low, high in padding]
        sizes = [n + low + high for n, (low, high) in zip(x.shape[2:], padding, strict=True)]
        out = np.zeros((*x.shape[:2], *sizes), x.dtype)
        inner = [slice(low, low + n) for n, (low, _) in zip(x.shape[2:], padding, strict=True)]
        out[_spatial(inner)] = x
        return out
    return x


def _columns(x, kernel, out_sizes, params):
    """x as (N, groups, channels/group * kernel, positions): the matrix a convolution multiplies."""
    x = _padded(x, params["padding"])
    n, c = x.shape[:2]
    rank = len(kernel)
    base = x.strides
    strides = (
        base[:2]
        + tuple([base[2 + i] * params["dilation"][i] for i in range(rank)])
        + tuple([base[2 + i] * params["stride"][i] for i in range(rank)])
    )
    windows = np.lib.stride_tricks.as_strided(x, (n, c, *kernel, *out_sizes), strides)
    groups = params["groups"]
    return windows.reshape(n, groups, c // groups * prod(kernel), prod(out_sizes))


def _conv(params, x, w):
    kernel = w.shape[2:]
    sizes = output_sizes(x.shape[2:], kernel, params)
    groups = params["groups"]
    columns = _columns(x, kernel, sizes, params)
    weight = w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))
    return np.matmul(weight, columns).reshape(x.shape[0], w.shape[0], *sizes)


conv = register(
    Primitive(
        "conv",
        "contraction",
        infer=_infer_conv,
        reference=kinds.halves_in_float32(_conv),
        categories=NUMERIC,
        doc="Cross-correlation of (N, C, *sizes) with (O, C/groups, *kernel).",
    )
)


def _infer_input_grad(specs, params):
    return spec(params["shape"], kinds.same_dtype("conv_input_grad", specs))


def _conv_input_grad(params, g, w):
    """Multiply back to columns, then add each kernel position's plane into place."""
    if any(low < 0 or high < 0 for low, high in params["padding"]):
        return _uncut(params, g, w)
    out_channels, *out_sizes = g.shape[1:]
    groups = params["groups"]
    sizes = params["shape"][2:]
    weight = w.reshape(groups, out_channels // groups, prod(w.shape[1:])).transpose(0, 2, 1)
    padded = [
        n + low + max(0, high) for n, (low, high) in zip(sizes, params["padding"], strict=True)
    ]
    dense = all(s == 1 for s in params["stride"])
    add = _add_runs if dense and prod(padded[1:]) <= 2 * prod(out_sizes[1:]) else _add_planes
    out = add(params, weight, g, w.shape[2:], padded)
    inner = [slice(low, low + n) for n, (low, _) in zip(sizes, params["padding"], strict=True)]
    return out[_spatial(inner)]


def _uncut(params, g, w):
    """Where negative padding cut elements off, their gradient is zero."""
    cut = [(max(0, -low), max(0, -high)) for low, high in params["padding"]]
    sizes = params["shape"][2:]
    kept = [n - low - high for n, (low, high) in zip(sizes, cut, strict=True)]
    padding = tuple([(max(0, low), max(0, high)) for low, high in params["padding"]])
    shape = (*params["shape"][:2], *kept)
    inner = _conv_input_grad({**params, "shape": shape, "padding": padding}, g, w)
    out = np.zeros(params["shape"], inner.dtype)
    out[_spatial([slice(low, low + n) for n, (low, _) in zip(kept, cut, strict=True)])] = inner
    return out


def _add_planes(params, weight, g, kernel, padded):
    """One strided addition for each kernel position."""
    n, out_channels, *out_sizes = g.shape
    groups, channels = params["groups"], params["shape"][1]
    rows = g.reshape(n, groups, out_channels // groups, prod(out_sizes))
    columns = np.matmul(weight, rows).reshape(n, channels, prod(kernel), *out_sizes)
    out = np.zeros((n, channels, *padded), columns.dtype)
    for k, offset in enumerate(product(*map(range, kernel))):
        place = [
            slice(o * d, o * d + s * (m - 1) + 1, s)
            for o, d, s, m in zip(
                offset, params["dilation"], params["stride"], out_sizes, strict=True
            )
        ]
        out[_spatial(place)] += columns[:, :, k]
    return out


def _add_runs(params, weight, g, kernel, padded):
    """For stride 1: rows as wide as the result's, so that each addition is one long run."""
    n, out_channels, *out_sizes = g.shape
    groups, channels = params["groups"], params["shape"][1]
    wide = np.zeros((n, out_channels, *out_sizes[:1], *padded[1:]), g.dtype)
    wide[_spatial([slice(m) for m in out_sizes])] = g
    steps = [prod(padded[i + 1 :]) for i in range(len(padded))]
    length = sum((m - 1) * step for m, step in zip(out_sizes, steps, strict=True)) + 1
    flat = (n, groups, out_channels // groups, out_sizes[0] * steps[0])
    rows = wide.reshape(flat)[..., :length]
    columns = np.matmul(weight, rows).reshape(n, channels, prod(kernel), length)
    out = np.zeros((n, channels, prod(padded)), columns.dtype)
    for k, offset in enumerate(product(*map(range, kernel))):
        at = sum(o * d * step for o, d, step in zip(offset, params["dilation"], steps, strict=True))
        out[:, :, at : at + length] += columns[:, :, k]
    return out.reshape(n, channels, *padded)


conv_input_grad = register(
    Primitive(
        "conv_input_grad",
        "contraction",
        infer=_infer_input_grad,
        reference=kinds.halves_in_float32(_conv_input_grad),
        categories=NUMERIC,
        doc="Gradient of conv for its input of ``shape``; also the transposed convolution.",
    )
)


_PARTIAL_SUMS = 1 << 20  # elements: small weights are summed over the batch in one pass


def _conv_weight_grad(params, g, x):
    shape = params["shape"]
    groups = params["groups"]
    n, out_channels, *out_sizes = g.shape
    columns = _columns(x, shape[2:], tuple(out_sizes), params)
    grads = g.reshape(n, groups, out_channels // groups, prod(out_sizes))
    if n and n * prod(shape) <= _PARTIAL_SUMS:
        return np.matmul(grads, columns.swapaxes(-1, -2)).sum(0).reshape(shape)
    total = np.zeros((groups, out_channels // groups, columns.shape[2]), columns.dtype)
    for sample in range(n):
        total += np.matmul(grads[sample], columns[sample].swapaxes(-1, -2))
    return total.reshape(shape)


conv_weight_grad = register(
    Primitive(
        "conv_weight_grad",
        "contraction",
        infer=_infer_input_grad,
        reference=kinds.halves_in_float32(_conv_weight_grad),
        categories=NUMERIC,
        doc="Gradient of conv for its weight of ``shape``.",
    )
)
