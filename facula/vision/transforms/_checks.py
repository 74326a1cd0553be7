"""Checks of the arguments that several transforms share."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

__all__: list[str] = []


def pair(size: Any, error: str = "Please provide only two dimensions (h, w) for size.") -> Any:
    """Spells an int or a sequence of one or two as (height, width)."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)  # type: ignore[call-overload]
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(error)
    return size


def sequence(value: Any, name: str, sizes: Sequence[int]) -> None:
    """Raises unless `value` is a sequence of one of the permitted lengths."""
    lengths = str(sizes[0]) if len(sizes) < 2 else " or ".join(str(s) for s in sizes)
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length {lengths}.")
    if len(value) not in sizes:
        raise ValueError(f"{name} should be a sequence of length {lengths}.")


def angle_range(value: Any, name: str, sizes: Sequence[int] = (2,)) -> list[float]:
    """Spells one non-negative number v as [-v, v]; checks and copies a sequence."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be positive.")
        value = [-value, value]  # type: ignore[operator]
    else:
        sequence(value, name, sizes)
    return [float(v) for v in value]


def probability(p: Any) -> None:
    """Raises unless `p` is a number in [0, 1]."""
    if not isinstance(p, numbers.Number):
        raise TypeError("Argument p should be a number")
    if not 0 <= p <= 1:  # type: ignore[operator]
        raise ValueError("Random probability should be between 0 and 1")


def fill_value(fill: Any) -> Any:
    """Checks a fill colour: None means 0."""
    if fill is None:
        return 0
    if not isinstance(fill, (Sequence, numbers.Number)):
        raise TypeError("Fill should be either a sequence or a number.")
    return fill


def fill_for(fill: Any, img: Any, channels: int, is_tensor: bool) -> Any:
    """Tensor images take one fill value a channel; Pillow images take it as it is."""
    if not is_tensor:
        return fill
    if isinstance(fill, (int, float)):
        return [float(fill)] * channels
    return [float(f) for f in fill]
