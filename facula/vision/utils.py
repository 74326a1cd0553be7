"""torchvision.utils: grids of images, saving, drawing of boxes and masks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image, ImageColor

from facula import operators
from facula.base import dtypes
from facula.tensors import Tensor
from facula.vision._arrays import read, tensor_of

__all__ = [
    "draw_bounding_boxes",
    "draw_segmentation_masks",
    "make_grid",
    "save_image",
]


def _as_batch(tensor: Any) -> Tensor:
    """(N, C, H, W) with three channels at least, from what make_grid accepts."""
    if not isinstance(tensor, Tensor):
        if not isinstance(tensor, list):
            raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
        for item in tensor:
            if not isinstance(item, Tensor):
                raise TypeError(
                    f"tensor or list of tensors expected, got a list containing {type(item)}"
                )
        tensor = operators.stack(tensor, dim=0)
    if tensor.dim() == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 3:
        if tensor.size(0) == 1:
            tensor = operators.cat((tensor, tensor, tensor), 0)
        tensor = tensor.unsqueeze(0)
    if tensor.dim() == 4 and tensor.size(1) == 1:
        tensor = operators.cat((tensor, tensor, tensor), 1)
    return tensor


def _stretch(image: Tensor, value_range: tuple[float, float] | None) -> None:
    """Maps a range of values (the image's own by default) to [0, 1], in place."""
    low, high = value_range or (float(image.min()), float(image.max()))
    image.clamp_(min=low, max=high)
    image.sub_(low).div_(max(high - low, 1e-5))


def make_grid(
    tensor: Tensor | list[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[int, int] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Lays images (N, C, H, W) out in one picture with `nrow` images in a row.

    Example:
        >>> import facula as torch
        >>> from facula.vision.utils import make_grid
        >>> make_grid(torch.zeros(3, 1, 4, 4), nrow=2).shape
        torch.Size([3, 14, 14])
    """
    batch = _as_batch(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                "value_range has to be a tuple (min, max) if specified. min and max are numbers"
            )
        batch = batch.clone()
        for part in batch if scale_each else (batch,):
            _stretch(part, value_range)
    if batch.size(0) == 1:
        return batch.squeeze(0)
    count, channels = batch.size(0), batch.size(1)
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = batch.size(2) + padding, batch.size(3) + padding
    grid = batch.new_full((channels, height * rows + padding, width * columns + padding), pad_value)
    for k in range(count):
        y, x = divmod(k, columns)
        top, left = y * height + padding, x * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = batch[k]
    return grid


def save_image(
    tensor: Tensor | list[Tensor], fp: Any, format: str | None = None, **kwargs: Any
) -> None:
    """Writes images with values in [0, 1] to a file as a grid (see `make_grid` for keywords)."""
    grid = make_grid(tensor, **kwargs)
    # 0.5 and a cut: rounding to the nearest of 256 levels.
    levels = grid.detach().mul(255).add_(0.5).clamp_(0, 255).permute(1, 2, 0)
    pixels = read(levels.to(dtypes.uint8))
    Image.fromarray(np.ascontiguousarray(pixels)).save(fp, format=format)


def _palette(count: int) -> list[tuple[int, ...]]:
    """Distinct colours: multiples of three large steps, modulo 255."""
    steps = (2**25 - 1, 2**15 - 1, 2**21 - 1)
    return [tuple(i * step % 255 for step in steps) for i in range(count)]


def _colors(colors: Any, count: int) -> list[tuple[int, ...]]:
    """One RGB colour per object."""
    if colors is None:
        return _palette(count)
    listed = colors if isinstance(colors, list) else [colors] * count
    if len(listed) < count:
        raise ValueError(
            f"Number of colors must be equal or larger than the number of objects, but got "
            f"{len(listed)} < {count}."
        )
    for color in listed:
        if not isinstance(color, (str, tuple)):
            raise ValueError("`colors` must be a tuple or a string, or a list thereof")
        if isinstance(color, tuple) and len(color) != 3:
            raise ValueError(f"colors should be RGB tuples, got {color}")
    return [ImageColor.getrgb(c) if isinstance(c, str) else c for c in listed]


def _check_image(image: Any) -> None:
    if not isinstance(image, Tensor):
        raise TypeError(f"Tensor expected, got {type(image)}")
    if not (image.dtype == dtypes.uint8 or image.is_floating_point()):
        raise ValueError(f"The image dtype must be uint8 or float, got {image.dtype}")
    if image.dim() != 3:
        raise ValueError("Pass individual images, not batches")
    if image.size(0) not in (1, 3):
        raise ValueError("Only grayscale and RGB images are supported")


def _to_levels(image: Tensor) -> np.ndarray:
    """uint8 (3, H, W) values of an image that is uint8 or float in [0, 1]."""
    values = image.detach().cpu()
    if values.is_floating_point():
        values = values.mul(255 + 1 - 1e-3).to(dtypes.uint8)
    array = read(values)
    return np.repeat(array, 3, axis=0) if len(array) == 1 else array


def _from_levels(levels: np.ndarray, like: Tensor) -> Tensor:
    result = tensor_of(levels)
    if like.is_floating_point():
        result = result.to(like.dtype).div(255)
    return result.to(like.device)


def draw_bounding_boxes(
    image: Tensor,
    boxes: Tensor,
    labels: list[str] | None = None,
    colors: Any = None,
    fill: bool | None = False,
    width: int = 1,
    font: str | None = None,
    font_size: int | None = None,
) -> Tensor:
    """Draws (N, 4) boxes (x1, y1, x2, y2), and labels beside them, on a copy of the image."""
    from PIL import ImageDraw, ImageFont  # slow to import, rarely needed

    _check_image(image)
    count = boxes.shape[0]
    if count == 0:
        return image
    corners = boxes.to(dtypes.int64).tolist()
    if any(x2 < x1 or y2 < y1 for x1, y1, x2, y2 in corners):
        raise ValueError(
            "Boxes need to be in (xmin, ymin, xmax, ymax) format with xmin <= xmax and ymin <= ymax"
        )
    names: list[Any] = [None] * count if labels is None else list(labels)
    if len(names) != count:
        raise ValueError(
            f"The number of boxes ({count}) and labels ({len(names)}) mismatch. Please specify "
            "labels for each box."
        )
    picture = Image.fromarray(np.ascontiguousarray(_to_levels(image).transpose(1, 2, 0)))
    draw = ImageDraw.Draw(picture, "RGBA" if fill else None)
    if font is None:
        text_font: Any = ImageFont.load_default()
    else:
        text_font = ImageFont.truetype(font, font_size or 10)
    for box, color, name in zip(corners, _colors(colors, count), names):
        inside = (*color, 100) if fill else None
        draw.rectangle(box, width=width, outline=color, fill=inside)
        if name is not None:
            draw.text((box[0] + width + 1, box[1] + width + 1), name, fill=color, font=text_font)
    return _from_levels(np.asarray(picture).transpose(2, 0, 1), image)


def draw_segmentation_masks(
    image: Tensor, masks: Tensor, alpha: float = 0.8, colors: Any = None
) -> Tensor:
    """Blends boolean (N, H, W) masks over a copy of the image; alpha 1 hides what is below."""
    _check_image(image)
    masks = masks[None] if masks.ndim == 2 else masks
    if masks.ndim != 3 or masks.dtype != dtypes.bool_:
        raise ValueError("masks must be of shape (H, W) or (batch_size, H, W) and boolean")
    if tuple(masks.shape[-2:]) != tuple(image.shape[-2:]):
        raise ValueError("The image and the masks must have the same height and width")
    flags = read(masks)
    values = read(image)
    values = np.repeat(values, 3, axis=0) if len(values) == 1 else values
    unit = 255 if image.is_floating_point() else 1
    painted = values.copy()
    for mask, color in zip(flags, _colors(colors, len(flags))):
        painted[:, mask] = (np.array(color) / unit).astype(values.dtype)[:, None]
    painted[:, flags.sum(0) > 1] = 0  # where masks meet no colour is right
    blended = (values * (1 - alpha) + painted * alpha).astype(values.dtype)
    return tensor_of(blended).to(image.device)


def _log_api_usage_once(obj: Any) -> None:
    """Does nothing: no usage is reported to anyone."""


def _make_ntuple(x: Any, n: int) -> tuple[Any, ...]:
    """Spells a value or an iterable as a tuple of n."""
    return tuple(x) if isinstance(x, Iterable) else (x,) * n
