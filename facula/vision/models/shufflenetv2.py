"""ShuffleNet V2 (Ma et al., 2018)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import nn, operators
from facula.tensors import Tensor
from facula.vision.models._api import register_model, weights_enum
from facula.vision.models._utils import build, handle_legacy_interface

__all__ = [
    "ShuffleNetV2",
    "ShuffleNet_V2_X0_5_Weights",
    "ShuffleNet_V2_X1_0_Weights",
    "ShuffleNet_V2_X1_5_Weights",
    "ShuffleNet_V2_X2_0_Weights",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
]

ShuffleNet_V2_X0_5_Weights = weights_enum("ShuffleNet_V2_X0_5_Weights", __name__)
ShuffleNet_V2_X1_0_Weights = weights_enum("ShuffleNet_V2_X1_0_Weights", __name__)
ShuffleNet_V2_X1_5_Weights = weights_enum("ShuffleNet_V2_X1_5_Weights", __name__)
ShuffleNet_V2_X2_0_Weights = weights_enum("ShuffleNet_V2_X2_0_Weights", __name__)


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Deals the channels of `groups` groups out in turn."""
    count, channels, height, width = x.size()
    x = x.view(count, groups, channels // groups, height, width)
    return operators.transpose(x, 1, 2).contiguous().view(count, channels, height, width)


class InvertedResidual(nn.Module):
    """Half of the channels pass (or are halved in size), the other half is transformed."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError("illegal stride value")
        self.stride = stride
        half = oup // 2
        if stride == 1 and inp != half << 1:
            raise ValueError(
                f"Invalid combination of stride {stride}, inp {inp} and oup {oup} values: with "
                "stride 1, inp and oup should be the same even number"
            )
        if stride > 1:
            self.branch1 = nn.Sequential(
                self.depthwise_conv(inp, inp, kernel_size=3, stride=stride, padding=1),
                nn.BatchNorm2d(inp),
                nn.Conv2d(inp, half, kernel_size=1, stride=1, padding=0, bias=False),
                nn.BatchNorm2d(half),
                nn.ReLU(inplace=True),
            )
        else:
            self.branch1 = nn.Sequential()
        entering = inp if stride > 1 else half
        self.branch2 = nn.Sequential(
            nn.Conv2d(entering, half, kernel_size=1, stride=1, padding=0, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
            self.depthwise_conv(half, half, kernel_size=3, stride=stride, padding=1),
            nn.BatchNorm2d(half),
            nn.Conv2d(half, half, kernel_size=1, stride=1, padding=0, bias=False),
            nn.BatchNorm2d(half),
            nn.ReLU(inplace=True),
        )

    @staticmethod
    def depthwise_conv(
        i: int, o: int, kernel_size: int, stride: int = 1, padding: int = 0, bias: bool = False
    ) -> nn.Conv2d:
        """A convolution of each channel on its own."""
        return nn.Conv2d(i, o, kernel_size, stride, padding, bias=bias, groups=i)

    def forward(self, x: Tensor) -> Tensor:
        """Returns both halves, shuffled."""
        if self.stride == 1:
            kept, x = x.chunk(2, dim=1)
        else:
            kept = self.branch1(x)
        return channel_shuffle(operators.cat((kept, self.branch2(x)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """A network of shuffled half residuals for (N, 3, H, W) images."""

    def __init__(
        self,
        stages_repeats: list[int],
        stages_out_channels: list[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        self._stage_out_channels = stages_out_channels
        channels = stages_out_channels[0]
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, channels, 3, 2, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for stage, (repeats, out) in enumerate(zip(stages_repeats, stages_out_channels[1:]), 2):
            blocks = [inverted_residual(channels, out, 2)]
            blocks += [inverted_residual(out, out, 1) for _ in range(repeats - 1)]
            setattr(self, f"stage{stage}", nn.Sequential(*blocks))
            channels = out
        last = stages_out_channels[-1]
        self.conv5 = nn.Sequential(
            nn.Conv2d(channels, last, 1, 1, 0, bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(inplace=True),
        )
        self.fc = nn.Linear(last, num_classes)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))
        return self.fc(x.mean([2, 3]))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the class scores (N, num_classes)."""
        return self._forward_impl(x)


def _shufflenet(widths: list[int], enum: Any, weights: Any, progress: bool, **kwargs: Any) -> Any:
    return build(ShuffleNetV2, enum, weights, progress, [4, 8, 4], widths, **kwargs)


@register_model(weights=ShuffleNet_V2_X0_5_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1))
def shufflenet_v2_x0_5(
    *, weights: Any = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """Builds ShuffleNetV2, 0.5 times as wide."""
    widths = [24, 48, 96, 192, 1024]
    return _shufflenet(widths, ShuffleNet_V2_X0_5_Weights, weights, progress, **kwargs)


@register_model(weights=ShuffleNet_V2_X1_0_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1))
def shufflenet_v2_x1_0(
    *, weights: Any = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """Builds ShuffleNetV2, 1.0 times as wide."""
    widths = [24, 116, 232, 464, 1024]
    return _shufflenet(widths, ShuffleNet_V2_X1_0_Weights, weights, progress, **kwargs)


@register_model(weights=ShuffleNet_V2_X1_5_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X1_5_Weights.IMAGENET1K_V1))
def shufflenet_v2_x1_5(
    *, weights: Any = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """Builds ShuffleNetV2, 1.5 times as wide."""
    widths = [24, 176, 352, 704, 1024]
    return _shufflenet(widths, ShuffleNet_V2_X1_5_Weights, weights, progress, **kwargs)


@register_model(weights=ShuffleNet_V2_X2_0_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X2_0_Weights.IMAGENET1K_V1))
def shufflenet_v2_x2_0(
    *, weights: Any = None, progress: bool = True, **kwargs: Any
) -> ShuffleNetV2:
    """Builds ShuffleNetV2, 2.0 times as wide."""
    widths = [24, 244, 488, 976, 2048]
    return _shufflenet(widths, ShuffleNet_V2_X2_0_Weights, weights, progress, **kwargs)
