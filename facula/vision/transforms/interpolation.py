"""The ways of filling in pixels between pixels, and their Pillow and tensor spellings."""

from __future__ import annotations

from enum import Enum

__all__ = ["InterpolationMode", "as_mode", "pil_filter"]


class InterpolationMode(Enum):
    """Interpolation filter of a resize or a warp; box, hamming and lanczos exist for PIL only."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


# Pillow's own integer constants for its resampling filters.
_PILLOW = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.LANCZOS: 1,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.NEAREST_EXACT: 0,
}
_FROM_PILLOW = {
    0: InterpolationMode.NEAREST,
    1: InterpolationMode.LANCZOS,
    2: InterpolationMode.BILINEAR,
    3: InterpolationMode.BICUBIC,
    4: InterpolationMode.BOX,
    5: InterpolationMode.HAMMING,
}


def as_mode(interpolation: InterpolationMode | int) -> InterpolationMode:
    """Returns the mode for a mode or for one of Pillow's integer constants."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    if isinstance(interpolation, int) and interpolation in _FROM_PILLOW:
        return _FROM_PILLOW[int(interpolation)]
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer "
        f"constant, got {interpolation!r}"
    )


def pil_filter(mode: InterpolationMode) -> int:
    """Returns Pillow's constant for a mode."""
    return _PILLOW[mode]
