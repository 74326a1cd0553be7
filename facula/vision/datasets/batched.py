"""Whole batches of known datasets under known transforms, in vectorised code.

Values are bit for bit those of the sample-by-sample path, and random numbers are drawn in the same
order: every sample takes a fixed number of raw draws, so those of a batch are drawn at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from facula.tensors import Tensor
from facula.vision._arrays import computed, tensor_of
from facula.vision.datasets._raw_draws import raw_draws
from facula.vision.transforms import functional as F
from facula.vision.transforms import transforms as T
from facula.vision.transforms._convert import default_float

__all__ = ["fetch", "is_deterministic"]

# A chance is a draw of a float; a number n stands for a draw of an integer below n.
CHANCE = 0


@dataclass
class _Form:
    """What the images of a batch look like at one point of the pipeline."""

    height: int
    width: int
    channels: int
    dtype: Any
    is_tensor: bool  # (N, C, H, W) after ToTensor, (N, H, W[, C]) before

    @property
    def axes(self) -> tuple[int, int]:
        """Positions of height and width in a batch."""
        return (2, 3) if self.is_tensor else (1, 2)


@dataclass
class _Step:
    """One transform of a batch: its raw draws per sample, and what it does to the array."""

    draws: tuple[int, ...]
    apply: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _pad_widths(form: _Form, padding: Any) -> list[tuple[int, int]] | None:
    left, top, right, bottom = F.F_pil.sides(padding)
    if min(left, top, right, bottom) < 0:
        return None
    widths = [(0, 0)] * (3 if not form.is_tensor and form.channels == 1 else 4)
    widths[form.axes[0]], widths[form.axes[1]] = (top, bottom), (left, right)
    form.height += top + bottom
    form.width += left + right
    return widths


def _plan_pad(padding: Any, fill: Any, mode: str, form: _Form) -> list[_Step] | None:
    if not isinstance(fill, (int, float)):
        return None
    if mode != "constant":
        # The tensor path refuses what NumPy would accept (borders wider than the image).
        if form.is_tensor:
            return None
        widths = _pad_widths(form, padding)
        if widths is None:
            return None
        return [_Step((), lambda x, _: np.pad(x, widths, mode=mode))]  # type: ignore[call-overload]
    value = form.dtype.type(fill) if form.is_tensor else int(fill)
    if form.dtype == np.uint8 and not 0 <= int(fill) <= 255:
        return None
    widths = _pad_widths(form, padding)
    if widths is None:
        return None

    def pad(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        shape = [n + before + after for n, (before, after) in zip(images.shape, widths)]
        wider = np.full(shape, value, dtype=images.dtype)
        inside = [slice(before, before + n) for n, (before, _) in zip(images.shape, widths)]
        wider[tuple(inside)] = images
        return wider

    return [_Step((), pad)]


def _windows(images: np.ndarray, axes: tuple[int, int], size: Sequence[int]) -> np.ndarray:
    """All crops of all images as a view: (N, rows, columns, ..., crop height, crop width)."""
    view = np.lib.stride_tricks.sliding_window_view(images, tuple(size), axis=axes)
    return view.transpose(0, *axes, *(i for i in range(1, view.ndim) if i not in axes))


def _plan_crop(t: Any, form: _Form) -> list[_Step] | None:
    if t.pad_if_needed:
        return None
    steps: list[_Step] = []
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
        axes, rows_last = form.axes, not form.is_tensor and form.channels > 1

        def crop(images: np.ndarray, raw: np.ndarray) -> np.ndarray:
            top, left = raw[:, 0] % ranges[0], raw[:, 1] % ranges[1]
            crops = _windows(images, axes, (height, width))[np.arange(len(images)), top, left]
            return crops.transpose(0, 2, 3, 1) if rows_last else crops

        steps.append(_Step(ranges, crop))
        form.height, form.width = height, width
    return steps


def _plan_flip(t: Any, form: _Form) -> list[_Step]:
    limit, axis = np.float32(t.p), form.axes[0 if type(t) is T.RandomVerticalFlip else 1]

    def flip(images: np.ndarray, raw: np.ndarray) -> np.ndarray:
        # A float32 uniform is the low 24 bits of a draw.
        uniform = (raw[:, 0] & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)
        chosen = np.flatnonzero(uniform < limit)
        backwards = np.arange(images.shape[axis] - 1, -1, -1)
        # take() moves whole pixels, three times faster than a view with a negative stride.
        images[chosen] = images[chosen].take(backwards, axis)
        return images

    return [_Step((CHANCE,), flip)]


def _plan_to_tensor(t: Any, form: _Form) -> list[_Step] | None:
    if form.is_tensor:
        return None
    scale = default_float() if type(t) is T.ToTensor else None
    grey = form.channels == 1
    form.is_tensor = True
    form.dtype = form.dtype if scale is None else scale

    def convert(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        planes = images[:, None] if grey else images.transpose(0, 3, 1, 2)
        planes = np.ascontiguousarray(planes)
        if scale is None:
            return planes
        values = planes.astype(scale)
        values /= scale.type(255)
        return values

    return [_Step((), convert)]


def _plan_normalize(t: Any, form: _Form) -> list[_Step] | None:
    if not form.is_tensor or form.dtype not in (np.float32, np.float64):
        return None
    if isinstance(t.mean, Tensor) or isinstance(t.std, Tensor):
        return None
    mean, std = (np.asarray(v, dtype=form.dtype) for v in (t.mean, t.std))
    if mean.ndim > 1 or std.ndim > 1 or (std == 0).any():
        return None
    if not {mean.size, std.size} <= {1, form.channels}:
        return None
    mean, std = mean.reshape(-1, 1, 1), std.reshape(-1, 1, 1)

    def normalize(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        images -= mean
        images /= std
        return images

    return [_Step((), normalize)]


def _plan_convert(t: Any, form: _Form) -> list[_Step] | None:
    if not form.is_tensor:
        return None
    wanted = str(t.dtype).rsplit(".", 1)[-1]
    if wanted == form.dtype.name:
        return []
    if form.dtype != np.uint8 or wanted not in ("float32", "float64"):
        return None
    dtype = form.dtype = np.dtype(wanted)
    return [_Step((), lambda x, _: x.astype(dtype) / dtype.type(255))]


def _plan_center_crop(t: Any, form: _Form) -> list[_Step] | None:
    height, width = t.size
    if height > form.height or width > form.width:
        return None
    top = round((form.height - height) / 2.0)
    left = round((form.width - width) / 2.0)
    form.height, form.width = height, width
    rows, columns = slice(top, top + height), slice(left, left + width)
    if form.is_tensor:
        return [_Step((), lambda x, _: x[:, :, rows, columns])]
    return [_Step((), lambda x, _: x[:, rows, columns])]


def _plan_resize(t: Any, form: _Form) -> list[_Step] | None:
    """Pillow resizes image by image; only the work around it is shared."""
    if form.is_tensor:
        return None
    sizes = [t.size] if isinstance(t.size, int) else list(t.size)
    if t.max_size is not None or (t.antialias is not True and t.antialias is not None):
        return None
    form.height, form.width = F.resized_output_size((form.height, form.width), sizes)

    def resize(images: np.ndarray, _: np.ndarray) -> np.ndarray:
        return np.stack([np.asarray(t(Image.fromarray(image))) for image in images])

    return [_Step((), resize)]


_PLANNERS: dict[type, Callable[[Any, _Form], list[_Step] | None]] = {
    T.Pad: lambda t, form: _plan_pad(t.padding, t.fill, t.padding_mode, form),
    T.RandomCrop: _plan_crop,
    T.RandomHorizontalFlip: _plan_flip,
    T.RandomVerticalFlip: _plan_flip,
    T.ToTensor: _plan_to_tensor,
    T.PILToTensor: _plan_to_tensor,
    T.Normalize: _plan_normalize,
    T.ConvertImageDtype: _plan_convert,
    T.CenterCrop: _plan_center_crop,
    T.Resize: _plan_resize,
}


def _flatten(transform: Any) -> list[Any] | None:
    if type(transform) is T.Compose:
        parts = [_flatten(t) for t in transform.transforms]
        return None if any(p is None for p in parts) else [t for p in parts for t in p]
    hooks = any(getattr(transform, name, None) for name in ("_forward_hooks", "_forward_pre_hooks"))
    return None if type(transform) not in _PLANNERS or hooks else [transform]


def _plan(transform: Any, form: _Form) -> list[_Step] | None:
    """Steps for a transform, None where it is not known; moves `form` to the end."""
    flat = _flatten(transform)
    if flat is None:
        return None
    steps: list[_Step] = []
    for t in flat:
        added = _PLANNERS[type(t)](t, form)
        if added is None:
            return None
        steps += added
    return steps if form.is_tensor else None


def _pixels(dataset: Any) -> np.ndarray | None:
    """The dataset's images as a uint8 array (N, H, W) or (N, H, W, 3)."""
    data = dataset.data
    if isinstance(data, Tensor):
        data = computed(data)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
        return None
    good = data.ndim == 3 or (data.ndim == 4 and data.shape[3] == 3)
    return data if good else None


def _planned(dataset: Any) -> tuple[np.ndarray, list[_Step]] | None:
    if dataset.transform is None or dataset.target_transform is not None:
        return None
    data = _pixels(dataset)
    if data is None:
        return None
    channels = 1 if data.ndim == 3 else 3
    form = _Form(data.shape[1], data.shape[2], channels, np.dtype(np.uint8), False)
    steps = _plan(dataset.transform, form)
    return None if steps is None else (data, steps)


def _labels(targets: Any, rows: np.ndarray, count: int) -> np.ndarray | None:
    if isinstance(targets, Tensor):
        targets = computed(targets)
    if targets is None or len(targets) != count:
        return None
    if isinstance(targets, np.ndarray):
        whole = targets.ndim == 1 and targets.dtype.kind in "iu"
        return targets[rows].astype(np.int64) if whole else None
    chosen = [targets[i] for i in rows.tolist()]
    return np.array(chosen, dtype=np.int64) if all(type(t) is int for t in chosen) else None


def is_deterministic(dataset: Any) -> bool:
    """Tells whether batches come from vectorised code and without any random draw."""
    planned = _planned(dataset)
    return planned is not None and not any(step.draws for step in planned[1])


def fetch(dataset: Any, indices: Sequence[int]) -> list[Tensor] | None:
    """Returns [images, labels] for the samples at `indices`, as collating them would.

    None where something is not known here (a transform, a changed dataset, odd indices): nothing
    was drawn then, and the caller goes sample by sample.
    """
    if not len(indices) or not all(type(i) is int for i in indices):
        return None
    planned = _planned(dataset)
    if planned is None:
        return None
    data, steps = planned
    rows = np.array(indices, dtype=np.int64)
    if rows.min() < -len(data) or rows.max() >= len(data):
        return None
    labels = _labels(dataset.targets, rows, len(data))
    if labels is None:
        return None
    kinds = [kind for step in steps for kind in step.draws]
    raw = raw_draws(len(rows), kinds) if kinds else np.empty((len(rows), 0), dtype=np.int64)
    images, used = data[rows], 0
    for step in steps:
        images = step.apply(images, raw[:, used : used + len(step.draws)])
        used += len(step.draws)
    return [tensor_of(images), tensor_of(labels)]
