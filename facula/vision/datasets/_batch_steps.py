"""What each known transform does to a whole batch: arrays (N, C, H, W) instead of one image.

The planes of an image stay apart from the beginning, where a Pillow image keeps the channels of a
pixel together: moving pixels is the same for both, and tensors want planes in the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from facula.base import dtypes
from facula.tensors import Tensor
from facula.vision.transforms import functional as F
from facula.vision.transforms import transforms as T
from facula.vision.transforms._convert import default_float
from facula.vision.transforms.interpolation import InterpolationMode

__all__ = ["CHANCE", "Form", "Step", "signature", "steps_of"]

# A chance is a draw of a float; a number n stands for a draw of an integer below n.
CHANCE = 0


@dataclass
class Form:
    """What the images of a batch look like at one point of the pipeline."""

    height: int
    width: int
    channels: int
    dtype: Any
    is_tensor: bool  # after ToTensor and its like


@dataclass
class Step:
    """One transform of a batch: its raw draws per sample, and what it does to the array.

    `apply(images, raw)` may change `images`, which is nobody else's.
    """

    draws: tuple[int, ...]
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _pad_widths(form: Form, padding: Any) -> list[tuple[int, int]] | None:
    left, top, right, bottom = F.F_pil.sides(padding)
    if min(left, top, right, bottom) < 0:
        return None
    form.height += top + bottom
    form.width += left + right
    return [(0, 0), (0, 0), (top, bottom), (left, right)]


def _plan_pad(padding: Any, fill: Any, mode: str, form: Form) -> list[Step] | None:
    if not isinstance(fill, (int, float)):
        return None
    if mode != "constant":
        # The tensor path refuses what NumPy would accept (borders wider than the image).
        if form.is_tensor:
            return None
        widths = _pad_widths(form, padding)
        if widths is None:
            return None
        return [Step((), lambda x, _: np.pad(x, widths, mode=mode))]  # type: ignore[call-overload]
    value = form.dtype.type(fill) if form.is_tensor else int(fill)
    if form.dtype == np.uint8 and not 0 <= int(fill) <= 255:
        return None
    widths = _pad_widths(form, padding)
    if widths is None:
        return None
    (top, _), (left, _) = widths[2:]

    def pad(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        height, width = images.shape[2:]
        shape = [n + before + after for n, (before, after) in zip(images.shape, widths)]
        wider = np.full(shape, value, dtype=images.dtype)
        wider[:, :, top : top + height, left : left + width] = images
        return wider

    return [Step((), pad)]


def _plan_crop(t: Any, form: Form) -> list[Step] | None:
    if t.pad_if_needed:
        return None
    steps: list[Step] = []
    if t.padding is not None:
        padded = _plan_pad(t.padding, t.fill, t.padding_mode, form)
        if padded is None:
            return None
        steps += padded
    height, width = t.size
    if height > form.height or width > form.width:
        return None  # the sample path raises the error
    if (height, width) != (form.height, form.width):
        ranges = (form.height - height + 1, form.width - width + 1)

        def crop(images: np.ndarray, raw: np.ndarray) -> np.ndarray:
            count, channels, _, _ = images.shape
            n, c, h, w = images.strides
            # Every crop of every image as a view: (N, rows, columns, C, height, width).
            crops = np.lib.stride_tricks.as_strided(
                images, (count, *ranges, channels, height, width), (n, h, w, c, h, w)
            )
            return crops[np.arange(count), raw[:, 0] % ranges[0], raw[:, 1] % ranges[1]]

        steps.append(Step(ranges, crop))
        form.height, form.width = height, width
    return steps


def _backwards(rows: np.ndarray) -> np.ndarray:
    """The last axis from right to left; the array is one block of memory."""
    if rows.dtype == np.uint8:
        for size in (8, 4, 2):
            if not rows.shape[-1] % size:  # a few bytes at a time: an eighth of the elements
                return rows.view(f"u{size}")[..., ::-1].byteswap().view(np.uint8)
    return rows[..., ::-1]


def _plan_flip(t: Any, form: Form) -> list[Step]:
    limit, vertical = np.float32(t.p), type(t) is T.RandomVerticalFlip

    def flip(images: np.ndarray, raw: np.ndarray) -> np.ndarray:
        # A float32 uniform is the low 24 bits of a draw.
        uniform = (raw[:, 0] & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)
        chosen = np.flatnonzero(uniform < limit)
        if chosen.size:
            before = np.ascontiguousarray(images[chosen])
            images[chosen] = before[:, :, ::-1] if vertical else _backwards(before)
        return images

    return [Step((CHANCE,), flip)]


def _plan_to_tensor(t: Any, form: Form) -> list[Step] | None:
    if form.is_tensor:
        return None
    form.is_tensor = True
    if type(t) is not T.ToTensor:
        return []
    form.dtype = default_float()
    return [_scaled(form.dtype)]


def _scaled(dtype: Any) -> Step:
    """Bytes as floats in [0, 1]."""
    most = dtype.type(255)

    def scale(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        values = images.astype(dtype)
        return np.divide(values, most, out=values)

    return Step((), scale)


def _plan_normalize(t: Any, form: Form) -> list[Step] | None:
    if not form.is_tensor or form.dtype not in (np.float32, np.float64):
        return None
    if isinstance(t.mean, Tensor) or isinstance(t.std, Tensor):
        return None
    mean, std = (np.asarray(v, dtype=form.dtype) for v in (t.mean, t.std))
    if mean.ndim > 1 or std.ndim > 1 or (std == 0).any():
        return None
    if not {mean.size, std.size} <= {1, form.channels}:
        return None
    # What is a power of two divides as exactly as its reciprocal multiplies, which is faster.
    simple = (np.abs(np.frexp(std)[0]) == 0.5).all() and (np.abs(np.log2(np.abs(std))) < 64).all()
    scale, factor = (np.multiply, 1 / std) if simple else (np.divide, std)
    mean, factor = _by_channel(mean), _by_channel(factor)

    def normalize(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        np.subtract(images, mean, out=images)
        return scale(images, factor, out=images)

    return [Step((), normalize)]


def _by_channel(values: np.ndarray) -> Any:
    """Values to combine with (N, C, H, W); one number if they are equal, which is faster."""
    first = values.reshape(-1)[0]
    return first if (values == first).all() else values.reshape(-1, 1, 1)


def _plan_convert(t: Any, form: Form) -> list[Step] | None:
    if not form.is_tensor:
        return None
    wanted = str(t.dtype).rsplit(".", 1)[-1]
    if wanted == form.dtype.name:
        return []
    if form.dtype != np.uint8 or wanted not in ("float32", "float64"):
        return None
    form.dtype = np.dtype(wanted)
    return [_scaled(form.dtype)]


def _plan_center_crop(t: Any, form: Form) -> list[Step] | None:
    height, width = t.size
    if height > form.height or width > form.width:
        return None
    top = round((form.height - height) / 2.0)
    left = round((form.width - width) / 2.0)
    form.height, form.width = height, width
    rows, columns = slice(top, top + height), slice(left, left + width)
    return [Step((), lambda x, _: x[:, :, rows, columns])]


def _plan_resize(t: Any, form: Form) -> list[Step] | None:
    """Pillow resizes image by image; only the work around it is shared."""
    if form.is_tensor:
        return None
    sizes = [t.size] if isinstance(t.size, int) else list(t.size)
    if t.max_size is not None or (t.antialias is not True and t.antialias is not None):
        return None
    form.height, form.width = F.resized_output_size((form.height, form.width), sizes)
    grey = form.channels == 1

    def resize(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        pixels = images[:, 0] if grey else images.transpose(0, 2, 3, 1)
        resized = np.stack([np.asarray(t(Image.fromarray(image))) for image in pixels])
        return resized[:, None] if grey else resized.transpose(0, 3, 1, 2)

    return [Step((), resize)]


# Which transforms are known: the attributes that say what they do, and their steps.
_KNOWN: dict[type, tuple[tuple[str, ...], Callable[[Any, Form], list[Step] | None]]] = {
    T.Pad: (
        ("padding", "fill", "padding_mode"),
        lambda t, form: _plan_pad(t.padding, t.fill, t.padding_mode, form),
    ),
    T.RandomCrop: (("size", "padding", "pad_if_needed", "fill", "padding_mode"), _plan_crop),
    T.RandomHorizontalFlip: (("p",), _plan_flip),
    T.RandomVerticalFlip: (("p",), _plan_flip),
    T.ToTensor: ((), _plan_to_tensor),
    T.PILToTensor: ((), _plan_to_tensor),
    T.Normalize: (("mean", "std"), _plan_normalize),
    T.ConvertImageDtype: (("dtype",), _plan_convert),
    T.CenterCrop: (("size",), _plan_center_crop),
    T.Resize: (("size", "max_size", "antialias", "interpolation"), _plan_resize),
}


# Attributes of these types mean the same for as long as they compare equal.
_PLAIN = frozenset(
    {int, float, str, bool, type(None), tuple, type(dtypes.float32), InterpolationMode}
)


def signature(transform: Any, found: list[Any]) -> bool:
    """Appends all that the steps of a transform depend on; False where it is not known.

    What can change in place without a trace is stood for by something that equals nothing else.
    """
    kind = type(transform)
    if kind is T.Compose:
        return all(signature(t, found) for t in transform.transforms)
    if kind not in _KNOWN:
        return False
    held = transform.__dict__
    if held.get("_forward_hooks") or held.get("_forward_pre_hooks"):
        return False
    found.append(kind)
    for name in _KNOWN[kind][0]:
        value = getattr(transform, name)
        if type(value) is list:
            value = tuple(value)
        found.append(value if type(value) in _PLAIN else object())
    return True


def steps_of(transform: Any, form: Form) -> list[Step] | None:
    """Steps of a transform with a signature, None where they are not known; moves `form` along."""
    if type(transform) is not T.Compose:
        return _KNOWN[type(transform)][1](transform, form)
    steps: list[Step] = []
    for t in transform.transforms:
        added = steps_of(t, form)
        if added is None:
            return None
        steps += added
    return steps
