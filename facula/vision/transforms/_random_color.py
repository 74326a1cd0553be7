"""Random colour: jitter, grey, blur, erasing, and the value maps applied by chance."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

from facula import nn, tensors
from facula.base import dtypes
from facula.tensors import Tensor
from facula.vision.transforms import _checks, _draws
from facula.vision.transforms import functional as F

__all__ = [
    "ColorJitter",
    "GaussianBlur",
    "RandomAdjustSharpness",
    "RandomAutocontrast",
    "RandomEqualize",
    "RandomErasing",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
]


def _jitter_range(
    value: Any,
    name: str,
    center: float = 1,
    bound: tuple[float, float] = (0, float("inf")),
    clip_first_on_zero: bool = True,
) -> tuple[float, float] | None:
    """Spells a jitter as (min, max); None where it would change nothing."""
    if isinstance(value, numbers.Number):
        if value < 0:  # type: ignore[operator]
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = center - float(value), center + float(value)  # type: ignore[arg-type]
        if clip_first_on_zero:
            low = max(low, 0.0)
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
    return None if low == high == center else (low, high)


class ColorJitter(nn.Module):
    """Changes brightness, contrast, saturation and hue by random amounts in a random order."""

    def __init__(
        self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0
    ) -> None:
        super().__init__()
        self.brightness = _jitter_range(brightness, "brightness")
        self.contrast = _jitter_range(contrast, "contrast")
        self.saturation = _jitter_range(saturation, "saturation")
        self.hue = _jitter_range(hue, "hue", 0, (-0.5, 0.5), clip_first_on_zero=False)

    @staticmethod
    def get_params(brightness: Any, contrast: Any, saturation: Any, hue: Any) -> tuple[Any, ...]:
        """Draws the order (a tensor) and the four factors, None where there is no range."""
        order = tensors.randperm(4)
        factors = [
            None if limits is None else _draws.uniform(limits[0], limits[1])
            for limits in (brightness, contrast, saturation, hue)
        ]
        return (order, *factors)

    def forward(self, img: Any) -> Any:
        """Changes the image's colours."""
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        steps = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = steps[i](img, factors[i])
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


class RandomGrayscale(nn.Module):
    """Converts to grey with probability `p`, keeping the number of channels."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """Converts the image by chance."""
        channels = F.get_dimensions(img)[0]
        if not _draws.chance(self.p):
            return img
        return F.rgb_to_grayscale(img, num_output_channels=channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomErasing(nn.Module):
    """Overwrites a random rectangle of a tensor image (Zhong et al., 2017)."""

    def __init__(
        self,
        p: float = 0.5,
        scale: Any = (0.02, 0.33),
        ratio: Any = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if not isinstance(scale, Sequence):
            raise TypeError("Scale should be a sequence")
        if not isinstance(ratio, Sequence):
            raise TypeError("Ratio should be a sequence")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Any, ratio: Any, value: list[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """Draws (top, left, height, width, values); the whole image after ten bad tries."""
        channels, height, width = img.shape[-3], img.shape[-2], img.shape[-1]
        low, high = _draws.log_bounds(ratio)
        for _ in range(10):
            area = height * width * _draws.uniform(scale[0], scale[1])
            aspect = _draws.exp_uniform(low, high)
            h = round(math.sqrt(area * aspect))
            w = round(math.sqrt(area / aspect))
            if not (h < height and w < width):
                continue
            if value is None:
                values = tensors.empty([channels, h, w], dtype=dtypes.float32).normal_()
            else:
                values = tensors.tensor(value)[:, None, None]
            top = _draws.integer(0, height - h + 1)
            return top, _draws.integer(0, width - w + 1), h, w, values
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        """Erases a rectangle by chance."""
        if not _draws.chance(self.p):
            return img
        if isinstance(self.value, (int, float)):
            value: list[float] | None = [float(self.value)]
        elif isinstance(self.value, str):
            value = None
        else:
            value = [float(v) for v in self.value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels)"
            )
        top, left, h, w, values = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, top, left, h, w, values, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
            f"value={self.value}, inplace={self.inplace})"
        )


class GaussianBlur(nn.Module):
    """Blurs with a Gaussian whose sigma is drawn from a range."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = _checks.pair(
            kernel_size, "Kernel size should be a tuple/list of two integers"
        )
        if any(k <= 0 or k % 2 == 0 for k in self.kernel_size):
            raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Number):
            if sigma <= 0:  # type: ignore[operator]
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif isinstance(sigma, Sequence) and len(sigma) == 2:
            if not 0.0 < sigma[0] <= sigma[1]:
                raise ValueError("sigma values should be positive and of the form (min, max).")
        else:
            raise ValueError("sigma should be a single number or a list/tuple with length 2.")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Draws a sigma."""
        return _draws.uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        """Blurs the image."""
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class _ByChance(nn.Module):
    """A map of values that is applied with probability `p`."""

    _shown: tuple[str, ...] = ()

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """Applies the map by chance."""
        return self._apply_map(img) if _draws.chance(self.p) else img

    def _apply_map(self, img: Any) -> Any:
        raise NotImplementedError("a subclass says which map")

    def __repr__(self) -> str:
        shown = ",".join(f"{name}={getattr(self, name)}" for name in (*self._shown, "p"))
        return f"{type(self).__name__}({shown})"


class RandomInvert(_ByChance):
    """Inverts all values with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def _apply_map(self, img: Any) -> Any:
        return F.invert(img)


class RandomPosterize(_ByChance):
    """Keeps only `bits` bits of every value with probability `p`."""

    _shown = ("bits",)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def _apply_map(self, img: Any) -> Any:
        return F.posterize(img, self.bits)


class RandomSolarize(_ByChance):
    """Inverts the values at or above `threshold` with probability `p`."""

    _shown = ("threshold",)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def _apply_map(self, img: Any) -> Any:
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_ByChance):
    """Sharpens or smooths with probability `p`."""

    _shown = ("sharpness_factor",)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def _apply_map(self, img: Any) -> Any:
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(_ByChance):
    """Stretches every channel to the full range with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def _apply_map(self, img: Any) -> Any:
        return F.autocontrast(img)


class RandomEqualize(_ByChance):
    """Flattens the histogram of every channel with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def _apply_map(self, img: Any) -> Any:
        return F.equalize(img)
