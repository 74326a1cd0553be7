"""Padding layers: constant, zero, reflected, replicated and circular borders."""

from __future__ import annotations

from typing import Any

from facula.nn import functional as F
from facula.nn.modules.module import Module
from facula.nn.modules.utils import _ntuple
from facula.tensors import Tensor


class _PadNd(Module):
    """Padding of ``axes`` axes: an int for all sides, or (before, after) from the last axis."""

    __constants__ = ["padding"]
    axes = 1
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        self.padding = _ntuple(2 * self.axes)(padding)

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPadNd(_PadNd):
    __constants__ = ["padding", "value"]

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ReflectionPadNd(_PadNd):
    mode = "reflect"


class _ReplicationPadNd(_PadNd):
    mode = "replicate"


class _CircularPadNd(_PadNd):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (self.axes + 1, self.axes + 2):
            raise ValueError(
                f"expected {self.axes + 1}D or {self.axes + 2}D input (got {input.dim()}D input)"
            )
        return F.pad(input, self.padding, self.mode)


class ConstantPad1d(_ConstantPadNd):
    """A border of one value. Shapes: (N, C, W) or (C, W)."""

    axes = 1


class ConstantPad2d(_ConstantPadNd):
    """A border of one value. Shapes: (N, C, H, W) or (C, H, W)."""

    axes = 2


class ConstantPad3d(_ConstantPadNd):
    """A border of one value. Shapes: (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class ZeroPad1d(ConstantPad1d):
    """A border of zeros. Shapes: (N, C, W) or (C, W)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ConstantPad2d):
    """A border of zeros. Shapes: (N, C, H, W) or (C, H, W)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad3d(ConstantPad3d):
    """A border of zeros. Shapes: (N, C, D, H, W) or (C, D, H, W)."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ReflectionPad1d(_ReflectionPadNd):
    """A border that mirrors the inside. Shapes: (N, C, W) or (C, W)."""

    axes = 1


class ReflectionPad2d(_ReflectionPadNd):
    """A border that mirrors the inside. Shapes: (N, C, H, W) or (C, H, W)."""

    axes = 2


class ReflectionPad3d(_ReflectionPadNd):
    """A border that mirrors the inside. Shapes: (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class ReplicationPad1d(_ReplicationPadNd):
    """A border that repeats the edge. Shapes: (N, C, W) or (C, W)."""

    axes = 1


class ReplicationPad2d(_ReplicationPadNd):
    """A border that repeats the edge. Shapes: (N, C, H, W) or (C, H, W)."""

    axes = 2


class ReplicationPad3d(_ReplicationPadNd):
    """A border that repeats the edge. Shapes: (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3


class CircularPad1d(_CircularPadNd):
    """A border taken from the opposite side. Shapes: (N, C, W) or (C, W)."""

    axes = 1


class CircularPad2d(_CircularPadNd):
    """A border taken from the opposite side. Shapes: (N, C, H, W) or (C, H, W)."""

    axes = 2


class CircularPad3d(_CircularPadNd):
    """A border taken from the opposite side. Shapes: (N, C, D, H, W) or (C, D, H, W)."""

    axes = 3
