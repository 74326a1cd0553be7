"""Warps of tensor images: affine maps, rotation, perspective, elastic displacement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import operators, tensors
from facula.base import dtypes
from facula.nn import functional as F
from facula.tensors import Tensor
from facula.vision.transforms._functional_tensor import (
    as_float_batch,
    from_float_batch,
    require_image,
)

__all__: list[str] = []


def _sample(img: Tensor, grid: Tensor, mode: str, fill: Any) -> Tensor:
    """Reads the image at the grid's places; `fill` is used for places outside of it."""
    img, squeeze, original = as_float_batch(img, (grid.dtype,))
    count, channels, height, width = img.shape
    grid = grid.expand((count,) + tuple(grid.shape[1:])) if count > 1 else grid
    if fill is None:
        sampled = F.grid_sample(img, grid, mode=mode, padding_mode="zeros", align_corners=False)
        return from_float_batch(sampled, squeeze, original)
    # A plane of ones sampled along tells how much of each result came from inside.
    ones = tensors.ones((count, 1, height, width), dtype=img.dtype, device=img.device)
    both = F.grid_sample(
        operators.cat((img, ones), dim=1),
        grid,
        mode=mode,
        padding_mode="zeros",
        align_corners=False,
    )
    sampled, inside = both[:, :-1], both[:, -1:].expand(-1, channels, -1, -1)
    values = [float(x) for x in fill] if isinstance(fill, (tuple, list)) else [float(fill)]
    colour = tensors.tensor(values, dtype=img.dtype, device=img.device)
    colour = colour.view(1, len(values), 1, 1).expand_as(sampled)
    if mode == "nearest":
        sampled = operators.where(inside < 0.5, colour, sampled)
    else:
        sampled = sampled * inside + (1.0 - inside) * colour
    return from_float_batch(sampled, squeeze, original)


def check_warp(img: Tensor, interpolation: str, supported: Sequence[str], fill: Any) -> None:
    """Raises where a warp cannot take these arguments."""
    require_image(img)
    if interpolation not in supported:
        raise ValueError(f"Resampling mode '{interpolation}' is unsupported with Tensor input")
    channels = img.shape[-3] if img.ndim > 2 else 1
    if isinstance(fill, (tuple, list)) and len(fill) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of "
            f"the image ({len(fill)} != {channels})"
        )


def _grid_dtype(img: Tensor) -> Any:
    return img.dtype if img.is_floating_point() else dtypes.float32


def _affine_grid(img: Tensor, matrix: Sequence[float], out_width: int, out_height: int) -> Tensor:
    """Source places of every output pixel, in the [-1, 1] coordinates of grid_sample."""
    dtype, device = _grid_dtype(img), img.device
    height, width = img.shape[-2:]
    x = tensors.linspace(
        -out_width * 0.5 + 0.5, out_width * 0.5 - 0.5, steps=out_width, dtype=dtype, device=device
    )
    y = tensors.linspace(
        -out_height * 0.5 + 0.5,
        out_height * 0.5 - 0.5,
        steps=out_height,
        dtype=dtype,
        device=device,
    ).unsqueeze(-1)
    shape = (out_height, out_width)
    ones = tensors.ones(shape, dtype=dtype, device=device)
    places = operators.stack([x.expand(shape), y.expand(shape), ones], dim=-1)
    theta = tensors.tensor(list(matrix), dtype=dtype, device=device).reshape(2, 3)
    half = tensors.tensor([0.5 * width, 0.5 * height], dtype=dtype, device=device)
    flat = places.reshape(1, out_height * out_width, 3).bmm((theta.t() / half).unsqueeze(0))
    return flat.view(1, out_height, out_width, 2)


def affine(
    img: Tensor, matrix: Sequence[float], interpolation: str = "nearest", fill: Any = None
) -> Tensor:
    """Warps by the inverse affine map `matrix` (centre of the image is the origin)."""
    check_warp(img, interpolation, ("nearest", "bilinear"), fill)
    grid = _affine_grid(img, matrix, img.shape[-1], img.shape[-2])
    return _sample(img, grid, interpolation, fill)


def expanded_size(matrix: Sequence[float], width: int, height: int) -> tuple[int, int]:
    """Returns the (width, height) that holds the whole of a turned image."""
    corners = np.array(
        [
            [x * width, y * height, 1.0]
            for x, y in ((-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5))
        ],
        dtype=np.float32,
    )
    turned = corners @ np.array(matrix, dtype=np.float32).reshape(2, 3).T
    middle = np.array([width * 0.5, height * 0.5], dtype=np.float32)
    # Truncating to four digits keeps rounding noise from adding a pixel.
    low = np.trunc((turned.min(0) + middle) / np.float32(1e-4)) * np.float32(1e-4)
    high = np.trunc((turned.max(0) + middle) / np.float32(1e-4)) * np.float32(1e-4)
    size = np.ceil(high) - np.floor(low)
    return int(size[0]), int(size[1])


def rotate(
    img: Tensor,
    matrix: Sequence[float],
    interpolation: str = "nearest",
    expand: bool = False,
    fill: Any = None,
) -> Tensor:
    """Rotates by the inverse map `matrix`, with `expand` into an image that holds all of it."""
    check_warp(img, interpolation, ("nearest", "bilinear"), fill)
    height, width = img.shape[-2:]
    size = expanded_size(matrix, width, height) if expand else (width, height)
    return _sample(img, _affine_grid(img, matrix, *size), interpolation, fill)


def perspective(
    img: Tensor,
    perspective_coeffs: Sequence[float],
    interpolation: str = "bilinear",
    fill: Any = None,
) -> Tensor:
    """Warps by the inverse perspective map given by eight numbers."""
    check_warp(img, interpolation, ("nearest", "bilinear"), fill)
    dtype, device = _grid_dtype(img), img.device
    height, width = img.shape[-2:]
    a, b, c, d, e, f, g, h = perspective_coeffs
    top = tensors.tensor([[a, b, c], [d, e, f]], dtype=dtype, device=device)
    bottom = tensors.tensor([[g, h, 1.0], [g, h, 1.0]], dtype=dtype, device=device)
    x = tensors.linspace(0.5, width - 0.5, steps=width, dtype=dtype, device=device)
    y = tensors.linspace(0.5, height - 0.5, steps=height, dtype=dtype, device=device).unsqueeze(-1)
    ones = tensors.ones((height, width), dtype=dtype, device=device)
    places = operators.stack([x.expand((height, width)), y.expand((height, width)), ones], dim=-1)
    flat = places.reshape(1, height * width, 3)
    half = tensors.tensor([0.5 * width, 0.5 * height], dtype=dtype, device=device)
    above = flat.bmm((top.t() / half).unsqueeze(0))
    below = flat.bmm(bottom.t().unsqueeze(0))
    grid = (above / below - 1.0).view(1, height, width, 2)
    return _sample(img, grid, interpolation, fill)


def elastic_transform(
    img: Tensor, displacement: Tensor, interpolation: str = "bilinear", fill: Any = None
) -> Tensor:
    """Moves every pixel by its own displacement (1, H, W, 2), in units of half the image."""
    check_warp(img, interpolation, ("nearest", "bilinear"), fill)
    height, width = img.shape[-2:]
    displacement = displacement.to(img.device)
    if not img.is_floating_point():
        displacement = displacement.to(dtypes.float32)
    dtype, device = displacement.dtype, displacement.device
    x, y = (
        tensors.linspace((1 - n) / n, (n - 1) / n, steps=n, dtype=dtype, device=device)
        for n in (width, height)
    )
    shape = (height, width)
    still = operators.stack([x.expand(shape), y.unsqueeze(-1).expand(shape)], dim=-1).unsqueeze(0)
    return _sample(img, still + displacement, interpolation, fill)


def inverse_affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
) -> list[float]:
    """Six numbers of the map from output to input of: centre, shear, rotate, scale, translate."""
    turn, shear_x, shear_y = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    # Forward matrix [[a, b], [c, d]] = rotation * shear, whose determinant is 1.
    a = math.cos(turn - shear_y) / math.cos(shear_y)
    b = -math.cos(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) - math.sin(turn)
    c = math.sin(turn - shear_y) / math.cos(shear_y)
    d = -math.sin(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) + math.cos(turn)
    rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
    shift_x, shift_y = -center[0] - translate[0], -center[1] - translate[1]
    offsets = [row[0] * shift_x + row[1] * shift_y for row in rows]
    return [
        rows[0][0],
        rows[0][1],
        offsets[0] + center[0],
        rows[1][0],
        rows[1][1],
        offsets[1] + center[1],
    ]


def perspective_coefficients(
    startpoints: Sequence[Sequence[float]], endpoints: Sequence[Sequence[float]]
) -> list[float]:
    """Eight numbers of the map that takes `endpoints` back to `startpoints` (least squares)."""
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            "Please provide exactly four corners, got "
            f"{len(startpoints)} startpoints and {len(endpoints)} endpoints."
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    target = np.array(startpoints, dtype=np.float64).reshape(8)
    solution = np.linalg.lstsq(np.array(rows, dtype=np.float64), target, rcond=None)[0]
    return solution.astype(np.float32).tolist()
