"""grid_sample and affine_grid: reading images at computed positions."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np

from facula.base import dtypes
from facula.base.dtypes import FLOAT
from facula.graph.primitives import elementwise as e
from facula.operators import kit
from facula.operators.arithmetic import _select, fmod
from facula.operators.basic import zero_like
from facula.operators.contraction import matmul, swapped
from facula.operators.expanding import _expand
from facula.operators.movement import _view
from facula.operators.operator import operator
from facula.operators.pointwise import _round, floor
from facula.operators.pointwise import abs as abs_
from facula.operators.pooling import _take_places
from facula.operators.resampling_weights import cubic_weights
from facula.operators.slicing import _select_at

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# Positions ---------------------------------------------------------------------------------------


def _unnormalised(x, n, align_corners):
    """From [-1, 1] to positions of elements."""
    return (x + 1) * ((n - 1) / 2) if align_corners else ((x + 1) * n - 1) / 2


def _clipped(x, n):
    """Limited to the image; no gradient flows from the limits themselves."""
    x = _select(x <= 0, zero_like(x), x)
    return _select(x >= n - 1, zero_like(x) + (n - 1), x)


def _reflected(x, n, align_corners):
    """Mirrored at the image's edges as often as needed."""
    low, span = (0.0, n - 1) if align_corners else (-0.5, n)
    if span == 0:
        return x * 0
    x = abs_(x - low)
    extra = fmod(x, span)
    odd = fmod(floor(x / span), 2) == 1
    return _clipped(_select(odd, span - extra, extra) + low, n)


def _placed(x, n, padding_mode, align_corners):
    if padding_mode == "border":
        return _clipped(x, n)
    return _reflected(x, n, align_corners) if padding_mode == "reflection" else x


@operator(differentiable=False)
def _index_and_mask(places, sizes: tuple):
    """Whole positions (one tensor for each dimension) as a flat index, and which are inside."""
    index = mask = None
    for place, n in zip(places, sizes, strict=True):
        own = _dtype(place)
        limit = kit.number(n - 1, own)
        zero = kit.number(0, own)
        inside = kit.bind(
            e.bit_and,
            kit.bind(e.less_equal, zero, place),
            kit.bind(e.less_equal, place, limit),
        )
        safe = kit.bind(e.select, inside, place, zero)
        whole = kit.as_dtype(safe, dtypes.int64)
        if index is None:
            index, mask = whole, inside
        else:
            index = kit.bind(e.add, kit.bind(e.mul, index, kit.number(n, dtypes.int64)), whole)
            mask = kit.bind(e.bit_and, mask, inside)
    return index, mask


def _values_at(input, places):
    """The image's elements at whole positions, 0 outside: (N, C, *grid)."""
    n, channels, *sizes = _shape(input)
    index, mask = _index_and_mask(places, tuple(sizes))
    grid = _shape(index)[1:]
    index = _expand(_view(index, (n, 1, *grid)), (n, channels, *grid))
    values = _take_places(input, index, tuple(sizes))
    return _select(_view(mask, (n, 1, *grid)), values, zero_like(values))


def _channels(weight):
    """A weight for each position, ready to multiply (N, C, *grid)."""
    shape = _shape(weight)
    return _view(weight, (shape[0], 1, *shape[1:]))


# Modes -------------------------------------------------------------------------------------------


def _sum(parts):
    total = None
    for part in parts:
        total = part if total is None else total + part
    return total


def _linear(input, coordinates):
    lows = [floor(x) for x in coordinates]
    parts = []
    for corner in product((0, 1), repeat=len(coordinates)):
        weight = None
        for x, low, high in zip(coordinates, lows, corner, strict=True):
            near = x - low if high else low + 1 - x
            weight = near if weight is None else weight * near
        places = [low + high for low, high in zip(lows, corner, strict=True)]
        parts.append(_values_at(input, places) * _channels(weight))
    return _sum(parts)


def _cubic(input, coordinates, padding_mode, align_corners):
    sizes = _shape(input)[2:]
    lows = [floor(x) for x in coordinates]
    weights = [cubic_weights(x - low, -0.75) for x, low in zip(coordinates, lows, strict=True)]
    parts = []
    for row in range(4):
        line = []
        for column in range(4):
            places = [
                _placed(low + (shift - 1), n, padding_mode, align_corners)
                for low, shift, n in zip(lows, (row, column), sizes, strict=True)
            ]
            places = [_round(place) for place in places]
            line.append(_values_at(input, places) * _channels(weights[1][column]))
        parts.append(_sum(line) * _channels(weights[0][row]))
    return _sum(parts)


@operator(
    name="GridSampler",
    derivative={"out": lambda g: g, "grid": lambda g, grid: zero_like(grid)},
)
def _without_grid(out, grid):
    """``out``, which depends on the grid only in steps: the grid's gradient is zero."""
    return kit.reshape(out, _shape(out))


@operator(name=lambda specs, template: f"GridSampler{specs[0].ndim - 2}DBackward0")
def _sample(input, grid, mode: str, padding_mode: str, align_corners: bool):
    sizes = _shape(input)[2:]
    last = len(_shape(grid)) - 1
    # The grid's last dimension holds x, y (, z); the image's dimensions are in reverse order.
    coordinates = [
        _unnormalised(_select_at(grid, last, len(sizes) - 1 - i), n, align_corners)
        for i, n in enumerate(sizes)
    ]
    if mode == "bicubic":
        return _cubic(input, coordinates, padding_mode, align_corners)
    coordinates = [
        _placed(x, n, padding_mode, align_corners) for x, n in zip(coordinates, sizes, strict=True)
    ]
    if mode == "nearest":
        places = [_round(x) for x in coordinates]
        return _without_grid(_values_at(input, places), grid)
    return _linear(input, coordinates)


# Public functions --------------------------------------------------------------------------------


def _check_sample(input, grid, mode):
    x, g = _shape(input), _shape(grid)
    if x[0] != g[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but got input with "
            f"sizes {list(x)} and grid with sizes {list(g)}"
        )
    if g[-1] != len(x) - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {len(x) - 2} in last dimension, but got "
            f"grid with sizes {list(g)}"
        )
    if len(x) not in (4, 5) or len(g) != len(x):
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got input with sizes {list(x)} and grid with sizes {list(g)}"
        )
    if 0 in x[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(x)} with dimension {x.index(0, 2)} being empty"
        )
    if mode == "bicubic" and len(x) == 5:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if _dtype(input) is not _dtype(grid):
        raise RuntimeError(
            f"expected scalar type {_dtype(input).legacy} but found {_dtype(grid).legacy}"
        )


def _default_alignment(name):
    warnings.warn(
        f"{name}: align_corners is not given and is taken as False (it was True before PyTorch "
        "1.3). Give align_corners to say which you want.",
        stacklevel=3,
    )


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """The image read at the grid's positions, (x, y) or (x, y, z) in [-1, 1].

    Shapes: input (N, C, H, W) and grid (N, H', W', 2) give (N, C, H', W'); with one dimension more
    each for volumes. ``align_corners`` says whether -1 and 1 are the centres or the outer edges of
    the corner pixels.

    >>> import facula as torch
    >>> image, grid = torch.ones(1, 1, 4, 4), torch.zeros(1, 2, 2, 2)
    >>> torch.nn.functional.grid_sample(image, grid, align_corners=False).shape
    torch.Size([1, 1, 2, 2])
    """
    if mode not in MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        _default_alignment("grid_sample")
        align_corners = False
    _check_sample(input, grid, mode)
    return _sample(input, grid, mode, padding_mode, bool(align_corners))


def grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners):
    """``grid_sample`` with modes as numbers, in the order they are listed there."""
    return grid_sample(
        input, grid, MODES[interpolation_mode], PADDINGS[padding_mode], align_corners
    )


grid_sampler_2d = grid_sampler_3d = grid_sampler


def _line(n, align_corners):
    at = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
    return at if align_corners else at * (n - 1) / n


@operator(differentiable=False)
def _base_grid(spatial: tuple, align_corners: bool, dtype):
    """Positions (x, y, 1) of all elements, one row each."""
    axes = np.meshgrid(*[_line(n, align_corners) for n in spatial], indexing="ij")
    rows = np.stack([*axes[::-1], np.ones(spatial)], -1).reshape(-1, len(spatial) + 1)
    return kit.table(rows, dtype)


@operator(name="AffineGridGenerator")
def _affine_grid(theta, size: tuple, align_corners: bool):
    spatial = size[2:]
    base = _base_grid(spatial, align_corners, _dtype(theta))
    return _view(matmul(base, swapped(theta)), (size[0], *spatial, len(spatial)))


def affine_grid(theta, size, align_corners=None):
    """The positions that affine matrices (N, 2, 3) map an output (N, C, H, W) to, for grid_sample.

    Volumes take matrices (N, 3, 4) and a size (N, C, D, H, W).
    """
    size = tuple([int(n) for n in size])
    if _dtype(theta).category != FLOAT:
        raise ValueError(
            f"Expected theta to have floating point type, but got torch.{_dtype(theta).name}"
        )
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {size}."
        )
    rank = len(size) - 2
    if _shape(theta)[-2:] != (rank, rank + 1) or len(_shape(theta)) != 3:
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size "
            f"{size}. Got {theta._value.spec.size}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {size}")
    if align_corners is None:
        _default_alignment("affine_grid")
        align_corners = False
    return _affine_grid(theta, size, bool(align_corners))


def affine_grid_generator(theta, size, align_corners):
    """``affine_grid`` with all its arguments."""
    return affine_grid(theta, size, align_corners)


NAMESPACES = {
    "torch": ["grid_sampler", "grid_sampler_2d", "grid_sampler_3d", "affine_grid_generator"],
    "functional": ["grid_sample", "affine_grid"],
}
