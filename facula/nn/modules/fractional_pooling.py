"""Fractional max pooling layers: windows of random places, an output size of any ratio."""

from __future__ import annotations

from typing import Any

from facula.nn import functional as F
from facula.nn.modules.module import Module
from facula.nn.modules.utils import _pair, _triple
from facula.tensors import Tensor


class _FractionalMaxPoolNd(Module):
    __constants__ = ["kernel_size", "return_indices", "output_size", "output_ratio"]

    def _set(self, repeat: Any, kernel: Any, size: Any, ratio: Any, indices: bool) -> None:
        name = type(self).__name__
        self.kernel_size = repeat(kernel)
        self.return_indices = indices
        self.output_size = repeat(size) if size is not None else None
        self.output_ratio = repeat(ratio) if ratio is not None else None
        if size is None and ratio is None:
            raise ValueError(
                f"{name} requires specifying either an output size, or a pooling ratio"
            )
        if size is not None and ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {ratio})")


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Max pooling to any size (Graham 2014). Shapes: (N, C, H, W) or (C, H, W)."""

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        self.register_buffer("_random_samples", _random_samples)
        self._set(_pair, kernel_size, output_size, output_ratio, return_indices)

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool2d(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Max pooling to any size (Graham 2014). Shapes: (N, C, D, H, W) or (C, D, H, W)."""

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        self.register_buffer("_random_samples", _random_samples)
        self._set(_triple, kernel_size, output_size, output_ratio, return_indices)

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool3d(
            input,
            self.kernel_size,
            self.output_size,
            self.output_ratio,
            self.return_indices,
            _random_samples=self._random_samples,
        )
