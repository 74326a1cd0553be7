"""Random geometry: crops, flips, rotation, affine and perspective maps, elastic displacement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from facula import nn, operators, tensors
from facula.tensors import Tensor
from facula.vision.transforms import _checks, _draws
from facula.vision.transforms import functional as F
from facula.vision.transforms.interpolation import InterpolationMode, as_mode

__all__ = [
    "ElasticTransform",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomPerspective",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
]


def _fill_of(fill: Any, img: Any) -> Any:
    channels = F.get_dimensions(img)[0]
    return _checks.fill_for(fill, img, channels, isinstance(img, Tensor))


class RandomCrop(nn.Module):
    """Cuts `size` at a random place, after optional padding.

    Differences from PyTorch: none; draws the row, then the column, and nothing where the image
    already has the wanted size.
    """

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Draws (top, left, height, width) of a crop."""
        _, height, width = F.get_dimensions(img)
        crop_height, crop_width = output_size
        if height < crop_height or width < crop_width:
            raise ValueError(
                f"Required crop size {(crop_height, crop_width)} is larger than input image size "
                f"{(height, width)}"
            )
        if width == crop_width and height == crop_height:
            return 0, 0, height, width
        top = _draws.integer(0, height - crop_height + 1)
        left = _draws.integer(0, width - crop_width + 1)
        return top, left, crop_height, crop_width

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = tuple(_checks.pair(size))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        """Crops the image."""
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, height, width = F.get_dimensions(img)
        if self.pad_if_needed and width < self.size[1]:
            img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and height < self.size[0]:
            img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(nn.Module):
    """Mirrors left and right with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """Flips the image by chance."""
        return F.hflip(img) if _draws.chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(nn.Module):
    """Mirrors top and bottom with probability `p`."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: Any) -> Any:
        """Flips the image by chance."""
        return F.vflip(img) if _draws.chance(self.p) else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomResizedCrop(nn.Module):
    """Cuts a random area of random aspect ratio and resizes it to `size` (Inception's crop)."""

    def __init__(
        self,
        size: Any,
        scale: Any = (0.08, 1.0),
        ratio: Any = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = _checks.pair(size)
        if not isinstance(scale, Sequence):
            raise TypeError("Scale should be a sequence")
        if not isinstance(ratio, Sequence):
            raise TypeError("Ratio should be a sequence")
        self.interpolation = as_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(img: Any, scale: Any, ratio: Any) -> tuple[int, int, int, int]:
        """Draws (top, left, height, width): ten tries, then the largest central crop."""
        _, height, width = F.get_dimensions(img)
        low, high = _draws.log_bounds(ratio)
        for _ in range(10):
            area = height * width * _draws.uniform(scale[0], scale[1])
            aspect = _draws.exp_uniform(low, high)
            w = round(math.sqrt(area * aspect))
            h = round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                return _draws.integer(0, height - h + 1), _draws.integer(0, width - w + 1), h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img: Any) -> Any:
        """Crops and resizes the image."""
        place = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *place, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, "
            f"scale={tuple(round(s, 4) for s in self.scale)}, "
            f"ratio={tuple(round(r, 4) for r in self.ratio)}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class RandomRotation(nn.Module):
    """Turns by a random angle of `degrees` = (min, max), or (-d, d) for one number d."""

    def __init__(
        self,
        degrees: Any,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Any = None,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.degrees = _checks.angle_range(degrees, "degrees")
        if center is not None:
            _checks.sequence(center, "center", (2,))
        self.center = center
        self.interpolation = as_mode(interpolation)
        self.expand = expand
        self.fill = _checks.fill_value(fill)

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Draws an angle."""
        return _draws.uniform(degrees[0], degrees[1])

    def forward(self, img: Any) -> Any:
        """Turns the image."""
        fill = _fill_of(self.fill, img)
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, fill)

    def __repr__(self) -> str:
        center = f", center={self.center}" if self.center is not None else ""
        fill = f", fill={self.fill}" if self.fill is not None else ""
        return (
            f"{type(self).__name__}(degrees={self.degrees}, "
            f"interpolation={self.interpolation.value}, expand={self.expand}{center}{fill})"
        )


def _check_fractions(translate: Any) -> None:
    _checks.sequence(translate, "translate", (2,))
    if any(not 0.0 <= t <= 1.0 for t in translate):
        raise ValueError("translation values should be between 0 and 1")


class RandomAffine(nn.Module):
    """Rotates, shifts, scales and shears by random amounts, keeping the centre in place."""

    def __init__(
        self,
        degrees: Any,
        translate: Any = None,
        scale: Any = None,
        shear: Any = None,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Any = None,
    ) -> None:
        super().__init__()
        self.degrees = _checks.angle_range(degrees, "degrees")
        if translate is not None:
            _check_fractions(translate)
        self.translate = translate
        if scale is not None:
            _checks.sequence(scale, "scale", (2,))
            if any(s <= 0 for s in scale):
                raise ValueError("scale values should be positive")
        self.scale = scale
        self.shear = None if shear is None else _checks.angle_range(shear, "shear", (2, 4))
        self.interpolation = as_mode(interpolation)
        self.fill = _checks.fill_value(fill)
        if center is not None:
            _checks.sequence(center, "center", (2,))
        self.center = center

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Any,
        scale_ranges: Any,
        shears: Any,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Draws (angle, (shift x, shift y), scale, (shear x, shear y)); img_size is (w, h)."""
        angle = _draws.uniform(degrees[0], degrees[1])
        shift = (0, 0)
        if translate is not None:
            reach_x, reach_y = (float(t * s) for t, s in zip(translate, img_size))
            across = round(_draws.uniform(-reach_x, reach_x))
            shift = (across, round(_draws.uniform(-reach_y, reach_y)))
        scale = 1.0
        if scale_ranges is not None:
            scale = _draws.uniform(scale_ranges[0], scale_ranges[1])
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = _draws.uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = _draws.uniform(shears[2], shears[3])
        return angle, shift, scale, (shear_x, shear_y)

    def forward(self, img: Any) -> Any:
        """Warps the image."""
        fill = _fill_of(self.fill, img)
        _, height, width = F.get_dimensions(img)
        drawn = self.get_params(
            self.degrees, self.translate, self.scale, self.shear, [width, height]
        )
        return F.affine(
            img, *drawn, interpolation=self.interpolation, fill=fill, center=self.center
        )

    def __repr__(self) -> str:
        parts = [f"degrees={self.degrees}"]
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                parts.append(f"{name}={getattr(self, name)}")
        if self.interpolation != InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RandomPerspective(nn.Module):
    """Warps with probability `p` as if the picture were seen from a random angle."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.p = p
        self.interpolation = as_mode(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = _checks.fill_value(fill)

    def forward(self, img: Any) -> Any:
        """Warps the image by chance."""
        fill = _fill_of(self.fill, img)
        if not _draws.chance(self.p):
            return img
        _, height, width = F.get_dimensions(img)
        start, end = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, start, end, self.interpolation, fill)

    @staticmethod
    def get_params(
        width: int, height: int, distortion_scale: float
    ) -> tuple[list[list[int]], list[list[int]]]:
        """Draws new places for the four corners; returns the old and the new ones."""
        reach_x = int(distortion_scale * (width // 2))
        reach_y = int(distortion_scale * (height // 2))
        near_x, near_y = (0, reach_x + 1), (0, reach_y + 1)
        far_x, far_y = (width - reach_x - 1, width), (height - reach_y - 1, height)
        ends = []
        for x, y in ((near_x, near_y), (far_x, near_y), (far_x, far_y), (near_x, far_y)):
            ends.append([_draws.integer(*x), _draws.integer(*y)])
        right, bottom = width - 1, height - 1
        return [[0, 0], [right, 0], [right, bottom], [0, bottom]], ends

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


def _two_floats(value: Any, name: str) -> list[float]:
    if not isinstance(value, (float, Sequence)):
        raise TypeError(f"{name} should be float or a sequence of floats. Got {type(value)}")
    if isinstance(value, Sequence):
        if len(value) not in (1, 2):
            raise ValueError(
                f"If {name} is a sequence its length should be 1 or 2. Got {len(value)}"
            )
        for element in value:
            if not isinstance(element, float):
                raise TypeError(f"{name} should be a sequence of floats. Got {type(element)}")
        return [value[0], value[-1]]
    return [float(value), float(value)]


class ElasticTransform(nn.Module):
    """Moves pixels by a smooth random field of strength `alpha` and smoothness `sigma`."""

    def __init__(
        self,
        alpha: Any = 50.0,
        sigma: Any = 5.0,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: Any = 0,
    ) -> None:
        super().__init__()
        self.alpha = _two_floats(alpha, "alpha")
        self.sigma = _two_floats(sigma, "sigma")
        self.interpolation = as_mode(interpolation)
        if isinstance(fill, (int, float)):
            self.fill = [float(fill)]
        elif isinstance(fill, (list, tuple)):
            self.fill = [float(f) for f in fill]
        else:
            raise TypeError(
                f"fill should be int or float or a list or tuple of them. Got {type(fill)}"
            )

    @staticmethod
    def get_params(alpha: list[float], sigma: list[float], size: list[int]) -> Tensor:
        """Draws a displacement field (1, H, W, 2)."""
        fields = []
        for strength, width, extent in zip(alpha, sigma, reversed(size)):
            field = tensors.rand([1, 1] + list(size)) * 2 - 1
            if width > 0.0:
                kernel = int(8 * width + 1) | 1  # Gaussian kernels have odd sizes
                field = F.gaussian_blur(field, [kernel, kernel], sigma)
            fields.append(field * strength / extent)
        return operators.cat(fields, 1).permute([0, 2, 3, 1])

    def forward(self, tensor: Any) -> Any:
        """Displaces the image."""
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
