"""Image operations on Pillow images, one small function each."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

__all__: list[str] = []

PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def is_pil_image(img: Any) -> bool:
    """Tells whether `img` is a Pillow image."""
    return isinstance(img, Image.Image)


def get_dimensions(img: Any) -> list[int]:
    """Returns [channels, height, width]."""
    _require_pil(img)
    return [len(img.getbands()), img.height, img.width]


def get_image_size(img: Any) -> list[int]:
    """Returns [width, height]."""
    _require_pil(img)
    return [img.width, img.height]


def get_image_num_channels(img: Any) -> int:
    """Returns the number of bands."""
    _require_pil(img)
    return len(img.getbands())


def _require_pil(img: Any) -> None:
    if not is_pil_image(img):
        raise TypeError(f"img should be PIL Image. Got {type(img)}")


def hflip(img: Image.Image) -> Image.Image:
    """Mirrors left and right."""
    _require_pil(img)
    return img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def vflip(img: Image.Image) -> Image.Image:
    """Mirrors top and bottom."""
    _require_pil(img)
    return img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)


def crop(img: Image.Image, top: int, left: int, height: int, width: int) -> Image.Image:
    """Cuts out a rectangle; parts outside of the image are 0."""
    _require_pil(img)
    return img.crop((left, top, left + width, top + height))


def resize(img: Image.Image, size: Sequence[int] | int, interpolation: int = 2) -> Image.Image:
    """Resizes to (height, width)."""
    _require_pil(img)
    if not (isinstance(size, (list, tuple)) and len(size) == 2):
        raise TypeError(f"Got inappropriate size arg: {size}")
    return img.resize((size[1], size[0]), Image.Resampling(interpolation))


def _fill_value(fill: Any, img: Image.Image) -> Any:
    """Brings a fill (None, number, sequence) into the form that Pillow takes for this image."""
    bands = len(img.getbands())
    if fill is None:
        fill = 0
    if isinstance(fill, (int, float)) and bands > 1:
        fill = (fill,) * bands
    if isinstance(fill, (list, tuple)):
        if len(fill) == 1:
            fill = tuple(fill) * bands
        elif len(fill) != bands:
            raise ValueError(
                "The number of elements in 'fill' does not match the number of channels of the "
                f"image ({len(fill)} != {bands})"
            )
        fill = tuple(fill)
    if img.mode != "F":
        fill = tuple(int(x) for x in fill) if isinstance(fill, tuple) else int(fill)
    return fill[0] if isinstance(fill, tuple) and bands == 1 else fill


def sides(padding: Any) -> tuple[int, int, int, int]:
    """Spells padding given as 1, 2 or 4 numbers as (left, top, right, bottom)."""
    if isinstance(padding, int):
        return (padding,) * 4
    padding = tuple(padding)
    if len(padding) == 1:
        return padding * 4
    if len(padding) == 2:
        return padding * 2
    return padding  # type: ignore[return-value]


def check_padding(padding: Any, fill: Any, padding_mode: Any) -> None:
    """Raises TypeError or ValueError where pad would not accept its arguments."""
    if not isinstance(padding, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if not isinstance(fill, (numbers.Number, str, tuple, list)):
        raise TypeError("Got inappropriate fill arg")
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg")
    if isinstance(padding, (tuple, list)) and len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} "
            "element tuple"
        )
    if padding_mode not in PADDING_MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")


def pad(
    img: Image.Image, padding: Any, fill: Any = 0, padding_mode: str = "constant"
) -> Image.Image:
    """Adds a border: a constant colour, or the image's own edge continued."""
    _require_pil(img)
    check_padding(padding, fill, padding_mode)
    left, top, right, bottom = sides(list(padding) if isinstance(padding, list) else padding)
    if padding_mode == "constant":
        colour = _fill_value(fill, img) if not isinstance(fill, str) else fill
        wider = ImageOps.expand(img, border=(left, top, right, bottom), fill=colour)
        if img.mode == "P":
            wider.putpalette(img.getpalette())
        return wider
    if min(left, top, right, bottom) < 0:
        # NumPy pads outwards only: a negative side is a crop.
        box = (
            max(-left, 0),
            max(-top, 0),
            img.width - max(-right, 0),
            img.height - max(-bottom, 0),
        )
        img = img.crop(box)
        left, top, right, bottom = (max(v, 0) for v in (left, top, right, bottom))
    array = np.asarray(img)
    widths = ((top, bottom), (left, right)) + ((0, 0),) * (array.ndim - 2)
    wider = Image.fromarray(np.pad(array, widths, mode=padding_mode))  # type: ignore[call-overload]
    if img.mode == "P":
        wider.putpalette(img.getpalette())
    return wider


def adjust_brightness(img: Image.Image, brightness_factor: float) -> Image.Image:
    """Scales all values; 0 is black, 1 the image itself."""
    _require_pil(img)
    return ImageEnhance.Brightness(img).enhance(brightness_factor)


def adjust_contrast(img: Image.Image, contrast_factor: float) -> Image.Image:
    """Moves all values away from (or towards) the mean grey."""
    _require_pil(img)
    return ImageEnhance.Contrast(img).enhance(contrast_factor)


def adjust_saturation(img: Image.Image, saturation_factor: float) -> Image.Image:
    """Moves all colours away from (or towards) grey."""
    _require_pil(img)
    return ImageEnhance.Color(img).enhance(saturation_factor)


def adjust_sharpness(img: Image.Image, sharpness_factor: float) -> Image.Image:
    """Blends with a smoothed copy; 0 is smooth, 1 the image itself."""
    _require_pil(img)
    return ImageEnhance.Sharpness(img).enhance(sharpness_factor)


def adjust_hue(img: Image.Image, hue_factor: float) -> Image.Image:
    """Turns the colour circle by a fraction in [-0.5, 0.5]."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    _require_pil(img)
    if img.mode in {"L", "1", "I", "F"}:
        return img
    hue, saturation, value = img.convert("HSV").split()
    # The circle has 256 steps and wraps, which is what uint8 addition does.
    turned = np.asarray(hue) + np.array(int(hue_factor * 255) % 256, dtype=np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(img.mode)


def adjust_gamma(img: Image.Image, gamma: float, gain: float = 1.0) -> Image.Image:
    """Maps every value v in [0, 1] to gain * v ** gamma."""
    _require_pil(img)
    if gamma < 0:
        raise ValueError("Gamma should be a non-negative real number")
    # 255.999 rather than 255: each of the 256 results then covers an equal share of the range.
    table = [int((255 + 1 - 1e-3) * gain * pow(v / 255.0, gamma)) for v in range(256)] * 3
    return img.convert("RGB").point(table).convert(img.mode)


def affine(
    img: Image.Image, matrix: Sequence[float], interpolation: int = 0, fill: Any = None
) -> Image.Image:
    """Warps by the inverse affine map `matrix` (six numbers, output to input)."""
    _require_pil(img)
    colour = _fill_value(fill, img)
    return img.transform(
        img.size,
        Image.Transform.AFFINE,
        tuple(matrix),
        Image.Resampling(interpolation),
        fillcolor=colour,
    )


def rotate(
    img: Image.Image,
    angle: float,
    interpolation: int = 0,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Image.Image:
    """Turns counter-clockwise by `angle` degrees."""
    _require_pil(img)
    colour = _fill_value(fill, img)
    return img.rotate(angle, Image.Resampling(interpolation), expand, center, fillcolor=colour)


def perspective(
    img: Image.Image, perspective_coeffs: Sequence[float], interpolation: int = 3, fill: Any = None
) -> Image.Image:
    """Warps by the inverse perspective map given by eight numbers."""
    _require_pil(img)
    colour = _fill_value(fill, img)
    return img.transform(
        img.size,
        Image.Transform.PERSPECTIVE,
        tuple(perspective_coeffs),
        Image.Resampling(interpolation),
        fillcolor=colour,
    )


def to_grayscale(img: Image.Image, num_output_channels: int) -> Image.Image:
    """Converts to grey with one band or three equal bands."""
    _require_pil(img)
    grey = img.convert("L")
    if num_output_channels == 1:
        return grey
    if num_output_channels == 3:
        return Image.merge("RGB", (grey, grey, grey))
    raise ValueError("num_output_channels should be either 1 or 3")


def invert(img: Image.Image) -> Image.Image:
    """Replaces every value v by 255 - v."""
    _require_pil(img)
    return ImageOps.invert(img)


def posterize(img: Image.Image, bits: int) -> Image.Image:
    """Keeps the highest `bits` bits of every value."""
    _require_pil(img)
    return ImageOps.posterize(img, bits)


def solarize(img: Image.Image, threshold: float) -> Image.Image:
    """Inverts the values at or above `threshold`."""
    _require_pil(img)
    return ImageOps.solarize(img, threshold)  # type: ignore[arg-type]


def autocontrast(img: Image.Image) -> Image.Image:
    """Stretches every band to the full range."""
    _require_pil(img)
    return ImageOps.autocontrast(img)


def equalize(img: Image.Image) -> Image.Image:
    """Flattens the histogram of every band."""
    _require_pil(img)
    return ImageOps.equalize(img)
