"""Collation: from a list of samples to one batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from facula import operators as ops
from facula import tensors
from facula.tensors import Tensor
from facula.tensors.sharing import peek

CollateMap = dict[Any, Callable]
_REFUSED = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_convert(data: Any) -> Any:
    """Turns the NumPy arrays inside a sample into tensors and leaves everything else as it is."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if _is_text(data) else tensors.as_tensor(data)
    if isinstance(data, Mapping):
        return _rebuilt_mapping(data, {key: default_convert(data[key]) for key in data})
    if isinstance(data, tuple):
        parts = [default_convert(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt_sequence(data, [default_convert(part) for part in data])
    return data


def default_collate(batch: Sequence) -> Any:
    """Puts samples into one batch with a new first dimension.

    Tensors and arrays are stacked, Python floats become float64, ints int64, strings stay a list;
    tuples (as lists), named tuples, dicts and sequences are collated part by part.
    Errors: RuntimeError for parts of different sizes, TypeError for anything else.

    >>> import facula as torch
    >>> torch.utils.data.default_collate([(1, 2.0), (3, 4.0)])
    [tensor([1, 3]), tensor([2., 4.], dtype=torch.float64)]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Collates with a table from sample type (or tuple of types) to function.

    A function gets the list of samples, and the table as keyword `collate_fn_map`.
    """
    sample = batch[0]
    function = _lookup(sample, collate_fn_map)
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)

    def combine(parts: Sequence) -> Any:
        return collate(parts, collate_fn_map=collate_fn_map)

    if isinstance(sample, Mapping):
        columns = {key: combine([member[key] for member in batch]) for key in sample}
        return _rebuilt_mapping(sample, columns)
    if isinstance(sample, tuple) and hasattr(sample, "_fields"):
        return type(sample)(*(combine(parts) for parts in zip(*batch)))
    if isinstance(sample, Sequence):
        if any(len(member) != len(sample) for member in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [combine(column) for column in zip(*batch)]
        return parts if isinstance(sample, tuple) else _rebuilt_sequence(sample, parts)
    raise TypeError(_REFUSED.format(type(sample)))


def collate_tensor_fn(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Stacks tensors; values that need no gradient are stacked at once, without recording."""
    first = batch[0]
    if all(_is_plain(tensor) for tensor in batch):
        shape, dtype = first.shape, first.dtype
        if all(t.shape == shape and t.dtype == dtype for t in batch):
            return tensors.adopt(np.stack([peek(tensor) for tensor in batch]), dtype)
    return ops.stack(tuple(batch), 0)


def collate_numpy_array_fn(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Stacks arrays into a tensor of the same dtype."""
    first = batch[0]
    if _is_text(first):
        raise TypeError(_REFUSED.format(first.dtype))
    if all(array.shape == first.shape and array.dtype == first.dtype for array in batch):
        return tensors.as_tensor(np.stack(batch))
    return collate([tensors.as_tensor(a) for a in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """NumPy scalars become a vector of their dtype."""
    if all(type(value) is type(batch[0]) for value in batch):
        return tensors.as_tensor(np.array(batch))
    return tensors.as_tensor(batch)


def collate_float_fn(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Python floats become a float64 vector."""
    return tensors.from_numpy(np.array([float(value) for value in batch], dtype=np.float64))


def collate_int_fn(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Tensor:
    """Python ints become an int64 vector, bools a bool vector."""
    return tensors.tensor(batch)


def collate_str_fn(batch: Sequence, *, collate_fn_map: CollateMap | None = None) -> Any:
    """Text stays a list."""
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}
_standard_map = dict(default_collate_fn_map)


def is_standard() -> bool:
    """Whether nobody changed `default_collate_fn_map`, so batches may be made in other ways."""
    return default_collate_fn_map == _standard_map


def _lookup(sample: Any, table: CollateMap | None) -> Callable | None:
    if table is None:
        return None
    if type(sample) in table:
        return table[type(sample)]
    return next((table[kind] for kind in table if isinstance(sample, kind)), None)


def _is_plain(tensor: Any) -> bool:
    return type(tensor) is Tensor and not tensor.requires_grad and tensor.device.type == "cpu"


def _is_text(array: np.ndarray | np.generic) -> bool:
    return array.dtype.kind in "SaUO"


def _rebuilt_mapping(like: Mapping, columns: dict) -> Any:
    try:
        if isinstance(like, MutableMapping):
            # A copy keeps what the type adds to a dict, such as a default_factory.
            clone = copy.copy(like)
            clone.update(columns)
            return clone
        return type(like)(columns)  # type: ignore[call-arg]
    except TypeError:
        return columns


def _rebuilt_sequence(like: Sequence, parts: list) -> Any:
    try:
        if isinstance(like, MutableSequence):
            clone = copy.copy(like)
            for i, part in enumerate(parts):
                clone[i] = part
            return clone
        return type(like)(parts)  # type: ignore[call-arg]
    except TypeError:
        return parts
