"""Pillow images, NumPy arrays and tensors turned into one another."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from PIL import Image

from facula.base import dtypes
from facula.tensors import Tensor
from facula.vision._arrays import read, tensor_of

__all__: list[str] = []

# Pillow modes whose pixels are not plain uint8 bands.
_ARRAY_TYPES = {
    "I": np.int32,
    "I;16": np.int16 if sys.byteorder == "little" else ">i2",
    "F": np.float32,
}


def _pil_array(pic: Image.Image, copy: bool = True) -> np.ndarray:
    """Pixels of a Pillow image as (H, W, C)."""
    array = (np.array if copy else np.asarray)(pic, dtype=_ARRAY_TYPES.get(pic.mode))
    return array[:, :, None] if array.ndim == 2 else array


def default_float() -> np.dtype:
    """NumPy dtype of the default float type."""
    return dtypes.default_float().numpy


def to_tensor(pic: Any) -> Tensor:
    """Turns a Pillow image or an (H, W, C) array into a (C, H, W) tensor.

    uint8 pixels (and mode "1") become floats in [0, 1]; other dtypes keep their values.
    """
    if isinstance(pic, Image.Image):
        scale = 255 if pic.mode == "1" else 1
        array = _pil_array(pic, copy=False)
        if pic.mode == "1":
            array = array.astype(np.uint8) * np.uint8(scale)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    planes = array.transpose(2, 0, 1)
    if array.dtype == np.uint8:
        dtype = default_float()
        planes = np.divide(planes, dtype.type(255), dtype=dtype, order="C")
        return tensor_of(planes)
    planes = np.ascontiguousarray(planes)
    return tensor_of(planes.copy() if np.shares_memory(planes, array) else planes)


def pil_to_tensor(pic: Any) -> Tensor:
    """Turns a Pillow image into a (C, H, W) tensor with the pixels' own dtype."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    array = np.array(pic, copy=True)
    array = array[:, :, None] if array.ndim == 2 else array
    return tensor_of(array.transpose(2, 0, 1))


_GUESSED_MODE = {np.uint8: "L", np.int16: "I;16", np.int32: "I", np.float32: "F"}
_PERMITTED_MODES = {2: ["LA"], 3: ["RGB", "YCbCr", "HSV"], 4: ["RGBA", "CMYK", "RGBX"]}


def _channels_last(pic: Any) -> np.ndarray:
    """Checks what `to_pil_image` was given and returns it as (H, W, C)."""
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        if pic.ndim == 3 and pic.shape[-3] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {pic.shape[-3]} channels.")
        array = read(pic)
        array = array[None] if array.ndim == 2 else array
        array = array.transpose(1, 2, 0)
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
        if array.shape[-1] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {array.shape[-1]} channels.")
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    return array


def to_pil_image(pic: Any, mode: str | None = None) -> Image.Image:
    """Turns a (C, H, W) tensor or an (H, W, C) array into a Pillow image.

    Float tensors hold values in [0, 1] unless `mode` is "F".
    """
    array = _channels_last(pic)
    if isinstance(pic, Tensor) and pic.is_floating_point() and mode != "F":
        # Float to uint8 by truncation, as a tensor's byte() does.
        array = (array * array.dtype.type(255)).astype(np.int64).astype(np.uint8)
    if array.shape[2] == 1:
        array = array[:, :, 0]
        expected = _GUESSED_MODE.get(array.dtype.type)
        if mode is not None and mode != expected:
            raise ValueError(
                f"Incorrect mode ({mode}) supplied for input type {array.dtype.type}. "
                f"Should be {expected}"
            )
        mode = expected
    else:
        permitted = _PERMITTED_MODES[array.shape[2]]
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {permitted} are supported for {array.shape[2]} channels")
        if mode is None and array.dtype == np.uint8:
            mode = permitted[0]
    if mode is None or (array.ndim == 3 and array.dtype != np.uint8):
        raise TypeError(f"Input type {array.dtype} is not supported")
    array = np.ascontiguousarray(array)
    if mode in ("L", "I", "F", "RGB", "RGBA", "LA"):
        return Image.fromarray(array)
    if mode == "I;16":
        return Image.fromarray(array.astype(np.uint16))
    return Image.frombytes(mode, (array.shape[1], array.shape[0]), array.tobytes())
