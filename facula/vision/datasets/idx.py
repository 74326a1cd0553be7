"""The idx file format of MNIST and its relatives: a typed header, sizes, then raw values."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from facula.tensors import Tensor
from facula.vision._arrays import tensor_of

__all__ = ["read_array", "read_image_file", "read_label_file", "read_sn3_pascalvincent_tensor"]

# Type codes of the third header byte; values are stored big end first.
_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def read_array(path: Any, strict: bool = True) -> np.ndarray:
    """Reads an idx file; `strict` refuses a file longer than its header says."""
    with open(path, "rb") as file:
        data = file.read()
    code, ndim = (data[2], data[3]) if len(data) >= 4 else (0, 0)
    if len(data) < 4 or data[0] or data[1] or code not in _TYPES or len(data) < 4 + 4 * ndim:
        raise ValueError(f"{os.fspath(path)} is not an idx file")
    shape = tuple(int(s) for s in np.frombuffer(data, ">u4", ndim, 4))
    dtype = np.dtype(_TYPES[code])
    count = int(np.prod(shape, dtype=np.int64))
    have = (len(data) - 4 - 4 * ndim) // dtype.itemsize
    if have < count or (strict and have != count):
        raise ValueError(
            f"{os.fspath(path)}: the header says shape {shape}, the file holds {have} values"
        )
    values = np.frombuffer(data, dtype, count, 4 + 4 * ndim).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def read_sn3_pascalvincent_tensor(path: Any, strict: bool = True) -> Tensor:
    """Reads an idx file as a tensor."""
    return tensor_of(read_array(path, strict))


def read_label_file(path: Any) -> Tensor:
    """Reads uint8 labels as an int64 vector."""
    labels = read_array(path, strict=False)
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise TypeError(f"labels should be a vector of uint8, got {labels.dtype} {labels.shape}")
    return tensor_of(labels.astype(np.int64))


def read_image_file(path: Any) -> Tensor:
    """Reads uint8 images as an (N, H, W) tensor."""
    images = read_array(path, strict=False)
    if images.dtype != np.uint8 or images.ndim != 3:
        raise TypeError(f"images should be (N, H, W) uint8, got {images.dtype} {images.shape}")
    return tensor_of(images)
