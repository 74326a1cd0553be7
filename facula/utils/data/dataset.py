"""Datasets: what a sample is, and how several datasets make one."""

from __future__ import annotations

import abc
import bisect
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from facula import tensors
from facula.tensors import Tensor
from facula.utils.data._utils.fetch import batch_method, batches_method, take_rows, whole_indices

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """Samples looked up by key: subclasses give `__getitem__`, and mostly `__len__` too.

    Optional: `__getitems__(indices)` returns a list of samples at once. Facula's own, for datasets
    without user code in the way: `__getbatch__(indices)` returns the collated batch, or None when
    it cannot; `__batch_is_deterministic__()` says whether fetching draws no random numbers, and
    `__batch_draws_are_own__` is True where those it draws all come from the default generator.
    `__getbatches__(several, active)` returns the batches for the first few lists of indices, or
    None; `active(k)` is a context in which random numbers for the k-th of them are drawn.
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], abc.ABC):
    """A stream of samples: subclasses give `__iter__`.

    With workers every process runs its own copy; `get_worker_info()` tells the copies apart.
    """

    @abc.abstractmethod
    def __iter__(self) -> Iterator[T_co]:
        """Starts a fresh pass over the stream."""

    def __add__(self, other: Dataset) -> ChainDataset:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples are the rows of one or more tensors with the same first size.

    The loader takes a whole batch of rows in one step instead of row by row, with equal values.

    >>> import facula as torch
    >>> rows = torch.utils.data.TensorDataset(torch.arange(6).reshape(3, 2), torch.arange(3))
    >>> len(rows), rows[1]
    (3, (tensor([2, 3]), tensor(1)))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensor.size(0) != tensors[0].size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)

    def __getbatch__(self, indices: Sequence[int]) -> list[Tensor] | None:
        rows = whole_indices(indices)
        if rows is None or not rows.size or not self.tensors:
            return None
        if any(t.dim() == 0 for t in self.tensors):
            return None
        return [take_rows(tensor, rows) for tensor in self.tensors]

    def __batch_is_deterministic__(self) -> bool:
        # Gradients cannot leave a worker process; keep that rule (and its error) by using one.
        return not any(tensor.requires_grad for tensor in self.tensors)


class StackDataset(Dataset):
    """Samples of several equally long datasets side by side: a tuple, or a dict for keywords."""

    datasets: tuple | dict

    def __init__(self, *args: Dataset, **kwargs: Dataset) -> None:
        if args and kwargs:
            raise ValueError(
                "StackDataset takes datasets either by position (samples are tuples) or by keyword "
                "(samples are dicts), but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        members = list(args or kwargs.values())
        self._length = len(members[0])
        if any(len(member) != self._length for member in members):
            raise ValueError("Size mismatch between datasets")
        self.datasets = args or kwargs

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: member[index] for name, member in self.datasets.items()}
        return tuple(member[index] for member in self.datasets)

    def __getitems__(self, indices: list) -> list:
        named = isinstance(self.datasets, dict)
        members = list(self.datasets.values() if named else self.datasets)
        columns = [self._column(member, indices) for member in members]
        if named:
            names = list(self.datasets)
            return [dict(zip(names, row)) for row in zip(*columns)]
        return list(zip(*columns))

    @staticmethod
    def _column(member: Any, indices: list) -> list:
        if not callable(getattr(member, "__getitems__", None)):
            return [member[index] for index in indices]
        items = member.__getitems__(indices)
        if len(items) != len(indices):
            raise ValueError(
                f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}"
            )
        return items

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Several datasets end to end."""

    datasets: list[Dataset[T_co]]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(member, IterableDataset) for member in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = self.cumsum(self.datasets)

    @staticmethod
    def cumsum(sequence: Sequence) -> list[int]:
        """Running totals of the lengths of the parts."""
        return list(itertools.accumulate(len(part) for part in sequence))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> T_co:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        start = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][idx - start]

    @property
    def cummulative_sizes(self) -> list[int]:
        """PyTorch's old, misspelt name for `cumulative_sizes`."""
        warnings.warn(
            "`cummulative_sizes` attribute is renamed to `cumulative_sizes`",
            FutureWarning,
            stacklevel=2,
        )
        return self.cumulative_sizes


class ChainDataset(IterableDataset):
    """Several streams, one after the other."""

    def __init__(self, datasets: Iterable[Dataset]) -> None:
        super().__init__()
        self.datasets = datasets

    def _streams(self) -> Iterator[IterableDataset]:
        for member in self.datasets:
            if not isinstance(member, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield member

    def __iter__(self) -> Iterator:
        for stream in self._streams():
            yield from stream

    def __len__(self) -> int:
        return sum(len(stream) for stream in self._streams())


class Subset(Dataset[T_co]):
    """The samples of a dataset at the given indices."""

    dataset: Dataset[T_co]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices: list) -> list:
        if type(self).__getitem__ is not Subset.__getitem__ and (
            type(self).__getitems__ is Subset.__getitems__
        ):
            raise NotImplementedError(
                f"{type(self).__name__} overrides __getitem__ but not __getitems__. A loader "
                "fetches a Subset through __getitems__, so the override would never run; add\n\n"
                "    def __getitems__(self, indices):\n"
                "        return [self[i] for i in indices]\n"
            )
        if callable(getattr(self.dataset, "__getitems__", None)):
            return self.dataset.__getitems__([self.indices[i] for i in indices])
        return [self.dataset[self.indices[i]] for i in indices]

    def __getbatch__(self, indices: Sequence[int]) -> Any:
        fetch = batch_method(self.dataset)
        return None if fetch is None else fetch([self.indices[i] for i in indices])

    def __getbatches__(self, several: list, active: Callable) -> list | None:
        make = batches_method(self.dataset)
        if make is None:
            return None
        return make([[self.indices[i] for i in indices] for indices in several], active)

    def __batch_is_deterministic__(self) -> bool:
        ask = getattr(self.dataset, "__batch_is_deterministic__", None)
        return ask is not None and batch_method(self.dataset) is not None and bool(ask())

    @property
    def __batch_draws_are_own__(self) -> bool:
        return getattr(self.dataset, "__batch_draws_are_own__", False)

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[T_co],
    lengths: Sequence[int | float],
    generator: tensors.Generator | None = tensors.default_generator,
) -> list[Subset[T_co]]:
    """Splits a dataset at random into parts of the given lengths, or fractions that sum to 1.

    Fractions are rounded down; what is left over goes one by one to the parts, from the first.
    Errors: ValueError when lengths do not sum to the length of the dataset.

    >>> import facula as torch
    >>> parts = torch.utils.data.random_split(range(10), [0.7, 0.3])
    >>> [len(part) for part in parts]
    [7, 3]
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _lengths_of_fractions(len(dataset), lengths)
    if sum(lengths) != len(dataset):
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    order = tensors.randperm(sum(lengths), generator=generator).tolist()
    ends = list(itertools.accumulate(lengths))
    return [Subset(dataset, order[end - n : end]) for end, n in zip(ends, lengths)]


def _lengths_of_fractions(total: int, fractions: Sequence[float]) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    lengths = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(lengths)):
        lengths[i % len(lengths)] += 1
    for i, length in enumerate(lengths):
        if length == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return lengths
