"""Resizing: interpolate and its older names."""

from __future__ import annotations

import math
import numbers
import warnings

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import FLOAT
from facula.graph.primitives import elementwise as e
from facula.operators import kit
from facula.operators.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    apply_matrices,
)
from facula.operators.axis_tables import add_last_axes, read_last_axes
from facula.operators.operator import operator
from facula.operators.resampling_weights import matrix, nearest_places


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# Nearest -----------------------------------------------------------------------------------------


def _nearest_tables(sizes, output, scales, exact):
    # Small images of the same or twice the size are copied evenly whatever the factor (PyTorch).
    whole = len(sizes) == 2 and sum(output) <= 128 and not exact
    return [
        nearest_places(n, m, scale, exact, whole)
        for n, m, scale in zip(sizes, output, scales, strict=True)
    ]


def _nearest_name(specs, template):
    return f"UpsampleNearest{'Exact' if template[3] else ''}{len(template[1])}DBackward0"


@operator(
    name=_nearest_name,
    derivative={
        "input": lambda g, input, output, scales, exact: _nearest_grad(
            g, _shape(input)[2:], output, scales, exact
        )
    },
)
def _nearest(input, output: tuple, scales: tuple, exact: bool):
    return read_last_axes(input, _nearest_tables(_shape(input)[2:], output, scales, exact))


@operator(
    name="UpsampleNearestBackward",
    derivative={"grad": lambda g, output, scales, exact: _nearest(g, output, scales, exact)},
)
def _nearest_grad(grad, sizes: tuple, output: tuple, scales: tuple, exact: bool):
    return add_last_axes(grad, _nearest_tables(sizes, output, scales, exact), sizes)


# Weighted ----------------------------------------------------------------------------------------

# Every weighted mode works on one axis at a time and is linear: a matrix for each axis.


def _matrices(x, sizes, output, scales, mode, align_corners, antialias):
    precision = np.float64 if _dtype(x) is dtypes.float64 else np.float32
    kind = "cubic" if mode == "bicubic" else "lanczos" if mode == "lanczos" else "linear"
    return [
        matrix(kind, n, m, scale, align_corners, antialias, precision)
        for n, m, scale in zip(sizes, output, scales, strict=True)
    ]


def _weighted_name(specs, template):
    _, output, _, mode, _, antialias = template
    name = {"linear": "Linear", "bilinear": "Bilinear", "trilinear": "Trilinear"}.get(
        mode, mode.capitalize()
    )
    return f"Upsample{name}{len(output)}D{'Aa' if antialias else ''}Backward0"


def _weighted_rule(g, input, output, scales, mode, align_corners, antialias):
    return _weighted_grad(g, _shape(input)[2:], output, scales, mode, align_corners, antialias)


@operator(name=_weighted_name, derivative={"input": _weighted_rule})
def _weighted(input, output: tuple, scales: tuple, mode: str, align_corners: bool, antialias: bool):
    sizes = _shape(input)[2:]
    tables = _matrices(input, sizes, output, scales, mode, align_corners, antialias)
    if _dtype(input) is not dtypes.uint8 or len(tables) != 2:
        return apply_matrices(input, tables)
    # Bytes are rounded after each axis, columns first.
    input = _bytes(apply_matrices(kit.as_dtype(input, dtypes.float32), [None, tables[1]]))
    return kit.as_dtype(_bytes(apply_matrices(input, [tables[0], None])), dtypes.uint8)


def _bytes(x):
    """Rounded to the whole numbers 0 to 255."""
    low, high, half = [kit.number(n, dtypes.float32) for n in (0, 255, 0.5)]
    whole = kit.bind(e.floor, kit.bind(e.add, x, half))
    return kit.bind(e.minimum, kit.bind(e.maximum, whole, low), high)


@operator(
    name="UpsampleBackward",
    derivative={
        "grad": lambda g, output, scales, mode, align_corners, antialias: _weighted(
            g, output, scales, mode, align_corners, antialias
        )
    },
)
def _weighted_grad(
    grad,
    sizes: tuple,
    output: tuple,
    scales: tuple,
    mode: str,
    align_corners: bool,
    antialias: bool,
):
    tables = _matrices(grad, sizes, output, scales, mode, align_corners, antialias)
    return apply_matrices(grad, tables, transposed=True)


# interpolate -------------------------------------------------------------------------------------

_RANKS = {"linear": 1, "bilinear": 2, "bicubic": 2, "lanczos": 2, "trilinear": 3}
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
_MODES = "nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact"


def _wanted_size(shape, size):
    """``size`` as one int for each spatial dimension."""
    rank = len(shape) - 2
    if not isinstance(size, (list, tuple)):
        size = [size] * rank
    elif len(size) != rank:
        raise ValueError(
            "Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(shape[2:])} and output size of {size}. Please provide "
            "input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) "
            "format."
        )
    if not all(isinstance(n, numbers.Integral) or hasattr(n, "__index__") for n in size):
        raise TypeError(
            "expected size to be one of int or Tuple[int] or Tuple[int, int] or Tuple[int, int, "
            f"int], but got size with types {[type(n) for n in size]}"
        )
    return tuple([int(n) for n in size])


def _wanted_scale(shape, scale_factor):
    rank = len(shape) - 2
    if not isinstance(scale_factor, (list, tuple)):
        return (float(scale_factor),) * rank
    if len(scale_factor) != rank:
        raise ValueError(
            "Input and scale_factor must have the same number of spatial dimensions, but got input "
            f"with spatial dimensions of {list(shape[2:])} and scale_factor of shape "
            f"{scale_factor}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            "scale_factor in (s1, s2, ...,sK) format."
        )
    return tuple([float(s) for s in scale_factor])


def _check_mode(mode, shape, antialias):
    ndim = len(shape)
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires "
            "a 4-D tensor as input"
        )
    if mode in ("nearest", "nearest-exact", "area") and ndim in (3, 4, 5):
        return
    if mode in _RANKS and mode != "lanczos" and ndim in (3, 4, 5):
        if ndim == _RANKS[mode] + 2:
            return
        if mode != "bicubic":
            raise NotImplementedError(
                f"Got {ndim}D input, but {mode} mode needs {_RANKS[mode] + 2}D input"
            )
    if mode == "lanczos" and ndim == 4:
        if antialias:
            return
        raise ValueError("Lanczos mode requires antialias=True")
    raise NotImplementedError(
        f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {ndim}D) for the modes: "
        f"{_MODES} (got {mode})"
    )


def _check_sizes(sizes, output):
    if all(n > 0 for n in sizes) and all(n > 0 for n in output):
        return
    names = "DHW"[3 - len(sizes) :]

    def told(values):
        return ", ".join(f"{name}: {n}" for name, n in zip(names, values, strict=True))

    raise RuntimeError(
        "Input and output sizes should be greater than 0, but got input "
        f"({told(sizes)}) output ({told(output)})"
    )


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """The input (N, C, ...) resized to ``size`` or by ``scale_factor``.

    Modes: "nearest", "nearest-exact", "linear" (3-d), "bilinear" and "bicubic" (4-d), "trilinear"
    (5-d), "area"; "lanczos" with ``antialias``. ``align_corners`` maps corner centres to corner
    centres; ``antialias`` widens the filter when an image is made smaller.

    >>> import facula as torch
    >>> torch.nn.functional.interpolate(torch.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    plain = mode in ("nearest", "area", "nearest-exact")
    if plain and align_corners is not None:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear "
            "| bicubic | trilinear"
        )
    shape = _shape(input)
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None and recompute_scale_factor:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    scales = None
    if size is not None:
        output = _wanted_size(shape, size)
    else:
        scales = _wanted_scale(shape, scale_factor)
        output = tuple([math.floor(n * s) for n, s in zip(shape[2:], scales, strict=True)])
        if mode == "area" or recompute_scale_factor:
            scales = None
    _check_mode(mode, shape, antialias)
    rank = len(shape) - 2
    if mode == "area":
        return _AREA[rank](input, output)
    _check_sizes(shape[2:], output)
    scales = (None,) * rank if scales is None else tuple([(s,) for s in scales])
    bytes_too = plain or rank == 2
    if _dtype(input).category < FLOAT and not (bytes_too and _dtype(input) is dtypes.uint8):
        kind = "nearest" if plain else mode
        raise NotImplementedError(
            f"\"upsample_{kind}{rank}d\" not implemented for '{_dtype(input).legacy}'"
        )
    if plain:
        return _nearest(input, output, scales, mode == "nearest-exact")
    return _weighted(input, output, scales, mode, bool(align_corners), bool(antialias))


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The older name of ``interpolate``."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """``interpolate`` with nearest neighbours."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """``interpolate`` with bilinear weights and aligned corners."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


NAMESPACES = {"functional": ["interpolate", "upsample", "upsample_nearest", "upsample_bilinear"]}
