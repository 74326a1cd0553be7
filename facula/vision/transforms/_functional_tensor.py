"""Image operations on tensors of shape (..., C, H, W): geometry, dtype, border and value maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import operators, tensors
from facula.base import dtypes
from facula.nn import functional as F
from facula.tensors import Tensor
from facula.vision._arrays import read, tensor_of
from facula.vision.transforms._functional_pil import check_padding, sides

__all__: list[str] = []

_LARGEST = {
    dtypes.uint8: 255,
    dtypes.int8: 127,
    dtypes.int16: 32767,
    dtypes.int32: 2147483647,
    dtypes.int64: 9223372036854775807,
}


def is_tensor_image(img: Any) -> bool:
    """Tells whether `img` has at least the two dimensions of an image."""
    return isinstance(img, Tensor) and img.ndim >= 2


def require_image(img: Any) -> None:
    """Raises TypeError for anything that is not a tensor image."""
    if not is_tensor_image(img):
        raise TypeError("Tensor is not a torch image.")


def get_dimensions(img: Tensor) -> list[int]:
    """Returns [channels, height, width]."""
    require_image(img)
    return [1 if img.ndim == 2 else int(img.shape[-3]), int(img.shape[-2]), int(img.shape[-1])]


def get_image_size(img: Tensor) -> list[int]:
    """Returns [width, height]."""
    require_image(img)
    return [int(img.shape[-1]), int(img.shape[-2])]


def get_image_num_channels(img: Tensor) -> int:
    """Returns the size of the channel dimension (1 for a plain matrix)."""
    return get_dimensions(img)[0]


def require_channels(img: Tensor, permitted: Sequence[int]) -> None:
    """Raises TypeError where the number of channels is not one of `permitted`."""
    channels = get_dimensions(img)[0]
    if channels not in permitted:
        raise TypeError(
            f"Input image tensor permitted channel values are {list(permitted)}, "
            f"but found {channels}"
        )


def largest(dtype: Any) -> int:
    """Returns the value that means full intensity: 255 for uint8, 1 for floats."""
    return _LARGEST.get(dtype, 1)


def working_dtype(img: Tensor) -> Any:
    """Returns the dtype to compute in: the image's own float type, else float32."""
    return img.dtype if img.is_floating_point() else dtypes.float32


def as_float_batch(img: Tensor, dtypes: Sequence[Any]) -> tuple[Tensor, bool, Any]:
    """Returns the image as a 4-d tensor of one of `dtypes`, with what undoes both changes."""
    squeeze = img.ndim < 4
    original = img.dtype
    if squeeze:
        img = img.unsqueeze(0)
    if original not in dtypes:
        img = img.to(dtypes[0])
    return img, squeeze, original


def from_float_batch(img: Tensor, squeeze: bool, original: Any) -> Tensor:
    """Undoes `as_float_batch`, rounding where the image held integers."""
    if squeeze:
        img = img.squeeze(0)
    if img.dtype != original:
        if original in _LARGEST:
            img = img.round()
        img = img.to(original)
    return img


def convert_image_dtype(image: Tensor, dtype: Any = None) -> Tensor:
    """Converts to `dtype` (default float32) and scales to that type's range of intensities."""
    dtype = dtypes.float32 if dtype is None else dtype
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype not in _LARGEST:
            return image.to(dtype)
        too_wide = (dtypes.int32, dtypes.int64)
        if (image.dtype == dtypes.float32 and dtype in too_wide) or (
            image.dtype == dtypes.float64 and dtype == dtypes.int64
        ):
            raise RuntimeError(
                f"The cast from {image.dtype} to {dtype} cannot be performed safely: the float "
                "type cannot represent the largest integer; use float64 or a smaller integer type"
            )
        # Multiplying by max + 1 - eps gives every integer an equal share of [0, 1].
        return image.mul(largest(dtype) + 1.0 - 1e-3).to(dtype)
    if dtype not in _LARGEST:
        return image.to(dtype) / largest(image.dtype)
    have, want = largest(image.dtype), largest(dtype)
    if have > want:
        return operators.div(image, (have + 1) // (want + 1), rounding_mode="floor").to(dtype)
    return image.to(dtype) * ((want + 1) // (have + 1))


def hflip(img: Tensor) -> Tensor:
    """Mirrors left and right."""
    require_image(img)
    return img.flip(-1)


def vflip(img: Tensor) -> Tensor:
    """Mirrors top and bottom."""
    require_image(img)
    return img.flip(-2)


def crop(img: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Cuts out a rectangle; parts outside of the image are 0."""
    require_image(img)
    full_height, full_width = img.shape[-2:]
    bottom, right = top + height, left + width
    if top >= 0 and left >= 0 and bottom <= full_height and right <= full_width:
        return img[..., top:bottom, left:right]
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    missing_top, missing_left = max(min(bottom, 0) - top, 0), max(min(right, 0) - left, 0)
    missing = [
        missing_left,
        max(right - max(full_width, left), 0),
        missing_top,
        max(bottom - max(full_height, top), 0),
    ]
    return F.pad(inside, missing)


def resize(
    img: Tensor,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool | None = True,
) -> Tensor:
    """Resizes to (height, width) by nearest, nearest-exact, bilinear or bicubic filtering."""
    require_image(img)
    if interpolation not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise NotImplementedError("This interpolation mode is unsupported with Tensor input")
    smooth = interpolation in ("bilinear", "bicubic")
    batch, squeeze, original = as_float_batch(img, (dtypes.float32, dtypes.float64))
    resized = F.interpolate(
        batch,
        size=list(size),
        mode=interpolation,
        align_corners=False if smooth else None,
        antialias=bool(antialias) and smooth,
    )
    if interpolation == "bicubic" and original == dtypes.uint8:
        resized = resized.clamp(min=0, max=255)  # the cubic overshoots
    return from_float_batch(resized, squeeze, original)


def _pad_symmetric(img: Tensor, padding: Sequence[int]) -> Tensor:
    """Continues the image beyond its edges as a mirror that repeats the edge pixel."""
    left, right, top, bottom = padding
    indices = []
    for size, before, after in ((img.shape[-2], top, bottom), (img.shape[-1], left, right)):
        inner = np.arange(max(0, -before), size - max(0, -after))
        whole = np.pad(np.arange(size), (max(before, 0), max(after, 0)), mode="symmetric")
        start = max(before, 0)
        kept = whole[start + inner[0] : start + inner[-1] + 1]
        indices.append(np.concatenate([whole[:start], kept, whole[start + size :]]))
    rows, columns = (tensor_of(i) for i in indices)
    return img[..., rows[:, None], columns[None, :]]


def pad(
    img: Tensor, padding: Any, fill: float | None = 0, padding_mode: str = "constant"
) -> Tensor:
    """Adds a border: a constant, or the image's own edge continued."""
    require_image(img)
    fill = 0 if fill is None else fill
    check_padding(padding, fill, padding_mode)
    if not isinstance(fill, (int, float)):
        raise TypeError("Got inappropriate fill arg: a tensor image takes one number")
    left, top, right, bottom = sides(padding)
    order = [left, right, top, bottom]
    if padding_mode == "symmetric":
        return _pad_symmetric(img, order)
    if padding_mode == "constant":
        return F.pad(img, order, mode="constant", value=float(fill))
    mode = "replicate" if padding_mode == "edge" else padding_mode
    # Those modes exist for float batches only.
    batch, squeeze, original = as_float_batch(img, (dtypes.float32, dtypes.float64))
    return from_float_batch(F.pad(batch, order, mode=mode), squeeze, original)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """Writes `v` over the rectangle with corner (i, j) and size (h, w)."""
    require_image(img)
    result = img if inplace else img.clone()
    result[..., i : i + h, j : j + w] = v
    return result


def invert(img: Tensor) -> Tensor:
    """Replaces every value v by full intensity - v."""
    require_image(img)
    require_channels(img, (1, 3))
    return largest(img.dtype) - img


def posterize(img: Tensor, bits: int) -> Tensor:
    """Keeps the highest `bits` bits of every uint8 value."""
    require_image(img)
    if img.dtype != dtypes.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
    require_channels(img, (1, 3))
    return img & (256 - 2 ** (8 - bits)) if bits < 8 else img.clone()


def solarize(img: Tensor, threshold: float) -> Tensor:
    """Inverts the values at or above `threshold`."""
    require_image(img)
    require_channels(img, (1, 3))
    if threshold > largest(img.dtype):
        raise TypeError("Threshold should be less than bound of img.")
    return operators.where(img >= threshold, invert(img), img)


def autocontrast(img: Tensor) -> Tensor:
    """Stretches every channel to the full range; a channel of one value stays as it is."""
    require_image(img)
    require_channels(img, (1, 3))
    bound, dtype = largest(img.dtype), working_dtype(img)
    low = img.amin(dim=(-2, -1), keepdim=True).to(dtype)
    high = img.amax(dim=(-2, -1), keepdim=True).to(dtype)
    flat = high == low
    scale = bound / operators.where(flat, tensors.ones_like(high), high - low)
    low = operators.where(flat, tensors.zeros_like(low), low)
    scale = operators.where(flat, tensors.ones_like(scale), scale)
    return ((img - low) * scale).clamp(0, bound).to(img.dtype)


def _equalize_plane(plane: np.ndarray) -> np.ndarray:
    counts = np.bincount(plane.reshape(-1), minlength=256)
    occupied = counts[counts != 0]
    step = int(occupied[:-1].sum()) // 255
    if step == 0:
        return plane
    table = (np.cumsum(counts) + step // 2) // step
    table = np.concatenate([[0], table[:-1]]).clip(0, 255).astype(np.uint8)
    return table[plane]


def equalize(img: Tensor) -> Tensor:
    """Flattens the histogram of every channel of a uint8 image."""
    require_image(img)
    if img.ndim not in (3, 4):
        raise TypeError(f"Input image tensor should have 3 or 4 dimensions, but found {img.ndim}")
    if img.dtype != dtypes.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
    require_channels(img, (1, 3))
    array = read(img)
    planes = array.reshape((-1,) + array.shape[-2:])
    flattened = np.stack([_equalize_plane(plane) for plane in planes])
    return tensor_of(flattened.reshape(array.shape))


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """Subtracts `mean` and divides by `std`, channel by channel, in the tensor's own dtype."""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tensor.size()}"
        )
    dtype = tensor.dtype
    mean_t = tensors.as_tensor(mean, dtype=dtype, device=tensor.device)
    std_t = tensors.as_tensor(std, dtype=dtype, device=tensor.device)
    if (std_t == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {dtype}, leading to division by zero."
        )
    mean_t = mean_t.view(-1, 1, 1) if mean_t.ndim == 1 else mean_t
    std_t = std_t.view(-1, 1, 1) if std_t.ndim == 1 else std_t
    if inplace:
        return tensor.sub_(mean_t).div_(std_t)
    return tensor.sub(mean_t).div(std_t)
