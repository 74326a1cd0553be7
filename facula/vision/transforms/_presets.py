"""The preprocessing that the published weights expect."""

from __future__ import annotations

from typing import Any

from facula import nn
from facula.tensors import Tensor
from facula.vision.transforms import functional as F
from facula.vision.transforms.interpolation import InterpolationMode

__all__ = ["ImageClassification"]


class ImageClassification(nn.Module):
    """Resizes, crops the centre, scales to [0, 1] and normalizes."""

    def __init__(
        self,
        *,
        crop_size: int,
        resize_size: int = 256,
        mean: tuple[float, ...] = (0.485, 0.456, 0.406),
        std: tuple[float, ...] = (0.229, 0.224, 0.225),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.crop_size = [crop_size]
        self.resize_size = [resize_size]
        self.mean = list(mean)
        self.std = list(std)
        self.interpolation = interpolation
        self.antialias = antialias

    def forward(self, img: Any) -> Tensor:
        """Prepares a Pillow or tensor image, or a batch of tensor images."""
        img = F.resize(
            img, self.resize_size, interpolation=self.interpolation, antialias=self.antialias
        )
        img = F.center_crop(img, self.crop_size)
        if not isinstance(img, Tensor):
            img = F.pil_to_tensor(img)
        return F.normalize(F.convert_image_dtype(img), mean=self.mean, std=self.std)

    def __repr__(self) -> str:
        shown = ("crop_size", "resize_size", "mean", "std", "interpolation")
        return (
            f"{type(self).__name__}("
            + "".join(f"\n    {name}={getattr(self, name)}" for name in shown)
            + "\n)"
        )

    def describe(self) -> str:
        """Says in words what is done to an image."""
        return (
            f"Accepts Pillow images and (C, H, W) or (..., C, H, W) tensors. Images are resized to "
            f"{self.resize_size} with {self.interpolation}, the central {self.crop_size} is cut "
            f"out, values are scaled to [0.0, 1.0] and normalized with mean={self.mean} and "
            f"std={self.std}."
        )
