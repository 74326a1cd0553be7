"""Transposed convolution layers in one, two and three dimensions."""

from __future__ import annotations

from typing import Any

from facula.nn import functional as F
from facula.nn.modules.conv_base import _ConvNd
from facula.nn.modules.utils import _pair, _single, _triple
from facula.tensors import Tensor


class _ConvTransposeNd(_ConvNd):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        padding: tuple[int, ...],
        dilation: tuple[int, ...],
        transposed: bool,
        output_padding: tuple[int, ...],
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, transposed,
            output_padding, groups, bias, padding_mode, device, dtype,
        )  # fmt: skip

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """The extra rows at the end that make the output as large as asked."""
        if output_size is None:
            return _single(self.output_padding)
        axes = len(self.kernel_size)
        wanted = list(output_size)
        lead = input.dim() - axes
        if len(wanted) == input.dim():
            wanted = wanted[lead:]
        if len(wanted) != axes:
            raise ValueError(
                f"ConvTranspose{axes}D: for {input.dim()}D input, output_size must have {axes} "
                f"or {input.dim()} elements (got {len(wanted)})"
            )
        least = [
            (input.size(i + lead) - 1) * self.stride[i]
            - 2 * self.padding[i]
            + self.dilation[i] * (self.kernel_size[i] - 1)
            + 1
            for i in range(axes)
        ]
        most = [low + step - 1 for low, step in zip(least, self.stride)]
        if any(not low <= size <= high for low, size, high in zip(least, wanted, most)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to "
                f"{most} (for an input of {input.size()[2:]})"
            )
        return tuple(size - low for size, low in zip(wanted, least))

    def _weights(self) -> tuple[Any, Any]:
        own = self._parameters
        try:
            return own["weight"], own["bias"]
        except KeyError:
            return self.weight, self.bias


class ConvTranspose1d(_ConvTransposeNd):
    """Transposed 1-D convolution; the weight is (in, out / groups, kernel...).

    Shapes: (N, C, L) or (C, L).
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            in_channels, out_channels, _single(kernel_size), _single(stride), _single(padding),
            _single(dilation), True, _single(output_padding), groups, bias, padding_mode,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        weight, bias = self._weights()
        extra = self._output_padding(input, output_size)
        return F.conv_transpose1d(
            input, weight, bias, self.stride, self.padding, extra, self.groups, self.dilation
        )


class ConvTranspose2d(_ConvTransposeNd):
    """Transposed 2-D convolution; the weight is (in, out / groups, kernel...).

    Shapes: (N, C, H, W) or (C, H, W).

    >>> import facula as torch
    >>> torch.nn.ConvTranspose2d(3, 8, 2, stride=2)(torch.ones(1, 3, 5, 5)).shape
    torch.Size([1, 8, 10, 10])
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            in_channels, out_channels, _pair(kernel_size), _pair(stride), _pair(padding),
            _pair(dilation), True, _pair(output_padding), groups, bias, padding_mode,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        weight, bias = self._weights()
        extra = self._output_padding(input, output_size)
        return F.conv_transpose2d(
            input, weight, bias, self.stride, self.padding, extra, self.groups, self.dilation
        )


class ConvTranspose3d(_ConvTransposeNd):
    """Transposed 3-D convolution; the weight is (in, out / groups, kernel...).

    Shapes: (N, C, D, H, W) or (C, D, H, W).
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            in_channels, out_channels, _triple(kernel_size), _triple(stride), _triple(padding),
            _triple(dilation), True, _triple(output_padding), groups, bias, padding_mode,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        weight, bias = self._weights()
        extra = self._output_padding(input, output_size)
        return F.conv_transpose3d(
            input, weight, bias, self.stride, self.padding, extra, self.groups, self.dilation
        )
