"""Fetching: from the keys of one batch to the batch, by the fastest way the dataset offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from facula import tensors
from facula.tensors import Tensor
from facula.tensors.sharing import peek
from facula.utils.data._utils import collate

Fetcher = Callable[[Any], Any]


class MapFetcher:
    """Looks keys up in a dataset and collates; `auto_collation` says whether keys come in lists."""

    def __init__(self, dataset: Any, auto_collation: bool, collate_fn: Callable) -> None:
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.whole = batch_method(dataset) if can_batch(auto_collation, collate_fn) else None

    def __call__(self, keys: Any) -> Any:
        """The batch for these keys."""
        if not self.auto_collation:
            return self.collate_fn(self.dataset[keys])
        if self.whole is not None:
            batch = self.whole(keys)
            if batch is not None:
                return batch
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.collate_fn(self.dataset.__getitems__(keys))
        return self.collate_fn([self.dataset[key] for key in keys])


class StreamFetcher:
    """Takes the next samples of an iterable dataset and collates; keys only count them.

    Raises StopIteration when nothing is left.
    """

    def __init__(
        self, dataset: Iterable, auto_collation: bool, collate_fn: Callable, drop_last: bool
    ) -> None:
        self.stream = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.ended = False

    def __call__(self, keys: Any) -> Any:
        """The next batch, or the next sample without automatic batching."""
        if self.ended:
            raise StopIteration
        if not self.auto_collation:
            return self.collate_fn(next(self.stream))
        batch = []
        for _ in keys:
            try:
                batch.append(next(self.stream))
            except StopIteration:
                self.ended = True
                break
        if not batch or (self.drop_last and len(batch) < len(keys)):
            raise StopIteration
        return self.collate_fn(batch)


def make_fetcher(
    dataset: Any, iterable: bool, auto_collation: bool, collate_fn: Callable, drop_last: bool
) -> Fetcher:
    """The fetcher for a dataset of this kind; for streams this starts the pass."""
    if iterable:
        return StreamFetcher(dataset, auto_collation, collate_fn, drop_last)
    return MapFetcher(dataset, auto_collation, collate_fn)


def can_batch(auto_collation: bool, collate_fn: Callable) -> bool:
    """Whether batches are made the standard way, so that a dataset may make them itself."""
    return auto_collation and collate_fn is collate.default_collate and collate.is_standard()


def batch_method(dataset: Any) -> Callable[[Sequence[int]], Any] | None:
    """The dataset's `__getbatch__`, unless a subclass changed how single samples are made."""
    return _unless_overridden(dataset, "__getbatch__", ("__getitem__", "__getitems__"))


def batches_method(dataset: Any) -> Callable[[list, Callable], list | None] | None:
    """The dataset's `__getbatches__`, unless a subclass changed how one batch is made."""
    by = ("__getitem__", "__getitems__", "__getbatch__")
    return _unless_overridden(dataset, "__getbatches__", by)


def _unless_overridden(dataset: Any, method: str, by: tuple[str, ...]) -> Any:
    cls = type(dataset)
    maker = _defining_class(cls, method)
    if maker is None:
        return None
    for name in by:
        owner = _defining_class(cls, name)
        # The override is more derived than the method, which therefore knows nothing of it.
        if owner is not None and owner is not maker and issubclass(owner, maker):
            return None
    return getattr(dataset, method)


def _defining_class(cls: type, name: str) -> type | None:
    return next((c for c in cls.__mro__ if name in vars(c)), None)


def whole_indices(keys: Sequence) -> np.ndarray | None:
    """The keys as int64 indices, or None when one of them is something else (a slice, a mask)."""
    try:
        if all(type(key) is int for key in keys):
            return np.array(keys, dtype=np.int64)
        if all(isinstance(k, Tensor) and k.dim() == 0 and not k.is_floating_point() for k in keys):
            return np.array([int(key) for key in keys], dtype=np.int64)
    except OverflowError:
        return None
    if all(isinstance(key, np.integer) for key in keys):
        return np.array(keys, dtype=np.int64)
    return None


def take_rows(source: Tensor, rows: np.ndarray) -> Tensor:
    """`source[rows]`, through NumPy when nothing needs recording."""
    if source.requires_grad or source.device.type != "cpu":
        return source[tensors.from_numpy(rows)]
    memory = peek(source)
    # take() is faster, but begins by copying what is not one block of memory.
    chosen = memory.take(rows, 0) if memory.flags.c_contiguous else memory[rows]
    return tensors.adopt(np.ascontiguousarray(chosen), source.dtype)
