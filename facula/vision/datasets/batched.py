"""Whole batches of known datasets under known transforms, in vectorised code.

Values are bit for bit those of the sample-by-sample path, and random numbers are drawn in the same
order: every sample takes a fixed number of raw draws, so those of a batch are drawn at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from facula.base import dtypes
from facula.tensors import Tensor, adopt
from facula.vision._arrays import computed
from facula.vision.datasets._batch_steps import Form, Step, signature, steps_of
from facula.vision.datasets._raw_draws import raw_draws

__all__ = ["fetch", "fetch_several", "is_deterministic"]

_INTS = {int}
_TOGETHER = 1 << 18  # bytes of batches made together: they stay in a core's cache


class _Plan:
    """The steps for one kind of images under one transform."""

    def __init__(self, steps: list[Step], form: Form):
        self.steps = [(step.apply, len(step.draws)) for step in steps]
        self.draws = sum([len(step.draws) for step in steps])
        self.dtype = dtypes.from_numpy(form.dtype)
        self.bytes = form.channels * form.height * form.width * form.dtype.itemsize

    def apply(self, images: np.ndarray, raw: np.ndarray) -> np.ndarray:
        """The batch of these planes, which may be written to, with these draws if it needs any."""
        used = 0
        for step, draws in self.steps:
            images = step(images, raw[:, used : used + draws] if draws else raw)
            used += draws
        return np.ascontiguousarray(images)


class _Known:
    """The last plan of a dataset, and what it was made for; not copied along with the dataset."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        # One value, as several threads may look at it.
        self.found: tuple[list[Any], _Plan | None] = ([], None)

    def __reduce__(self) -> tuple:
        return (_Known, ())


def _planned(dataset: Any, data: np.ndarray) -> _Plan | None:
    """The plan for a dataset as it is now: its transforms may have been changed."""
    if dataset.transform is None or dataset.target_transform is not None:
        return None
    key = [dtypes.default_float(), *data.shape[1:]]
    if not signature(dataset.transform, key):
        return None
    held = dataset.__dict__
    known = held.get("_batched")
    if known is None:
        known = held["_batched"] = _Known()
    before, plan = known.found
    if before != key:
        channels = 1 if data.ndim == 3 else 3
        form = Form(data.shape[1], data.shape[2], channels, np.dtype(np.uint8), False)
        steps = steps_of(dataset.transform, form)
        good = steps is not None and form.is_tensor
        plan = _Plan(steps, form) if good else None
        known.found = (key, plan)
    return plan


def _pixels(dataset: Any) -> np.ndarray | None:
    """The dataset's images as a uint8 array (N, H, W) or (N, H, W, 3)."""
    data = dataset.data
    if isinstance(data, Tensor):
        data = computed(data)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8:
        return None
    good = data.ndim == 3 or (data.ndim == 4 and data.shape[3] == 3)
    return data if good else None


def _planes(data: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The images at these rows as a new array (N, C, H, W); raises IndexError."""
    planes = data[:, None] if data.ndim == 3 else data.transpose(0, 3, 1, 2)
    if planes.flags.c_contiguous:
        return planes.take(rows, 0)
    if data.flags.c_contiguous:
        return np.ascontiguousarray(data.take(rows, 0).transpose(0, 3, 1, 2))
    return np.ascontiguousarray(planes[rows])


def _labels(targets: Any, rows: np.ndarray, indices: list[int], count: int) -> Any:
    """int64 labels at these rows; None for what is no list of ints as long as the data."""
    if isinstance(targets, Tensor):
        targets = computed(targets)
    if targets is None or len(targets) != count:
        return None
    if isinstance(targets, np.ndarray):
        whole = targets.ndim == 1 and targets.dtype.kind in "iu"
        return targets.take(rows).astype(np.int64, copy=False) if whole else None
    chosen = [targets[i] for i in indices]
    return np.array(chosen, np.int64) if set(map(type, chosen)) == _INTS else None


def is_deterministic(dataset: Any) -> bool:
    """Tells whether batches come from vectorised code and without any random draw."""
    data = _pixels(dataset)
    plan = None if data is None else _planned(dataset, data)
    return plan is not None and not plan.draws


def _gathered(dataset: Any, indices: list[int]) -> tuple[_Plan, np.ndarray, np.ndarray] | None:
    """The plan, the planes and the labels for these samples; None where something is not known."""
    data = _pixels(dataset)
    if data is None or set(map(type, indices)) != _INTS:
        return None
    plan = _planned(dataset, data)
    if plan is None:
        return None
    try:
        rows = np.array(indices, np.int64)
        planes = _planes(data, rows)
        labels = _labels(dataset.targets, rows, indices, len(data))
    except (IndexError, OverflowError):
        return None
    return None if labels is None else (plan, planes, labels)


def fetch(dataset: Any, indices: list[int]) -> list[Tensor] | None:
    """Returns [images, labels] for the samples at `indices`, as collating them would.

    None where something is not known here (a transform, a changed dataset, odd indices): nothing
    was drawn then, and the caller goes sample by sample.
    """
    found = _gathered(dataset, indices)
    if found is None:
        return None
    plan, planes, labels = found
    raw = raw_draws(len(planes), plan.draws) if plan.draws else labels
    return [adopt(plan.apply(planes, raw), plan.dtype), adopt(labels, dtypes.int64)]


def fetch_several(dataset: Any, several: list[list[int]], active: Any) -> list[list[Tensor]] | None:
    """Returns batches as `fetch` does for some of these lists of indices, from the first on.

    `active(k)` is a context with the random streams of the k-th batch. Small batches cost less when
    they are made together; results are copies, so that none keeps the memory of others alive. None
    where batches are large, or something is not known.
    """
    if any(type(indices) is not list for indices in several):
        return None
    data = _pixels(dataset)
    plan = None if data is None else _planned(dataset, data)
    if plan is None:
        return None
    several = several[: _TOGETHER // (plan.bytes * max(map(len, several)) or 1)]
    found = None
    if len(several) > 1:
        found = _gathered(dataset, [i for indices in several for i in indices])
    if found is None:
        return None
    plan, planes, labels = found
    raw = labels
    if plan.draws:
        parts = []
        for number, indices in enumerate(several):
            with active(number):
                parts.append(raw_draws(len(indices), plan.draws))
        raw = np.concatenate(parts)
    images, batches, start = plan.apply(planes, raw), [], 0
    for indices in several:
        part = slice(start, start + len(indices))
        pair = (images[part].copy(), plan.dtype), (labels[part].copy(), dtypes.int64)
        batches.append([adopt(array, dtype) for array, dtype in pair])
        start = part.stop
    return batches
