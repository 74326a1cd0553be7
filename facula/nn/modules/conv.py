"""Convolution layers in one, two and three dimensions, plain, transposed and lazy."""

from __future__ import annotations

from typing import Any

from facula.nn import functional as F
from facula.nn.modules.conv_base import _ConvNd as _ConvNd
from facula.nn.modules.conv_transpose import ConvTranspose1d as ConvTranspose1d
from facula.nn.modules.conv_transpose import ConvTranspose2d as ConvTranspose2d
from facula.nn.modules.conv_transpose import ConvTranspose3d as ConvTranspose3d
from facula.nn.modules.conv_transpose import _ConvTransposeNd as _ConvTransposeNd
from facula.nn.modules.lazy import LazyModuleMixin, waiting_parameter
from facula.nn.modules.utils import _pair, _single, _triple
from facula.tensors import Tensor


class Conv1d(_ConvNd):
    """1-D convolution. Shapes: (N, C, L) or (C, L) -> (N, out, L') or (out, L')."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        padding = padding if isinstance(padding, str) else _single(padding)
        super().__init__(
            in_channels, out_channels, _single(kernel_size), _single(stride), padding,
            _single(dilation), False, _single(0), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Any) -> Tensor:
        if self.padding_mode != "zeros":
            input = self._padded(input)
            return F.conv1d(input, weight, bias, self.stride, (0,), self.dilation, self.groups)
        return F.conv1d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class Conv2d(_ConvNd):
    """2-D convolution.

    Shapes: (N, C, H, W) or (C, H, W) -> (N, out, H', W') or (out, H', W'), with
    H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride + 1).

    >>> import facula as torch
    >>> torch.nn.Conv2d(3, 8, 3, padding=1)(torch.ones(1, 3, 5, 5)).shape
    torch.Size([1, 8, 5, 5])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        padding = padding if isinstance(padding, str) else _pair(padding)
        super().__init__(
            in_channels, out_channels, _pair(kernel_size), _pair(stride), padding,
            _pair(dilation), False, _pair(0), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Any) -> Tensor:
        if self.padding_mode != "zeros":
            input = self._padded(input)
            return F.conv2d(input, weight, bias, self.stride, (0, 0), self.dilation, self.groups)
        return F.conv2d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class Conv3d(_ConvNd):
    """3-D convolution. Shapes: (N, C, D, H, W) or (C, D, H, W), batch kept."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        padding = padding if isinstance(padding, str) else _triple(padding)
        super().__init__(
            in_channels, out_channels, _triple(kernel_size), _triple(stride), padding,
            _triple(dilation), False, _triple(0), groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Any) -> Tensor:
        if self.padding_mode != "zeros":
            input = self._padded(input)
            return F.conv3d(input, weight, bias, self.stride, (0, 0, 0), self.dilation, self.groups)
        return F.conv3d(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)


class _LazyConvXdMixin(LazyModuleMixin):
    """A convolution that learns ``in_channels`` from its first input."""

    def __init__(
        self: Any, make: Any, out_channels: int, bias: bool, device: Any, dtype: Any
    ) -> None:
        # ``make`` builds the layer without channels and bias: nothing is drawn yet
        make(super().__init__)
        self.weight = waiting_parameter(device, dtype)
        self.out_channels = out_channels
        if bias:
            self.bias = waiting_parameter(device, dtype)

    def reset_parameters(self: Any) -> None:
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()  # type: ignore[misc]

    def initialize_parameters(self: Any, input: Tensor, *args: Any, **kwargs: Any) -> None:
        if not self.has_uninitialized_params():
            return
        self.in_channels = self._channels_of(input)
        if self.in_channels % self.groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        outer, inner = self.out_channels, self.in_channels
        if self.transposed:
            outer, inner = inner, outer
        self.weight.materialize((outer, inner // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()

    def _channels_of(self: Any, input: Tensor) -> int:
        axes = len(self.kernel_size)
        if input.dim() not in (axes + 1, axes + 2):
            raise RuntimeError(
                f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        return input.shape[-axes - 1]


class LazyConv1d(_LazyConvXdMixin, Conv1d):  # type: ignore[misc]
    """A Conv1d that learns ``in_channels`` from its first input."""

    cls_to_become = Conv1d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        def make(init: Any) -> None:
            init(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)

        super().__init__(make, out_channels, bias, device, dtype)


class LazyConv2d(_LazyConvXdMixin, Conv2d):  # type: ignore[misc]
    """A Conv2d that learns ``in_channels`` from its first input."""

    cls_to_become = Conv2d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        def make(init: Any) -> None:
            init(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)

        super().__init__(make, out_channels, bias, device, dtype)


class LazyConv3d(_LazyConvXdMixin, Conv3d):  # type: ignore[misc]
    """A Conv3d that learns ``in_channels`` from its first input."""

    cls_to_become = Conv3d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        def make(init: Any) -> None:
            init(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode)

        super().__init__(make, out_channels, bias, device, dtype)


class LazyConvTranspose1d(_LazyConvXdMixin, ConvTranspose1d):  # type: ignore[misc]
    """A ConvTranspose1d that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose1d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        def make(init: Any) -> None:
            init(
                0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
                padding_mode,
            )  # fmt: skip

        super().__init__(make, out_channels, bias, device, dtype)


class LazyConvTranspose2d(_LazyConvXdMixin, ConvTranspose2d):  # type: ignore[misc]
    """A ConvTranspose2d that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose2d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        def make(init: Any) -> None:
            init(
                0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
                padding_mode,
            )  # fmt: skip

        super().__init__(make, out_channels, bias, device, dtype)


class LazyConvTranspose3d(_LazyConvXdMixin, ConvTranspose3d):  # type: ignore[misc]
    """A ConvTranspose3d that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose3d

    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        def make(init: Any) -> None:
            init(
                0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation,
                padding_mode,
            )  # fmt: skip

        super().__init__(make, out_channels, bias, device, dtype)


# pickles name classes by the module where PyTorch has them
for _class in (
    _ConvNd,
    _ConvTransposeNd,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
):
    _class.__module__ = __name__
