"""Colour and sharpness of tensor images: brightness, contrast, saturation, hue, gamma, blur."""

from __future__ import annotations

from collections.abc import Sequence

from facula import operators, tensors
from facula.base import dtypes
from facula.nn import functional as F
from facula.tensors import Tensor
from facula.vision.transforms._functional_tensor import (
    as_float_batch,
    convert_image_dtype,
    from_float_batch,
    largest,
    require_channels,
    require_image,
    working_dtype,
)

__all__: list[str] = []


def rgb_to_grayscale(img: Tensor, num_output_channels: int = 1) -> Tensor:
    """Weighs red, green and blue as the eye does (ITU-R 601)."""
    if img.ndim < 3:
        raise TypeError(
            f"Input image tensor should have at least 3 dimensions, but found {img.ndim}"
        )
    require_channels(img, (1, 3))
    if num_output_channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")
    if img.shape[-3] == 1:
        return img.clone()  # one channel in, one channel out, whatever was asked for
    red, green, blue = img.unbind(dim=-3)
    grey = (0.2989 * red + 0.587 * green + 0.114 * blue).to(img.dtype).unsqueeze(dim=-3)
    return grey.expand(img.shape[:-3] + (3,) + img.shape[-2:]) if num_output_channels == 3 else grey


def _blend(first: Tensor, second: Tensor, ratio: float) -> Tensor:
    ratio = float(ratio)
    mixed = ratio * first + (1.0 - ratio) * second
    return mixed.clamp(0, largest(first.dtype)).to(first.dtype)


def _check_factor(name: str, factor: float) -> None:
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def adjust_brightness(img: Tensor, brightness_factor: float) -> Tensor:
    """Scales all values; 0 is black, 1 the image itself."""
    _check_factor("brightness_factor", brightness_factor)
    require_image(img)
    require_channels(img, (1, 3))
    return _blend(img, tensors.zeros_like(img), brightness_factor)


def adjust_contrast(img: Tensor, contrast_factor: float) -> Tensor:
    """Moves all values away from (or towards) the mean grey."""
    _check_factor("contrast_factor", contrast_factor)
    require_image(img)
    require_channels(img, (1, 3))
    grey = rgb_to_grayscale(img) if img.shape[-3] == 3 else img
    mean = grey.to(working_dtype(img)).mean(dim=(-3, -2, -1), keepdim=True)
    return _blend(img, mean, contrast_factor)


def adjust_saturation(img: Tensor, saturation_factor: float) -> Tensor:
    """Moves all colours away from (or towards) grey."""
    _check_factor("saturation_factor", saturation_factor)
    require_image(img)
    require_channels(img, (1, 3))
    if img.shape[-3] == 1:
        return img
    return _blend(img, rgb_to_grayscale(img), saturation_factor)


def adjust_gamma(img: Tensor, gamma: float, gain: float = 1) -> Tensor:
    """Maps every value v in [0, 1] to gain * v ** gamma."""
    require_image(img)
    require_channels(img, (1, 3))
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    values = img if img.is_floating_point() else convert_image_dtype(img, dtypes.float32)
    return convert_image_dtype((gain * values**gamma).clamp(0, 1), img.dtype)


def _rgb_to_hsv(img: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    red, green, blue = img.unbind(dim=-3)
    high, low = img.amax(dim=-3), img.amin(dim=-3)
    grey = high == low
    spread = high - low
    one = tensors.ones_like(high)
    saturation = spread / operators.where(grey, one, high)
    # Grey pixels have no hue; dividing by 1 there keeps NaN out of values and gradients.
    divisor = operators.where(grey, one, spread)
    from_red, from_green, from_blue = ((high - c) / divisor for c in (red, green, blue))
    is_red = high == red
    is_green = (high == green) & (high != red)
    is_blue = (high != green) & (high != red)
    sixths = (
        is_red * (from_blue - from_green)
        + is_green * (2.0 + from_red - from_blue)
        + is_blue * (4.0 + from_green - from_red)
    )
    return operators.fmod(sixths / 6.0 + 1.0, 1.0), saturation, high


def _hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    sector = operators.floor(hue * 6.0)
    fraction = hue * 6.0 - sector
    sector = sector.to(dtypes.int32) % 6
    p = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    q = (value * (1.0 - saturation * fraction)).clamp(0.0, 1.0)
    t = (value * (1.0 - saturation * (1.0 - fraction))).clamp(0.0, 1.0)
    choices = ((value, q, p, p, t, value), (t, value, value, q, p, p), (p, p, t, value, value, q))
    channels = []
    for choice in choices:
        channel = choice[5]
        for k in range(4, -1, -1):
            channel = operators.where(sector == k, choice[k], channel)
        channels.append(channel)
    return operators.stack(channels, dim=-3)


def adjust_hue(img: Tensor, hue_factor: float) -> Tensor:
    """Turns the colour circle by a fraction in [-0.5, 0.5]."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    require_image(img)
    require_channels(img, (1, 3))
    if img.shape[-3] == 1:
        return img
    hue, saturation, value = _rgb_to_hsv(convert_image_dtype(img, dtypes.float32))
    turned = (hue + hue_factor) % 1.0
    return convert_image_dtype(_hsv_to_rgb(turned, saturation, value), img.dtype)


def _filter(img: Tensor, kernel: Tensor) -> Tensor:
    """Convolves every channel of a 4-d image with the same kernel."""
    channels = img.shape[-3]
    weights = kernel.expand((channels, 1) + tuple(kernel.shape))
    return F.conv2d(img, weights, groups=channels)


def adjust_sharpness(img: Tensor, sharpness_factor: float) -> Tensor:
    """Blends with a smoothed copy; 0 is smooth, 1 the image itself."""
    _check_factor("sharpness_factor", sharpness_factor)
    require_image(img)
    require_channels(img, (1, 3))
    if min(img.shape[-2:]) <= 2:
        return img
    dtype = working_dtype(img)
    kernel = tensors.tensor([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=dtype, device=img.device) / 13
    batch, squeeze, original = as_float_batch(img, (dtype,))
    smooth = img.clone()
    smooth[..., 1:-1, 1:-1] = from_float_batch(_filter(batch, kernel), squeeze, original)
    return _blend(img, smooth, sharpness_factor)


def gaussian_blur(img: Tensor, kernel_size: Sequence[int], sigma: Sequence[float]) -> Tensor:
    """Blurs with a Gaussian; sizes and sigmas are given as (x, y)."""
    require_image(img)
    dtype = working_dtype(img)
    sides = []
    for size, width in zip(kernel_size, sigma):
        half = (size - 1) * 0.5
        positions = tensors.linspace(-half, half, steps=size, dtype=dtype, device=img.device)
        weights = operators.exp(-0.5 * (positions / width).pow(2))
        sides.append(weights / weights.sum())
    kernel = operators.mm(sides[1][:, None], sides[0][None, :])
    batch, squeeze, original = as_float_batch(img, (dtype,))
    margin_x, margin_y = kernel_size[0] // 2, kernel_size[1] // 2
    batch = F.pad(batch, [margin_x, margin_x, margin_y, margin_y], mode="reflect")
    return from_float_batch(_filter(batch, kernel), squeeze, original)
