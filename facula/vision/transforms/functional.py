"""torchvision.transforms.functional: one function per image operation, for Pillow and tensors."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.tensors import Tensor
from facula.vision._arrays import computed, tensor_of
from facula.vision.transforms import _functional_pil as F_pil
from facula.vision.transforms import _functional_tensor as F_t
from facula.vision.transforms import _tensor_color as color_t
from facula.vision.transforms import _tensor_warp as warp_t
from facula.vision.transforms._convert import pil_to_tensor, to_pil_image, to_tensor
from facula.vision.transforms.interpolation import InterpolationMode, as_mode, pil_filter

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "elastic_transform",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]

_is_pil_image = F_pil.is_pil_image


def _is_numpy(img: Any) -> bool:
    return isinstance(img, np.ndarray)


def _is_numpy_image(img: Any) -> bool:
    return img.ndim in {2, 3}


def _backend(img: Any) -> Any:
    return F_t if isinstance(img, Tensor) else F_pil


def _color_backend(img: Any) -> Any:
    return color_t if isinstance(img, Tensor) else F_pil


def get_dimensions(img: Any) -> list[int]:
    """Returns [channels, height, width] of a Pillow or tensor image."""
    return _backend(img).get_dimensions(img)


def get_image_size(img: Any) -> list[int]:
    """Returns [width, height] of a Pillow or tensor image."""
    return _backend(img).get_image_size(img)


def get_image_num_channels(img: Any) -> int:
    """Returns the number of channels of a Pillow or tensor image."""
    return _backend(img).get_image_num_channels(img)


def convert_image_dtype(image: Tensor, dtype: Any = None) -> Tensor:
    """Converts a tensor image to `dtype` (default float32), scaling its range of intensities."""
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return F_t.convert_image_dtype(image, dtype)


def _normalize_in_numpy(tensor: Tensor, mean: Any, std: Any) -> Tensor | None:
    """The common small case without recording any operation; None where it does not apply."""
    if tensor.ndim < 3 or isinstance(mean, Tensor) or isinstance(std, Tensor):
        return None
    if str(tensor.dtype) not in ("torch.float32", "torch.float64"):
        return None
    values = computed(tensor)
    if values is None:
        return None
    mean_a, std_a = (np.asarray(v, dtype=values.dtype) for v in (mean, std))
    if mean_a.ndim > 1 or std_a.ndim > 1 or (std_a == 0).any():
        return None
    if not {mean_a.size, std_a.size} <= {1, values.shape[-3]}:
        return None
    shape = (-1, 1, 1)
    return tensor_of((values - mean_a.reshape(shape)) / std_a.reshape(shape))


def normalize(
    tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False
) -> Tensor:
    """Subtracts `mean` from a float tensor image and divides by `std`, channel by channel.

    Example:
        >>> import facula as torch
        >>> from facula.vision.transforms import functional as F
        >>> F.normalize(torch.ones(1, 1, 2), [0.5], [0.5])
        tensor([[[1., 1.]]])
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not inplace and tensor.is_floating_point():
        result = _normalize_in_numpy(tensor, mean, std)
        if result is not None:
            return result
    return F_t.normalize(tensor, mean, std, inplace)


def resized_output_size(
    image_size: tuple[int, int], size: Sequence[int], max_size: int | None = None
) -> list[int]:
    """Returns the [height, width] that resizing an (height, width) image to `size` gives."""
    if len(size) == 2:
        return list(size)
    height, width = image_size
    short, long = min(height, width), max(height, width)
    new_short, new_long = size[0], int(size[0] * long / short)
    if max_size is not None:
        if max_size <= size[0]:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the "
                f"smaller edge size = {size}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return [new_long, new_short] if width <= height else [new_short, new_long]


def resize(
    img: Any,
    size: Any,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """Resizes to `size` = (height, width), or its shorter side to `size` when that is one int."""
    mode = as_mode(interpolation)
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2):
        raise ValueError(
            f"Size must be an int or a 1 or 2 element tuple/list, not a {len(sizes)} "
            "element tuple/list"
        )
    if max_size is not None and len(sizes) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, "
            "i.e. size should be an int or a sequence of length 1 in torchscript mode."
        )
    _, height, width = get_dimensions(img)
    target = resized_output_size((height, width), sizes, max_size)
    if [height, width] == target:
        return img
    if isinstance(img, Tensor):
        return F_t.resize(img, target, interpolation=mode.value, antialias=antialias)
    return F_pil.resize(img, target, interpolation=pil_filter(mode))


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """Adds a border; `padding` is one number, (x, y) or (left, top, right, bottom)."""
    return _backend(img).pad(img, padding, fill=fill, padding_mode=padding_mode)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """Cuts out the rectangle with corner (top, left); outside of the image is 0."""
    return _backend(img).crop(img, top, left, height, width)


def _as_pair(size: Any) -> tuple[int, int]:
    if isinstance(size, numbers.Number):
        return (int(size), int(size))  # type: ignore[call-overload]
    if isinstance(size, (tuple, list)) and len(size) == 1:
        return (size[0], size[0])
    return tuple(size)  # type: ignore[return-value]


def center_crop(img: Any, output_size: Any) -> Any:
    """Cuts `output_size` = (height, width) from the middle, padding with 0 where too small."""
    crop_height, crop_width = _as_pair(output_size)
    _, height, width = get_dimensions(img)
    if crop_width > width or crop_height > height:
        extra_x, extra_y = max(crop_width - width, 0), max(crop_height - height, 0)
        margin = [extra_x // 2, extra_y // 2, (extra_x + 1) // 2, (extra_y + 1) // 2]
        img = pad(img, margin, fill=0)
        _, height, width = get_dimensions(img)
        if crop_width == width and crop_height == height:
            return img
    top = round((height - crop_height) / 2.0)
    left = round((width - crop_width) / 2.0)
    return crop(img, top, left, crop_height, crop_width)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """Crops, then resizes to `size`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img: Any) -> Any:
    """Mirrors left and right."""
    return _backend(img).hflip(img)


def vflip(img: Any) -> Any:
    """Mirrors top and bottom."""
    return _backend(img).vflip(img)


def five_crop(img: Any, size: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Returns the four corners (tl, tr, bl, br) and the centre."""
    crop_height, crop_width = _crop_size(size)
    _, height, width = get_dimensions(img)
    if crop_width > width or crop_height > height:
        raise ValueError(
            f"Requested crop size {(crop_height, crop_width)} is bigger than input size "
            f"{(height, width)}"
        )
    down, right = height - crop_height, width - crop_width
    corners = [(0, 0), (0, right), (down, 0), (down, right)]
    crops = [crop(img, top, left, crop_height, crop_width) for top, left in corners]
    return (*crops, center_crop(img, [crop_height, crop_width]))  # type: ignore[return-value]


def _crop_size(size: Any) -> tuple[int, int]:
    pair = _as_pair(size)
    if len(pair) != 2:
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return pair


def ten_crop(img: Any, size: Any, vertical_flip: bool = False) -> tuple[Any, ...]:
    """Returns the five crops of the image and of its mirror image."""
    size = _crop_size(size)
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Tensor:
    """Writes `v` over the rectangle with corner (i, j) of a tensor image."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    return F_t.erase(img, i, j, h, w, v, inplace=inplace)


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Scales all values; 0 is black, 1 the image itself."""
    return _color_backend(img).adjust_brightness(img, brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Moves all values away from (factor > 1) or towards (< 1) the mean grey."""
    return _color_backend(img).adjust_contrast(img, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Moves all colours away from (factor > 1) or towards (< 1) grey."""
    return _color_backend(img).adjust_saturation(img, saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Turns the colour circle by a fraction in [-0.5, 0.5]."""
    return _color_backend(img).adjust_hue(img, hue_factor)


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """Maps every value v in [0, 1] to gain * v ** gamma."""
    return _color_backend(img).adjust_gamma(img, gamma, gain)


def adjust_sharpness(img: Any, sharpness_factor: float) -> Any:
    """Blends with a smoothed copy; 0 is smooth, 1 the image itself."""
    return _color_backend(img).adjust_sharpness(img, sharpness_factor)


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Converts a Pillow image to grey with 1 or 3 channels."""
    if not _is_pil_image(img):
        raise TypeError("Input should be PIL Image")
    return F_pil.to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """Converts an RGB image to grey with 1 or 3 channels."""
    if isinstance(img, Tensor):
        return color_t.rgb_to_grayscale(img, num_output_channels)
    return F_pil.to_grayscale(img, num_output_channels)


def invert(img: Any) -> Any:
    """Replaces every value v by full intensity - v."""
    return _backend(img).invert(img)


def posterize(img: Any, bits: int) -> Any:
    """Keeps the highest `bits` (0 to 8) bits of every value."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    return _backend(img).posterize(img, bits)


def solarize(img: Any, threshold: float) -> Any:
    """Inverts the values at or above `threshold`."""
    return _backend(img).solarize(img, threshold)


def autocontrast(img: Any) -> Any:
    """Stretches every channel to the full range of intensities."""
    return _backend(img).autocontrast(img)


def equalize(img: Any) -> Any:
    """Flattens the histogram of every channel."""
    return _backend(img).equalize(img)


def _kernel_pair(kernel_size: Any) -> list[int]:
    if not isinstance(kernel_size, (int, list, tuple)):
        raise TypeError(
            f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}"
        )
    pair = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(pair) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(pair)}")
    for size in pair:
        if size % 2 == 0 or size < 0:
            raise ValueError(f"kernel_size should have odd and positive integers. Got {pair}")
    return pair


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """Blurs with a Gaussian of odd `kernel_size`; sigma defaults to 0.3((k-1)/2 - 1) + 0.8."""
    size = _kernel_pair(kernel_size)
    if sigma is None:
        sigma = [k * 0.15 + 0.35 for k in size]
    if not isinstance(sigma, (int, float, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigmas = [float(sigma)] if isinstance(sigma, (int, float)) else list(sigma)
    sigmas = sigmas * 2 if len(sigmas) == 1 else sigmas
    if len(sigmas) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
    if min(sigmas) <= 0.0:
        raise ValueError(f"sigma should have positive values. Got {sigmas}")
    if isinstance(img, Tensor):
        return color_t.gaussian_blur(img, size, sigmas)
    blurred = color_t.gaussian_blur(pil_to_tensor(img), size, sigmas)
    return to_pil_image(blurred, mode=img.mode)


def _check_center(center: Any) -> None:
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")


def _centered(img: Tensor, center: Any) -> list[float]:
    """Moves a centre given in pixels to the origin in the middle of the image."""
    if center is None:
        return [0.0, 0.0]
    _, height, width = get_dimensions(img)
    return [1.0 * (c - s * 0.5) for c, s in zip(center, (width, height))]


def rotate(
    img: Any,
    angle: float,
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Any:
    """Turns the image counter-clockwise by `angle` degrees around its (or the given) centre."""
    mode = as_mode(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    _check_center(center)
    if not isinstance(img, Tensor):
        return F_pil.rotate(img, angle, pil_filter(mode), expand=expand, center=center, fill=fill)
    matrix = warp_t.inverse_affine_matrix(
        _centered(img, center), -angle, [0.0, 0.0], 1.0, [0.0, 0.0]
    )
    return warp_t.rotate(img, matrix, interpolation=mode.value, expand=expand, fill=fill)


def _check_affine(angle: Any, translate: Any, scale: Any, shear: Any) -> list[float]:
    """Raises where affine would not accept its arguments; returns shear as [x, y]."""
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if not isinstance(shear, (numbers.Number, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shears = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear)
    shears = shears * 2 if len(shears) == 1 else shears
    if len(shears) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return shears


def affine(
    img: Any,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Any = None,
) -> Any:
    """Rotates clockwise by `angle` degrees, shifts, scales and shears around the centre."""
    mode = as_mode(interpolation)
    shears = _check_affine(angle, translate, scale, shear)
    _check_center(center)
    angle, shift = float(angle), [1.0 * t for t in translate]
    if isinstance(img, Tensor):
        matrix = warp_t.inverse_affine_matrix(_centered(img, center), angle, shift, scale, shears)
        return warp_t.affine(img, matrix, interpolation=mode.value, fill=fill)
    _, height, width = get_dimensions(img)
    middle = [width * 0.5, height * 0.5] if center is None else center
    matrix = warp_t.inverse_affine_matrix(middle, angle, shift, scale, shears)
    return F_pil.affine(img, matrix, interpolation=pil_filter(mode), fill=fill)


def perspective(
    img: Any,
    startpoints: Sequence[Sequence[int]],
    endpoints: Sequence[Sequence[int]],
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Warps so that the four `startpoints` (x, y) land on the four `endpoints`."""
    mode = as_mode(interpolation)
    coefficients = warp_t.perspective_coefficients(startpoints, endpoints)
    if isinstance(img, Tensor):
        return warp_t.perspective(img, coefficients, interpolation=mode.value, fill=fill)
    return F_pil.perspective(img, coefficients, interpolation=pil_filter(mode), fill=fill)


def elastic_transform(
    img: Any,
    displacement: Tensor,
    interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
    fill: Any = None,
) -> Any:
    """Moves every pixel by its own displacement, a (1, H, W, 2) tensor in half-image units."""
    mode = as_mode(interpolation)
    if not isinstance(displacement, Tensor):
        raise TypeError("Argument displacement should be a Tensor")
    pixels = img if isinstance(img, Tensor) else pil_to_tensor(img)
    expected = (1, pixels.shape[-2], pixels.shape[-1], 2)
    if tuple(displacement.shape) != expected:
        raise ValueError(
            f"Argument displacement shape should be {expected}, but given "
            f"{tuple(displacement.shape)}"
        )
    moved = warp_t.elastic_transform(pixels, displacement, mode.value, fill=fill)
    return moved if isinstance(img, Tensor) else to_pil_image(moved, mode=img.mode)
