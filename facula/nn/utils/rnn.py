"""Sequences of different lengths: padded, packed for recurrent layers, and back."""

from __future__ import annotations

import warnings
from collections import namedtuple
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import operators as ops
from facula import tensors
from facula.base import dtypes
from facula.nn.recurrence import packing
from facula.operators.packed_rows import pack_rows, pad_rows
from facula.tensors import Tensor

_Fields = namedtuple(
    "_Fields",
    ["data", "batch_sizes", "sorted_indices", "unsorted_indices"],
    defaults=[None, None, None],
)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another."""
    return None if permutation is None else ops.argsort(permutation)


class PackedSequence(_Fields):
    """Sequences sorted by length and stored step by step, without padding.

    ``data`` holds the rows of step 0, then of step 1, and so on; ``batch_sizes`` says how many
    sequences are still running at each step.
    """

    def __new__(
        cls,
        data: Any,
        batch_sizes: Any = None,
        sorted_indices: Any = None,
        unsorted_indices: Any = None,
    ) -> PackedSequence:
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not isinstance(data, (list, tuple)) or len(data) != 2:
                raise AssertionError("PackedSequence needs data and batch_sizes")
            data, batch_sizes = data
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def __getnewargs__(self) -> tuple:
        return tuple(self)

    def _map(self, convert: Any) -> PackedSequence:
        return type(self)(convert(self.data), *self[1:])

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Convert the data; the lengths stay on the CPU."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        kept = {k: v for k, v in kwargs.items() if k not in ("device", "dtype")}
        indices = [None if index is None else index.to(data.device, **kept) for index in self[2:]]
        return type(self)(data, self.batch_sizes, *indices)

    def pin_memory(self) -> PackedSequence:
        """Pin the memory of the data."""
        return self._map(lambda t: t.pin_memory())

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Move to a GPU."""
        return self._map(lambda t: t.cuda(*args, **kwargs))

    def cpu(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Move to the CPU."""
        return self.to("cpu")

    def double(self) -> PackedSequence:
        """Convert to float64."""
        return self._map(lambda t: t.double())

    def float(self) -> PackedSequence:
        """Convert to float32."""
        return self._map(lambda t: t.float())

    def half(self) -> PackedSequence:
        """Convert to float16."""
        return self._map(lambda t: t.half())

    def long(self) -> PackedSequence:
        """Convert to int64."""
        return self._map(lambda t: t.long())

    def int(self) -> PackedSequence:
        """Convert to int32."""
        return self._map(lambda t: t.int())

    def short(self) -> PackedSequence:
        """Convert to int16."""
        return self._map(lambda t: t.short())

    def char(self) -> PackedSequence:
        """Convert to int8."""
        return self._map(lambda t: t.char())

    def byte(self) -> PackedSequence:
        """Convert to uint8."""
        return self._map(lambda t: t.byte())

    @property
    def is_cuda(self) -> bool:
        """Whether the data is on a GPU."""
        return self.data.is_cuda

    def is_pinned(self) -> bool:
        """Whether the memory of the data is pinned."""
        return self.data.is_pinned()


def _as_ints(lengths: Any) -> list[int]:
    return [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Pack padded sequences. Shapes: input (T, B, *), or (B, T, *) with ``batch_first``.

    ``enforce_sorted`` demands falling lengths; otherwise the batch is sorted here and the order
    kept in the result.

    >>> import facula as torch
    >>> packed = torch.nn.utils.rnn.pack_padded_sequence(torch.ones(3, 2, 1), [3, 1])
    >>> packed.batch_sizes
    tensor([2, 1, 1])
    """
    if not isinstance(lengths, Tensor):
        if enforce_sorted is True and not isinstance(lengths, (list, tuple)):
            warnings.warn("pack_padded_sequence takes lengths as a tensor or list", stacklevel=2)
        lengths = tensors.tensor(_as_ints(lengths), dtype=dtypes.int64)
    order = None
    if not enforce_sorted:
        lengths, order = ops.sort(lengths, descending=True)
        input = input.index_select(0 if batch_first else 1, order)
    sizes = _as_ints(lengths)
    steps = input.transpose(0, 1) if batch_first else input
    _check_lengths(sizes, steps)
    batch_sizes = _running(sizes)
    packed = pack_rows(steps, packing(batch_sizes, False))
    return PackedSequence(packed, tensors.tensor(batch_sizes, dtype=dtypes.int64), order, None)


def _running(sizes: list[int]) -> list[int]:
    """How many sequences are longer than 0, 1, 2, ... steps."""
    steps = np.arange(max(sizes, default=0))[:, None]
    return (np.asarray(sizes) > steps).sum(1).tolist()


def _check_lengths(sizes: list[int], steps: Tensor) -> None:
    if steps.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != steps.size(1):
        raise RuntimeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(sizes)} (batch_size="
            f"{steps.size(1)})"
        )
    if sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if min(sizes) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if max(sizes) > steps.size(0):
        raise RuntimeError(
            f"Expected all lengths to be at most the number of steps {steps.size(0)}, got "
            f"{max(sizes)}"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded tensor and the lengths of a packed batch, in the original order."""
    batch_sizes = _as_ints(sequence.batch_sizes)
    longest = len(batch_sizes)
    if total_length is not None:
        if total_length < longest:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in "
                f"input, but got total_length={total_length} and max sequence length being "
                f"{longest}"
            )
        longest = total_length
    lengths, *places = packing(batch_sizes, False)
    padded = pad_rows(sequence.data, padding_value, [lengths, *places], longest)
    padded = padded.transpose(0, 1) if batch_first else padded
    order = sequence.unsorted_indices
    if order is not None:
        return padded.index_select(0 if batch_first else 1, order), lengths[order.cpu()]
    return padded, lengths


def pad_sequence(
    sequences: Any,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stack tensors of different first sizes, filling up with a value.

    Shapes: each (L, *) -> (T, B, *), or (B, T, *) with ``batch_first``; T is the longest L.
    """
    if padding_side not in ("left", "right"):
        raise RuntimeError("padding_side should be either right or left, got " + padding_side)
    if isinstance(sequences, Tensor):
        sequences = ops.unbind(sequences, 0)
    elif not isinstance(sequences, Sequence) and not hasattr(sequences, "__iter__"):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    longest = max(s.size(0) for s in sequences)
    rest = tuple(sequences[0].shape[1:])
    rows = []
    for sequence in sequences:
        if tuple(sequence.shape[1:]) != rest:
            raise RuntimeError(
                f"pad_sequence: the sizes after the first must agree, got {rest} and "
                f"{tuple(sequence.shape[1:])}"
            )
        missing = longest - sequence.size(0)
        if missing:
            blank = sequences[0].new_full((missing, *rest), padding_value)
            parts = [blank, sequence] if padding_side == "left" else [sequence, blank]
            sequence = ops.cat(parts, 0)
        rows.append(sequence)
    return ops.stack(rows, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each with its own length."""
    rows = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [row[:n] for row, n in zip(ops.unbind(rows, 0), _as_ints(lengths))]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences."""
    lengths = tensors.tensor([s.size(0) for s in sequences], dtype=dtypes.int64)
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, in the original order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
