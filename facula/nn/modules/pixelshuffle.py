"""PixelShuffle and PixelUnshuffle: channels to pixels and back."""

from __future__ import annotations

from facula.nn import functional as F
from facula.nn.modules.module import Module
from facula.tensors import Tensor


class PixelShuffle(Module):
    """Shapes: (..., C r^2, H, W) -> (..., C, H r, W r). Source: Shi et al. 2016."""

    __constants__ = ["upscale_factor"]

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_shuffle(input, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class PixelUnshuffle(Module):
    """Shapes: (..., C, H r, W r) -> (..., C r^2, H, W)."""

    __constants__ = ["downscale_factor"]

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.pixel_unshuffle(input, self.downscale_factor)

    def extra_repr(self) -> str:
        return f"downscale_factor={self.downscale_factor}"
