"""The names of PyTorch's storage classes and the placeholder for bytes read from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

# The dtypes that have a storage class of their own; others are saved as untyped bytes plus dtype.
STORAGE_NAMES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
    "complex64": "ComplexFloatStorage",
    "complex128": "ComplexDoubleStorage",
}
ITEM_SIZES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
    "uint16": 2,
    "uint32": 4,
    "uint64": 8,
}


class TorchGlobal:
    """Stands for a name that only PyTorch has, such as a storage class or rebuild function."""

    __slots__ = ("module", "name")

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self, *arguments: Any) -> Any:
        """Pickle demands that what a file calls can be called; here it never is."""
        raise TypeError(f"{self.module}.{self.name} exists in files only")


@dataclass(frozen=True)
class StorageType:
    """What a storage class name in a file means: the dtype of its elements, or None for bytes."""

    dtype_name: str | None

    @property
    def item_size(self) -> int:
        return 1 if self.dtype_name is None else ITEM_SIZES[self.dtype_name]


def storage_types() -> dict[str, StorageType]:
    """Return every storage class name that a file may contain."""
    found = {"torch.storage.UntypedStorage": StorageType(None)}
    found["torch.UntypedStorage"] = StorageType(None)
    for dtype_name, name in STORAGE_NAMES.items():
        found[f"torch.{name}"] = found[f"torch.cuda.{name}"] = StorageType(dtype_name)
    return found


@dataclass(eq=False)
class LoadedStorage:
    """The bytes of one storage as read from a file; all tensors over it share them."""

    data: np.ndarray
    dtype_name: str | None
    location: str = "cpu"
    # The tensor that owns the memory, made once per dtype so that views of it alias.
    owners: dict[str, Any] = field(default_factory=dict)

    def nbytes(self) -> int:
        """Number of bytes."""
        return self.data.nbytes

    def size(self) -> int:
        """Number of elements."""
        return self.data.nbytes // StorageType(self.dtype_name).item_size

    __len__ = size

    def cpu(self) -> LoadedStorage:
        """Return this storage: loaded bytes always lie in main memory."""
        return self

    @property
    def device(self) -> str:
        """The location the storage was saved from or moved to."""
        return self.location


def swap_bytes(data: np.ndarray, dtype_name: str) -> np.ndarray:
    """Return the bytes with every number's byte order reversed; complex numbers are two numbers."""
    width = ITEM_SIZES[dtype_name] // (2 if dtype_name.startswith("complex") else 1)
    return data.view(f"u{width}").byteswap().view(np.uint8) if width > 1 else data
