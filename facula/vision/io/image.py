"""Image files and encoded bytes as uint8 tensors (C, H, W), through Pillow."""

from __future__ import annotations

import io
import os
from enum import Enum
from typing import Any

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from facula import operators
from facula.base import dtypes
from facula.tensors import Tensor
from facula.vision._arrays import read, tensor_of
from facula.vision.transforms.functional import pil_to_tensor

__all__ = [
    "ImageReadMode",
    "decode_gif",
    "decode_image",
    "decode_jpeg",
    "decode_png",
    "decode_webp",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(Enum):
    """Channels to decode to; UNCHANGED keeps the file's own."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4
    RGBA = RGB_ALPHA


_PIL_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}


def read_file(path: Any) -> Tensor:
    """Returns a file's bytes as a uint8 vector."""
    return tensor_of(np.fromfile(os.fspath(path), dtype=np.uint8))


def write_file(filename: Any, data: Tensor) -> None:
    """Writes a uint8 vector to a file."""
    if data.dtype != dtypes.uint8 or data.ndim != 1:
        raise RuntimeError(
            f"Input tensor dtype should be uint8 and 1-d, got {data.dtype}, {data.ndim}-d"
        )
    read(data).tofile(os.fspath(filename))


def _to_mode(image: Image.Image, mode: Any) -> Image.Image:
    if isinstance(mode, str):
        mode = ImageReadMode[mode.upper()]
    if mode is not ImageReadMode.UNCHANGED:
        return image.convert(_PIL_MODES[mode])
    if image.mode == "P":
        return image.convert("RGBA" if "transparency" in image.info else "RGB")
    return image.convert("L") if image.mode == "1" else image


def _open(source: Tensor, formats: list[str] | None) -> Image.Image:
    if source.dtype != dtypes.uint8 or source.ndim != 1 or not source.numel():
        raise RuntimeError("Expected a non empty 1-dimensional tensor of dtype torch.uint8")
    try:
        return Image.open(io.BytesIO(read(source).tobytes()), formats=formats)
    except OSError as error:
        wanted = " or ".join(formats) if formats else "known image"
        raise RuntimeError(f"the bytes are not a {wanted} file: {error}") from error


def _decode(
    source: Tensor, mode: Any, turn: bool = False, formats: list[str] | None = None
) -> Tensor:
    image = _open(source, formats)
    try:
        if turn:
            image = ImageOps.exif_transpose(image)
        return pil_to_tensor(_to_mode(image, mode))
    except OSError as error:
        raise RuntimeError(f"damaged image: {error}") from error


def decode_image(
    input: Any,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Decodes the bytes (or the file) of an image in any format Pillow knows."""
    source = input if isinstance(input, Tensor) else read_file(input)
    return _decode(source, mode, apply_exif_orientation)


def read_image(
    path: Any,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Reads an image file as a uint8 tensor (C, H, W).

    Raises:
        RuntimeError: the file does not exist or is not an image.
    """
    if not os.path.isfile(path):
        raise RuntimeError(f"[Errno 2] No such file or directory: '{os.fspath(path)}'")
    return _decode(read_file(path), mode, apply_exif_orientation)


def decode_png(
    input: Tensor,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Decodes PNG bytes."""
    return _decode(input, mode, apply_exif_orientation, ["PNG"])


def decode_jpeg(
    input: Any,
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    device: Any = "cpu",
    apply_exif_orientation: bool = False,
) -> Any:
    """Decodes JPEG bytes, or a list of them."""
    if isinstance(input, list):
        return [decode_jpeg(one, mode, device, apply_exif_orientation) for one in input]
    return _decode(input, mode, apply_exif_orientation, ["JPEG"]).to(device)


def decode_webp(input: Tensor, mode: ImageReadMode | str = ImageReadMode.UNCHANGED) -> Tensor:
    """Decodes WebP bytes."""
    return _decode(input, mode, formats=["WEBP"])


def decode_gif(input: Tensor) -> Tensor:
    """Decodes GIF bytes: (3, H, W) for one frame, (N, 3, H, W) for several."""
    frames = [
        pil_to_tensor(f.convert("RGB")) for f in ImageSequence.Iterator(_open(input, ["GIF"]))
    ]
    return frames[0] if len(frames) == 1 else operators.stack(frames)


def _image_of(input: Tensor, what: str) -> Image.Image:
    if input.dtype != dtypes.uint8:
        raise RuntimeError("Input tensor dtype should be uint8")
    if input.ndim != 3 or input.shape[0] not in (1, 3):
        raise RuntimeError(
            f"Input data must be a 3-dimensional tensor with 1 or 3 channels to "
            f"write {what}, got {tuple(input.shape)}"
        )
    array = read(input)
    plane = array[0] if len(array) == 1 else array.transpose(1, 2, 0)
    return Image.fromarray(np.ascontiguousarray(plane))


def _encoded(image: Image.Image, **options: Any) -> Tensor:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return tensor_of(np.frombuffer(buffer.getvalue(), dtype=np.uint8).copy())


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """Returns the PNG bytes of a uint8 (1 or 3, H, W) image."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError("Compression level should be between 0 and 9")
    return _encoded(_image_of(input, "a PNG"), format="PNG", compress_level=compression_level)


def encode_jpeg(input: Any, quality: int = 75) -> Any:
    """Returns the JPEG bytes of a uint8 (1 or 3, H, W) image, or of a list of them."""
    if quality < 1 or quality > 100:
        raise ValueError("Image quality should be a positive number between 1 and 100")
    if isinstance(input, list):
        return [encode_jpeg(one, quality) for one in input]
    return _encoded(_image_of(input, "a JPEG"), format="JPEG", quality=quality)


def write_png(input: Tensor, filename: Any, compression_level: int = 6) -> None:
    """Writes a uint8 (1 or 3, H, W) image to a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: Any, quality: int = 75) -> None:
    """Writes a uint8 (1 or 3, H, W) image to a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
