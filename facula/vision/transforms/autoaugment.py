"""Learned and random augmentation policies: AutoAugment, RandAugment, TrivialAugmentWide."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any

from facula import nn, tensors
from facula.tensors import Tensor
from facula.vision.transforms import _checks, _draws
from facula.vision.transforms import functional as F
from facula.vision.transforms._policies import CIFAR10, IMAGENET, SVHN, Policy
from facula.vision.transforms.interpolation import InterpolationMode

__all__ = ["AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]


class AutoAugmentPolicy(Enum):
    """The data set a policy of AutoAugment was learned on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


_POLICIES = {
    AutoAugmentPolicy.IMAGENET: IMAGENET,
    AutoAugmentPolicy.CIFAR10: CIFAR10,
    AutoAugmentPolicy.SVHN: SVHN,
}


def _warp(img: Any, shift: list[int], shear: list[float], mode: Any, fill: Any, center: Any) -> Any:
    return F.affine(img, 0.0, shift, 1.0, shear, interpolation=mode, fill=fill, center=center)


def _apply_op(
    img: Any, op_name: str, magnitude: float, interpolation: InterpolationMode, fill: Any
) -> Any:
    """Applies one named operation at one strength."""
    tilt = math.degrees(math.atan(magnitude))
    moves = {
        "ShearX": ([0, 0], [tilt, 0.0], [0, 0]),
        "ShearY": ([0, 0], [0.0, tilt], [0, 0]),
        "TranslateX": ([int(magnitude), 0], [0.0, 0.0], None),
        "TranslateY": ([0, int(magnitude)], [0.0, 0.0], None),
    }
    if op_name in moves:
        shift, shear, center = moves[op_name]
        return _warp(img, shift, shear, interpolation, fill, center)
    if op_name == "Rotate":
        return F.rotate(img, magnitude, interpolation=interpolation, fill=fill)
    enhancers = {
        "Brightness": F.adjust_brightness,
        "Color": F.adjust_saturation,
        "Contrast": F.adjust_contrast,
        "Sharpness": F.adjust_sharpness,
    }
    if op_name in enhancers:
        return enhancers[op_name](img, 1.0 + magnitude)
    if op_name == "Posterize":
        return F.posterize(img, int(magnitude))
    if op_name == "Solarize":
        return F.solarize(img, magnitude)
    plain = {"AutoContrast": F.autocontrast, "Equalize": F.equalize, "Invert": F.invert}
    if op_name in plain:
        return plain[op_name](img)
    if op_name == "Identity":
        return img
    raise ValueError(f"The provided operator {op_name} is not recognized.")


Space = dict[str, "tuple[Tensor, bool]"]


def _space(
    bins: int,
    shear: float,
    reach: tuple[float, float],
    angle: float,
    enhance: float,
    lost_bits: int,
    extra: tuple[str, ...],
) -> Space:
    """Strengths of every operation (a tensor of `bins`, or 0) and whether they take a sign."""
    space: Space = {}

    def signed(name: str, top: float) -> None:
        space[name] = (tensors.linspace(0.0, top, bins), True)

    signed("ShearX", shear)
    signed("ShearY", shear)
    signed("TranslateX", reach[0])
    signed("TranslateY", reach[1])
    signed("Rotate", angle)
    for name in ("Brightness", "Color", "Contrast", "Sharpness"):
        signed(name, enhance)
    lost = (tensors.arange(bins) / ((bins - 1) / lost_bits)).round().int()
    space["Posterize"] = (8 - lost, False)
    space["Solarize"] = (tensors.linspace(255.0, 0.0, bins), False)
    for name in extra:
        space[name] = (tensors.tensor(0.0), False)
    return space


class _Augment(nn.Module):
    """What the three policies share: interpolation and fill."""

    interpolation: InterpolationMode
    fill: Any

    def _fill_for(self, img: Any) -> Any:
        if self.fill is None:
            return None
        channels = F.get_dimensions(img)[0]
        return _checks.fill_for(self.fill, img, channels, isinstance(img, Tensor))


class AutoAugment(_Augment):
    """Applies one of 25 learned pairs of operations (Cubuk et al., 2018); uint8 images."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        if policy not in _POLICIES:
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies: list[Policy] = list(_POLICIES[policy])

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        reach = (150.0 / 331.0 * image_size[1], 150.0 / 331.0 * image_size[0])
        extra = ("AutoContrast", "Equalize", "Invert")
        return _space(num_bins, 0.3, reach, 30.0, 0.9, 4, extra)

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Draws the policy, two probabilities and two signs."""
        chosen = int(tensors.randint(transform_num, (1,)).item())
        return chosen, tensors.rand((2,)), tensors.randint(2, (2,))

    def forward(self, img: Any) -> Any:
        """Augments the image."""
        fill = self._fill_for(img)
        _, height, width = F.get_dimensions(img)
        chosen, chances, signs = self.get_params(len(self.policies))
        space = self._augmentation_space(10, (height, width))
        for i, (name, p, level) in enumerate(self.policies[chosen]):
            if not chances[i] <= p:
                continue
            strengths, takes_sign = space[name]
            magnitude = float(strengths[level].item()) if level is not None else 0.0
            if takes_sign and signs[i] == 0:
                magnitude *= -1.0
            img = _apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(_Augment):
    """Applies `num_ops` random operations at one strength (Cubuk et al., 2019); uint8 images."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int, image_size: tuple[int, int]) -> Space:
        reach = (150.0 / 331.0 * image_size[1], 150.0 / 331.0 * image_size[0])
        space = _space(num_bins, 0.3, reach, 30.0, 0.9, 4, ("AutoContrast", "Equalize"))
        return {"Identity": (tensors.tensor(0.0), False), **space}

    def forward(self, img: Any) -> Any:
        """Augments the image."""
        fill = self._fill_for(img)
        _, height, width = F.get_dimensions(img)
        for _ in range(self.num_ops):
            space = self._augmentation_space(self.num_magnitude_bins, (height, width))
            name = list(space)[_draws.integer(0, len(space))]
            strengths, takes_sign = space[name]
            magnitude = float(strengths[self.magnitude].item()) if strengths.ndim > 0 else 0.0
            if takes_sign and _draws.integer(0, 2):
                magnitude *= -1.0
            img = _apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, "
            f"fill={self.fill})"
        )


class TrivialAugmentWide(_Augment):
    """Applies one random operation at a random strength (Mueller and Hutter, 2021); uint8."""

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Any = None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, num_bins: int) -> Space:
        extra = ("AutoContrast", "Equalize")
        space = _space(num_bins, 0.99, (32.0, 32.0), 135.0, 0.99, 6, extra)
        return {"Identity": (tensors.tensor(0.0), False), **space}

    def forward(self, img: Any) -> Any:
        """Augments the image."""
        fill = self._fill_for(img)
        space = self._augmentation_space(self.num_magnitude_bins)
        name = list(space)[_draws.integer(0, len(space))]
        strengths, takes_sign = space[name]
        magnitude = 0.0
        if strengths.ndim > 0:
            magnitude = float(strengths[_draws.integer(0, len(strengths))].item())
        if takes_sign and _draws.integer(0, 2):
            magnitude *= -1.0
        return _apply_op(img, name, magnitude, self.interpolation, fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
