"""Storages: the flat memory behind tensors, as bytes (untyped) or as numbers of one dtype."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from facula.autograd.handle import wrap
from facula.autograd.storage import Alias, Storage, contiguous_strides
from facula.base import devices, dtypes
from facula.runtime.value import Value
from facula.tensors.creation import finish, zeros
from facula.tensors.sharing import from_numpy, to_numpy


def _root(cell: Storage):
    """A tensor over a whole memory cell."""
    made = wrap(cell.value if cell.value is not None else Value(cell.spec))
    strides = contiguous_strides(cell.spec.shape)
    seen = -1 if cell.array is not None else cell.version
    made._alias = Alias(cell, (), None, 0, strides, 0, seen)
    return made


class _Memory:
    """What both kinds of storage share: the cell, and its numbers as an array over the memory."""

    _cell: Storage
    _dtype: dtypes.dtype

    is_cuda = is_sparse = False

    @property
    def device(self) -> devices.device:
        """Where the memory is."""
        return devices.CPU

    def _array(self) -> np.ndarray:
        flat = to_numpy(_root(self._cell)).reshape(-1)
        return flat.view(self._dtype.numpy)

    def nbytes(self) -> int:
        """Size in bytes."""
        return self._cell.spec.numel * self._cell.spec.dtype.itemsize

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._dtype.itemsize

    def size(self) -> int:
        """Number of elements."""
        return self.nbytes() // self._dtype.itemsize

    __len__ = size

    def data_ptr(self) -> int:
        """A number that is equal for storages over the same memory."""
        return id(self._cell)

    def __getitem__(self, key):
        found = self._array()[key]
        return found.item() if np.ndim(found) == 0 else self._from_array(np.array(found))

    def __setitem__(self, key, value) -> None:
        _root(self._cell)._own_alias()
        self._array()[key] = value
        self._cell.version += 1

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self) -> list:
        """The elements as Python numbers."""
        return self._array().tolist()

    def fill_(self, value):
        """Set every element."""
        self[:] = value
        return self

    def copy_(self, source, non_blocking=None):
        """Take over another storage's elements."""
        self[:] = np.asarray(source.tolist(), self._dtype.numpy)
        return self

    def clone(self):
        """A copy."""
        return self._from_array(self._array().copy())

    def cpu(self):
        """The storage on the CPU: itself."""
        return self

    def is_shared(self) -> bool:
        """Whether the memory is shared between processes."""
        return False

    def share_memory_(self):
        """Values travel between processes by copy; returns the storage."""
        return self

    def is_pinned(self, device: Any = None) -> bool:
        """Whether the memory is page-locked."""
        return False

    def _flat(self, own: dtypes.dtype):
        """All elements as a vector that shares the memory, also with the storage's tensors."""
        if own is self._cell.spec.dtype:
            return _root(self._cell).view(-1)
        return self._tensor(own)

    def resizable(self) -> bool:
        """Whether the memory may grow: always, since tensors then get another one."""
        return True

    def _tensor(self, own: dtypes.dtype):
        """The elements as a tensor over the same memory."""
        if own is not self._dtype:
            raise TypeError(
                f"Expected a Storage of type {own.legacy} or an UntypedStorage, but got type "
                f"{self._dtype.legacy}"
            )
        return from_numpy(self._array())

    def __deepcopy__(self, memo):
        made = memo[id(self)] = self.clone()
        return made

    def __str__(self) -> str:
        name = "UntypedStorage" if isinstance(self, UntypedStorage) else "TypedStorage"
        facts = f"device={self.device}) of size {self.size()}]"
        if isinstance(self, TypedStorage):
            facts = f"dtype={self._dtype!r}, " + facts
        return "".join(f" {value}\n" for value in self.tolist()) + f"[torch.storage.{name}({facts}"

    __repr__ = __str__


class UntypedStorage(_Memory):
    """Memory as bytes: ``UntypedStorage(10)``, or what ``tensor.untyped_storage()`` returns."""

    _dtype = dtypes.uint8

    def __init__(self, size: int | Any = 0, *, device: Any = None):
        devices.usable(device)
        data = np.zeros(size, np.uint8) if isinstance(size, int) else np.asarray(size, np.uint8)
        self._cell = from_numpy(data)._alias.storage

    @classmethod
    def _from_array(cls, array: np.ndarray) -> UntypedStorage:
        return cls._over(from_numpy(array.view(np.uint8))._alias.storage)

    @classmethod
    def _over(cls, cell: Storage) -> UntypedStorage:
        made = object.__new__(cls)
        made._cell = cell
        return made

    def untyped(self) -> UntypedStorage:
        """Itself."""
        return self

    def __reduce__(self):
        return _restore_untyped, (np.array(self._array()),)

    def _tensor(self, own: dtypes.dtype):
        return from_numpy(self._array().view(own.numpy))


def _restore_untyped(array: np.ndarray) -> UntypedStorage:
    return UntypedStorage._from_array(array)


class _TypedStorageType(type):
    """isinstance(x, FloatStorage) also holds for the typed storages of float32 tensors."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        own = getattr(cls, "_dtype", None)
        return own is not None and type(instance) is TypedStorage and instance._dtype is own


class TypedStorage(_Memory, metaclass=_TypedStorageType):
    """Memory as numbers of one dtype: what ``tensor.storage()`` returns."""

    def __init__(self, size: Any = None, *, wrap_storage=None, dtype=None, device=None):
        devices.usable(device)
        own = getattr(type(self), "_dtype", None) or dtype or dtypes.default_float()
        self._dtype = own
        if wrap_storage is not None:
            self._cell = wrap_storage._cell
            return
        if size is None or isinstance(size, int):
            data = np.zeros(size or 0, own.numpy)
        else:
            data = np.asarray(list(size), own.numpy)
        self._cell = from_numpy(data)._alias.storage

    def _from_array(self, array: np.ndarray) -> TypedStorage:
        return type(self)._over(from_numpy(array)._alias.storage, self._dtype)

    @classmethod
    def _over(cls, cell: Storage, own: dtypes.dtype) -> TypedStorage:
        made = object.__new__(cls)
        made._cell, made._dtype = cell, own
        return made

    @property
    def dtype(self) -> dtypes.dtype:
        """The type of the elements."""
        return self._dtype

    def untyped(self) -> UntypedStorage:
        """The same memory as bytes."""
        return UntypedStorage._over(self._cell)

    def _cast(self, own: dtypes.dtype) -> TypedStorage:
        """A copy with the elements in another dtype."""
        array = self._array().astype(own.numpy)
        return TypedStorage._over(from_numpy(array)._alias.storage, own)

    def pickle_storage_type(self) -> str:
        """The name of the storage class in files."""
        return f"{self._dtype.legacy}Storage"

    def type(self) -> str:
        """The name of the storage class."""
        return f"torch.{self._dtype.legacy}Storage"

    @classmethod
    def from_buffer(cls, buffer: Any, *args: Any, byte_order: str = "native", **kwargs: Any):
        """A storage with a copy of an object's bytes; ``byte_order`` is native, big or little."""
        order = args[0] if args else byte_order
        own = getattr(cls, "_dtype", None) or kwargs.get("dtype")
        if own is None:
            raise TypeError("from_buffer: use a typed class such as torch.ByteStorage")
        mark = {"native": "=", "little": "<", "big": ">"}[order]
        data = np.frombuffer(buffer, own.numpy.newbyteorder(mark))
        return cls._over(from_numpy(data.astype(own.numpy))._alias.storage, own)

    def __reduce__(self):
        return _restore_typed, (np.array(self._array()), self._dtype)


def _restore_typed(array: np.ndarray, own: dtypes.dtype) -> TypedStorage:
    return TypedStorage._over(from_numpy(array)._alias.storage, own)


def _converter(own: dtypes.dtype):
    return lambda self: self._cast(own)


for _name, _own in {
    "double": dtypes.float64, "float": dtypes.float32, "half": dtypes.float16,
    "long": dtypes.int64, "int": dtypes.int32, "short": dtypes.int16, "char": dtypes.int8,
    "byte": dtypes.uint8, "bool": dtypes.bool_,
}.items():  # fmt: skip
    setattr(TypedStorage, _name, _converter(_own))


def _make_classes() -> dict[str, type]:
    made = {}
    for own in dtypes.ALL:
        if own.name not in ("uint16", "uint32", "uint64"):
            name = f"{own.legacy}Storage"
            text = f"Memory of {own.name} numbers."
            body = {"_dtype": own, "__module__": "torch", "__doc__": text}
            made[name] = _TypedStorageType(name, (TypedStorage,), body)
    return made


_classes = _make_classes()
globals().update(_classes)


def untyped_storage(self) -> UntypedStorage:
    """The tensor's memory as bytes."""
    return UntypedStorage._over(self._own_alias().storage)


def typed_storage(self) -> TypedStorage:
    """The tensor's memory as numbers of its dtype."""
    return TypedStorage._over(self._own_alias().storage, self.dtype)


def frombuffer(buffer, *, dtype, count: int = -1, offset: int = 0, requires_grad: bool = False):
    """A 1-d tensor over an object's memory (a copy if that is read-only).

    >>> import facula as torch
    >>> torch.frombuffer(bytearray(b"ab"), dtype=torch.uint8)
    tensor([97, 98], dtype=torch.uint8)
    """
    length = memoryview(buffer).nbytes
    if length == 0 or count == 0:
        raise ValueError(f"both buffer length ({length}) and count ({count}) must not be 0")
    if offset >= length or offset < 0:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({length} bytes) minus 1"
        )
    if count < 0:
        if (length - offset) % dtype.itemsize:
            raise ValueError(
                f"buffer length ({length - offset} bytes) after offset ({offset} bytes) must be a "
                f"multiple of element size ({dtype.itemsize})"
            )
    elif offset + count * dtype.itemsize > length:
        raise ValueError(
            f"requested buffer length ({count} * {dtype.itemsize} bytes) after offset ({offset} "
            f"bytes) must not be greater than actual buffer length ({length} bytes)"
        )
    array = np.frombuffer(buffer, dtype.numpy, count, offset)
    return finish(from_numpy(array), None, requires_grad)


def from_file(filename, shared=None, size=0, *, dtype=None, device=None, requires_grad=False):
    """A 1-d tensor over a file; with ``shared`` writes go to the file, which is made if missing."""
    own = dtype or dtypes.default_float()
    if not size:
        return zeros(0, dtype=own)
    path = os.fspath(filename)
    wanted = size * own.itemsize
    if shared and (not os.path.exists(path) or os.path.getsize(path) < wanted):
        with open(path, "ab") as file:
            file.truncate(wanted)
    mode = "r+" if shared else "c"
    mapped = np.memmap(path, own.numpy, mode, shape=(size,))
    return finish(from_numpy(np.asarray(mapped)), device, requires_grad)
