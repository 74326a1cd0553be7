"""Max, average and power-average pooling over sliding windows, and undoing max pooling."""

from __future__ import annotations

from math import prod

import numpy as np

from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import window as p
from facula.operators import kit
from facula.operators.arithmetic import div, pow_
from facula.operators.operator import operator
from facula.operators.pointwise import abs as abs_
from facula.operators.pointwise import sign
from facula.operators.pooling_windows import (
    each,
    geometry_of,
    pool_name,
    recalled,
    remember,
    window_params,
)


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# Max pooling -------------------------------------------------------------------------------------


def _flat(x, rank):
    """(..., sizes) as (rows, elements)."""
    shape = _shape(x)
    lead = shape[: len(shape) - rank]
    return kit.reshape(x, (prod(lead), prod(shape[len(shape) - rank :])))


@operator(differentiable=False)
def _window_index(input, geometry: tuple):
    return kit.bind(p.window_argmax, input, **window_params(geometry))


def _unpool_name(specs, template):
    rank = len(template[-1])
    return "SqueezeBackward1" if rank == 1 else f"MaxUnpool{rank}DBackward0"


@operator(
    name=_unpool_name,
    derivative={"values": lambda g, index, overlap, sizes: _take_places(g, index, sizes)},
)
def _put_places(values, index, overlap: bool, sizes: tuple):
    """Zeros of spatial shape ``sizes`` with values written (added, if overlapping) at ``index``."""
    rank = len(sizes)
    rows, index = _flat(values, rank), _flat(index, rank)
    zeros = kit.full((_shape(rows)[0], prod(sizes)), 0, _dtype(values))
    out = kit.bind(ix.scatter, zeros, index, rows, axis=1, mode="add" if overlap else "set")
    return kit.reshape(out, (*_shape(values)[: len(_shape(values)) - rank], *sizes))


@operator(
    name="Gather",
    derivative={"input": lambda g, index, sizes: _put_places(g, index, True, sizes)},
)
def _take_places(input, index, sizes: tuple):
    rank = len(sizes)
    found = kit.bind(ix.gather, _flat(input, rank), _flat(index, rank), axis=1)
    return kit.reshape(found, _shape(index))


def _overlapping(geometry):
    kernel, stride, _, dilation, _ = geometry
    reach = zip(kernel, stride, dilation, strict=True)
    return not all(d == 1 and s >= k for k, s, d in reach)


def _max_grad(g, input, geometry):
    sizes = _shape(input)[-len(geometry[0]) :]
    return _put_places(g, _window_index(input, geometry), _overlapping(geometry), sizes)


@operator(name=pool_name("MaxPool{}DWithIndicesBackward0"), derivative={"input": _max_grad})
def _max_pool(input, geometry: tuple):
    return kit.bind(p.window_max, input, **window_params(geometry))


def _max_pair_grad(g, outs, input, geometry):
    sizes = _shape(input)[-len(geometry[0]) :]
    return _put_places(g, outs[1], _overlapping(geometry), sizes)


@operator(name=pool_name("MaxPool{}DWithIndicesBackward0"), derivative={"input": _max_pair_grad})
def _max_pool_pair(input, geometry: tuple):
    params = window_params(geometry)
    return kit.bind(p.window_max, input, **params), kit.bind(p.window_argmax, input, **params)


def _check_rank(name, rank, input):
    shape = _shape(input)
    batched = {1: "2D or 3D", 2: "3D or 4D", 3: "4D or 5D"}[rank]
    if len(shape) not in (rank + 1, rank + 2):
        if rank == 1:
            raise RuntimeError(
                f"{name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for "
                f"input, but got:{list(shape)}"
            )
        raise RuntimeError(f"non-empty {batched} (batch mode) tensor expected for input")
    if 0 in shape[-rank - 1 :]:
        raise RuntimeError(
            f"Expected {batched} (batch mode) tensor with optional 0 dim batch size for input, but "
            f"got:{list(shape)}"
        )


def _max_geometry(rank, input, *arguments):
    """The windows of a call, after PyTorch's checks."""
    name = f"max_pool{rank}d"
    _check_rank(name, rank, input)
    if _dtype(input).category not in (1, FLOAT):
        raise NotImplementedError(f"\"{name}\" not implemented for '{_dtype(input).legacy}'")
    return geometry_of(name, rank, input, *arguments)


def _max_rule(rank):
    def rule(g, input, kernel_size, stride, padding, dilation, ceil_mode):
        windows = (kernel_size, stride, padding, dilation, ceil_mode)
        return {"input": _max_grad(g, input, _max_geometry(rank, input, *windows))}

    return rule


def _max_of_rank(rank):
    """Max pooling that takes its windows as users write them: repeated calls skip the checks."""

    def body(input, kernel_size, stride, padding, dilation, ceil_mode):
        geometry = _max_geometry(rank, input, kernel_size, stride, padding, dilation, ceil_mode)
        return _max_pool(input, geometry)

    body.__name__ = f"_max_pool{rank}d"
    return operator(name=f"MaxPool{rank}DWithIndices", derivative=_max_rule(rank))(body)


_max_pool2d, _max_pool3d = _max_of_rank(2), _max_of_rank(3)


def _max(name, rank, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    arguments = (kernel_size, stride, padding, dilation, ceil_mode)
    geometry = recalled(name, input, arguments)
    if geometry is None:
        geometry = _max_geometry(rank, input, *arguments)
        remember(name, input, arguments, geometry)
    return (_max_pool_pair if return_indices else _max_pool)(input, geometry)


def max_pool1d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The maximum of each window along the last dimension of (N, C, L) or (C, L)."""
    return _max(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices
    )


def max_pool2d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The maximum of each window of images (N, C, H, W) or (C, H, W).

    ``stride`` is the kernel size by default; ``ceil_mode`` also uses windows that reach over the
    edge; ``return_indices`` gives each maximum's place in its flattened plane too.

    >>> import facula as torch
    >>> torch.nn.functional.max_pool2d(torch.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    if return_indices:
        return _max("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, True)
    return _max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False
):
    """The maximum of each window of volumes (N, C, D, H, W) or (C, D, H, W)."""
    if return_indices:
        return _max("max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode, True)
    return _max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


def _with_indices(name, pool):
    def function(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False):
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{pool.__name__}`` with each maximum's place in its flattened plane."
    return function


max_pool1d_with_indices = _with_indices("max_pool1d_with_indices", max_pool1d)
max_pool2d_with_indices = _with_indices("max_pool2d_with_indices", max_pool2d)
max_pool3d_with_indices = _with_indices("max_pool3d_with_indices", max_pool3d)


# Undoing max pooling -----------------------------------------------------------------------------


def _unpooled_size(input, kernel, stride, padding, output_size):
    """The size whose max pooling has this output; ``output_size`` decides between several."""
    rank = len(kernel)
    sizes = _shape(input)[-rank:]
    natural = [
        (n - 1) * s - 2 * pad + k
        for n, s, pad, k in zip(sizes, stride, padding, kernel, strict=True)
    ]
    if output_size is None:
        return tuple(natural)
    wanted = tuple(output_size)
    if len(wanted) == rank + 2:
        wanted = wanted[2:]
    if len(wanted) != rank:
        raise ValueError(
            f"output_size should be a sequence containing {rank} or {rank + 2} elements, but it "
            f"has a length of '{len(wanted)}'"
        )
    for axis, (n, s, m) in enumerate(zip(natural, stride, wanted, strict=True)):
        if not n - s < m < n + s:
            raise ValueError(
                f'invalid output_size "{wanted}" (dim {axis} must be between {n - s} and {n + s})'
            )
    return wanted


def _unpool(name, rank, input, indices, kernel_size, stride, padding, output_size):
    kernel = each(name, "kernel_size", kernel_size, rank)
    steps = kernel if stride is None else each(name, "stride", stride, rank)
    pads = each(name, "padding", padding, rank)
    sizes = tuple([int(n) for n in _unpooled_size(input, kernel, steps, pads, output_size)])
    if _dtype(indices) is not dtypes.int64:
        raise RuntimeError(
            f"elements in indices should be type int64 but got: {_dtype(indices).legacy}"
        )
    if _shape(input) != _shape(indices):
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(_shape(input))}) but got indices tensor with shape: {list(_shape(indices))}"
        )
    if modes.trace is None:
        _check_places(np.asarray(indices._buffer()), sizes)
    return _put_places(input, indices, False, sizes)


def _check_places(places, sizes):
    count = prod(sizes)
    if places.size and (places.min() < 0 or places.max() >= count):
        bad = places.min() if places.min() < 0 else places.max()
        shown = sizes if len(sizes) > 1 else (1, *sizes)
        raise RuntimeError(
            f"Found an invalid max index: {bad} (output volumes are of size "
            f"{'x'.join(map(str, shown))})"
        )


def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Zeros with the values at the places that ``max_pool1d`` returned."""
    return _unpool("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Zeros with the values at the places that ``max_pool2d`` returned."""
    return _unpool("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """Zeros with the values at the places that ``max_pool3d`` returned."""
    return _unpool("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)


# Average pooling ---------------------------------------------------------------------------------


def _divisors(sizes, geometry, counting):
    """How many elements each window's sum is divided by: one number, or an array if they differ."""
    pads, include, override = counting
    if override is not None:
        return override
    kernel, stride, _, _, out = geometry
    table = np.ones((), np.int64)
    for n, k, s, pad, m in zip(sizes, kernel, stride, pads, out, strict=True):
        start = np.arange(m) * s - pad
        stop = np.minimum(start + k, n + pad)
        if not include:
            start, stop = np.maximum(start, 0), np.minimum(stop, n)
        table = table[..., None] * (stop - start)
    return int(table.flat[0]) if (table == table.flat[0]).all() else table


def _divided(x, sizes, geometry, counting):
    found = _divisors(sizes, geometry, counting)
    own = _dtype(x)
    count = kit.number(found, own) if isinstance(found, int) else kit.table(found, own)
    return kit.bind(e.div, x, count)


@operator(
    name=pool_name("AvgPool{}DBackward0"),
    derivative={
        "input": lambda g, input, counting, geometry: _spread_mean(
            g, _shape(input)[-len(geometry[0]) :], counting, geometry
        )
    },
)
def _avg_pool(input, counting: tuple, geometry: tuple):
    total = kit.bind(p.window_sum, input, **window_params(geometry))
    sizes = _shape(input)[-len(geometry[0]) :]
    if _dtype(input).category < FLOAT:
        found = _divisors(sizes, geometry, counting)
        count = (
            kit.number(found, _dtype(input))
            if isinstance(found, int)
            else kit.table(found, _dtype(input))
        )
        return div(total, count, rounding_mode="trunc")
    return _divided(total, sizes, geometry, counting)


@operator(
    name="AvgPoolBackward",
    derivative={"grad": lambda g, counting, geometry: _avg_pool(g, counting, geometry)},
)
def _spread_mean(grad, sizes: tuple, counting: tuple, geometry: tuple):
    shared = _divided(grad, sizes, geometry, counting)
    return kit.bind(p.window_spread, shared, sizes=sizes, **window_params(geometry))


def _avg(name, rank, input, kernel_size, stride, padding, ceil_mode, include, override):
    arguments = (kernel_size, stride, padding, ceil_mode, include, override)
    known = recalled(name, input, arguments)
    if known is None:
        _check_average(name, rank, input, override)
        geometry = geometry_of(name, rank, input, kernel_size, stride, padding, 1, ceil_mode)
        if rank == 3 and any(n < k for n, k in zip(_shape(input)[-3:], geometry[0], strict=True)):
            raise RuntimeError(
                "input image (T: {} H: {} W: {}) smaller than kernel size "
                "(kT: {} kH: {} kW: {})".format(*_shape(input)[-3:], *geometry[0])
            )
        pads = tuple([low for low, _ in geometry[2]])
        known = (pads, bool(include), override), geometry
        remember(name, input, arguments, known)
    return _avg_pool(input, *known)


def _check_average(name, rank, input, override):
    ndim = len(_shape(input))
    if ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Expected {rank + 1} to {rank + 2} dimensions, but got {ndim}-dimensional tensor for "
            f"argument #1 'self' (while checking arguments for {name})"
        )
    if override == 0:
        raise RuntimeError("divisor must be not zero")
    if _dtype(input).category == BOOL:
        raise NotImplementedError(f"\"{name}\" not implemented for 'Bool'")


def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window along the last dimension of (N, C, L) or (C, L)."""
    return _avg(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode, count_include_pad, None
    )


def avg_pool2d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of images (N, C, H, W) or (C, H, W)."""
    return _avg(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


def avg_pool3d(
    input,
    kernel_size,
    stride=None,
    padding=0,
    ceil_mode=False,
    count_include_pad=True,
    divisor_override=None,
):
    """The mean of each window of volumes (N, C, D, H, W) or (C, D, H, W)."""
    return _avg(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override,
    )  # fmt: skip


# Power averages ----------------------------------------------------------------------------------


@operator(name="=PowBackward0")
def _root_of_sum(mean, p, count: int):
    """(count * mean) ** (1/p); written so that the gradient at 0 is PyTorch's."""
    return pow_(sign(mean) * abs_(mean) * count, 1.0 / p)


def _lp(pool, rank, input, norm_type, kernel_size, stride, ceil_mode):
    kernel = each(f"lp_pool{rank}d", "kernel_size", kernel_size, rank)
    mean = pool(pow_(input, float(norm_type)), kernel, stride, 0, ceil_mode)
    return _root_of_sum(mean, float(norm_type), prod(kernel))


def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """``(sum of x**p over each window) ** (1/p)`` along the last dimension."""
    return _lp(avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """``(sum of x**p over each window) ** (1/p)`` of images."""
    return _lp(avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """``(sum of x**p over each window) ** (1/p)`` of volumes."""
    return _lp(avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


_MAX = ["max_pool1d", "max_pool2d", "max_pool3d", "max_pool1d_with_indices"]
NAMESPACES = {
    "torch": [*_MAX, "avg_pool1d"],
    "functional": [
        *_MAX, "max_pool2d_with_indices", "max_pool3d_with_indices", "max_unpool1d", "max_unpool2d",
        "max_unpool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d",
        "lp_pool2d", "lp_pool3d",
    ],
}  # fmt: skip
