"""EfficientNet (Tan and Le, 2019) and EfficientNetV2 (2021)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from facula import nn, operators
from facula.tensors import Tensor
from facula.vision.models._api import register_model, weights_enum
from facula.vision.models._utils import _make_divisible, build, handle_legacy_interface
from facula.vision.ops.misc import Conv2dNormActivation, SqueezeExcitation
from facula.vision.ops.stochastic_depth import StochasticDepth

__all__ = [
    "EfficientNet",
    "EfficientNet_B0_Weights",
    "EfficientNet_B1_Weights",
    "EfficientNet_B2_Weights",
    "EfficientNet_B3_Weights",
    "EfficientNet_B4_Weights",
    "EfficientNet_B5_Weights",
    "EfficientNet_B6_Weights",
    "EfficientNet_B7_Weights",
    "EfficientNet_V2_L_Weights",
    "EfficientNet_V2_M_Weights",
    "EfficientNet_V2_S_Weights",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
]

EfficientNet_B0_Weights = weights_enum("EfficientNet_B0_Weights", __name__)
EfficientNet_B1_Weights = weights_enum("EfficientNet_B1_Weights", __name__)
EfficientNet_B2_Weights = weights_enum("EfficientNet_B2_Weights", __name__)
EfficientNet_B3_Weights = weights_enum("EfficientNet_B3_Weights", __name__)
EfficientNet_B4_Weights = weights_enum("EfficientNet_B4_Weights", __name__)
EfficientNet_B5_Weights = weights_enum("EfficientNet_B5_Weights", __name__)
EfficientNet_B6_Weights = weights_enum("EfficientNet_B6_Weights", __name__)
EfficientNet_B7_Weights = weights_enum("EfficientNet_B7_Weights", __name__)
EfficientNet_V2_S_Weights = weights_enum("EfficientNet_V2_S_Weights", __name__)
EfficientNet_V2_M_Weights = weights_enum("EfficientNet_V2_M_Weights", __name__)
EfficientNet_V2_L_Weights = weights_enum("EfficientNet_V2_L_Weights", __name__)


@dataclass
class StageConfig:
    """One stage: `fused` blocks have one 3x3 convolution instead of 1x1 and depthwise ones."""

    expand_ratio: float
    kernel: int
    stride: int
    input_channels: int
    out_channels: int
    num_layers: int
    fused: bool = False


class _Block(nn.Module):
    """A residual block whose branch is dropped at random while training."""

    def __init__(self, config: StageConfig, drop_probability: float) -> None:
        super().__init__()
        if config.stride not in (1, 2):
            raise ValueError("illegal stride value")
        same = config.input_channels == config.out_channels
        self.use_res_connect = config.stride == 1 and same
        self.out_channels = config.out_channels
        self._drop_probability = drop_probability

    def forward(self, input: Tensor) -> Tensor:
        """Returns the block's output."""
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Block):
    """Expand by 1x1, filter each channel, squeeze-excite, project by 1x1."""

    def __init__(
        self,
        config: StageConfig,
        drop_probability: float,
        norm_layer: Callable[..., nn.Module],
    ) -> None:
        super().__init__(config, drop_probability)
        channels = config.input_channels
        expanded = _make_divisible(channels * config.expand_ratio, 8)
        shared: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        layers: list[nn.Module] = []
        if expanded != channels:
            layers.append(Conv2dNormActivation(channels, expanded, kernel_size=1, **shared))
        layers.append(
            Conv2dNormActivation(
                expanded,
                expanded,
                kernel_size=config.kernel,
                stride=config.stride,
                groups=expanded,
                **shared,
            )
        )
        squeezed = max(1, channels // 4)
        layers.append(SqueezeExcitation(expanded, squeezed, activation=partial(nn.SiLU, True)))
        shared["activation_layer"] = None
        layers.append(Conv2dNormActivation(expanded, config.out_channels, kernel_size=1, **shared))
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(drop_probability, "row")


class FusedMBConv(_Block):
    """Expand by 3x3, project by 1x1."""

    def __init__(
        self,
        config: StageConfig,
        drop_probability: float,
        norm_layer: Callable[..., nn.Module],
    ) -> None:
        super().__init__(config, drop_probability)
        channels = config.input_channels
        expanded = _make_divisible(channels * config.expand_ratio, 8)
        wide = expanded != channels
        layers: list[nn.Module] = [
            Conv2dNormActivation(
                channels,
                expanded if wide else config.out_channels,
                kernel_size=config.kernel,
                stride=config.stride,
                norm_layer=norm_layer,
                activation_layer=nn.SiLU,
            )
        ]
        if wide:
            layers.append(
                Conv2dNormActivation(
                    expanded,
                    config.out_channels,
                    kernel_size=1,
                    norm_layer=norm_layer,
                    activation_layer=None,
                )
            )
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(drop_probability, "row")


class EfficientNet(nn.Module):
    """A network of (fused) MBConv stages for (N, 3, H, W) images."""

    def __init__(
        self,
        inverted_residual_setting: Sequence[StageConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Callable[..., nn.Module] | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        stages = list(inverted_residual_setting)
        if not stages:
            raise ValueError("The inverted_residual_setting should not be empty")
        norm_layer = nn.BatchNorm2d if norm_layer is None else norm_layer
        first = stages[0].input_channels
        stem: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.SiLU}
        layers: list[nn.Module] = [Conv2dNormActivation(3, first, stride=2, **stem)]
        total = sum(stage.num_layers for stage in stages)
        built = 0
        for stage in stages:
            blocks = []
            for i in range(stage.num_layers):
                config = stage
                if i:
                    width = stage.out_channels
                    config = StageConfig(
                        stage.expand_ratio, stage.kernel, 1, width, width, 1, stage.fused
                    )
                kind = FusedMBConv if stage.fused else MBConv
                blocks.append(kind(config, stochastic_depth_prob * built / total, norm_layer))
                built += 1
            layers.append(nn.Sequential(*blocks))
        last = stages[-1].out_channels
        out = 4 * last if last_channel is None else last_channel
        layers.append(Conv2dNormActivation(last, out, kernel_size=1, **stem))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(out, num_classes)
        )
        self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                limit = 1.0 / math.sqrt(module.out_features)
                nn.init.uniform_(module.weight, -limit, limit)
                nn.init.zeros_(module.bias)

    def _forward_impl(self, x: Tensor) -> Tensor:
        return self.classifier(operators.flatten(self.avgpool(self.features(x)), 1))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the class scores (N, num_classes)."""
        return self._forward_impl(x)


# Expansion, kernel, stride, input and output channels, layers of B0 (table 1 of the paper).
_B0 = [
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
]
# The same and "fused" for V2 (table 4 of its paper).
_V2_S = [
    (1, 3, 1, 24, 24, 2, True),
    (4, 3, 2, 24, 48, 4, True),
    (4, 3, 2, 48, 64, 4, True),
    (4, 3, 2, 64, 128, 6),
    (6, 3, 1, 128, 160, 9),
    (6, 3, 2, 160, 256, 15),
]
_V2_M = [
    (1, 3, 1, 24, 24, 3, True),
    (4, 3, 2, 24, 48, 5, True),
    (4, 3, 2, 48, 80, 5, True),
    (4, 3, 2, 80, 160, 7),
    (6, 3, 1, 160, 176, 14),
    (6, 3, 2, 176, 304, 18),
    (6, 3, 1, 304, 512, 5),
]
_V2_L = [
    (1, 3, 1, 32, 32, 4, True),
    (4, 3, 2, 32, 64, 7, True),
    (4, 3, 2, 64, 96, 7, True),
    (4, 3, 2, 96, 192, 10),
    (6, 3, 1, 192, 224, 19),
    (6, 3, 2, 224, 384, 25),
    (6, 3, 1, 384, 640, 7),
]


_SLOW_NORM = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
_FINE_NORM = partial(nn.BatchNorm2d, eps=1e-03)


def _scaled(width: float, depth: float) -> list[StageConfig]:
    def channels(count: int) -> int:
        return _make_divisible(count * width, 8)

    return [
        StageConfig(e, k, s, channels(i), channels(o), math.ceil(n * depth))
        for e, k, s, i, o, n in _B0
    ]


def _efficientnet(
    stages: list[StageConfig],
    dropout: float,
    enum: Any,
    weights: Any,
    progress: bool,
    **kwargs: Any,
) -> EfficientNet:
    dropout = kwargs.pop("dropout", dropout)
    return build(EfficientNet, enum, weights, progress, stages, dropout, **kwargs)


@register_model(weights=EfficientNet_B0_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B0_Weights.IMAGENET1K_V1))
def efficientnet_b0(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B0."""
    return _efficientnet(
        _scaled(1.0, 1.0), 0.2, EfficientNet_B0_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B1_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B1_Weights.IMAGENET1K_V1))
def efficientnet_b1(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B1."""
    return _efficientnet(
        _scaled(1.0, 1.1), 0.2, EfficientNet_B1_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B2_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B2_Weights.IMAGENET1K_V1))
def efficientnet_b2(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B2."""
    return _efficientnet(
        _scaled(1.1, 1.2), 0.3, EfficientNet_B2_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B3_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B3_Weights.IMAGENET1K_V1))
def efficientnet_b3(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B3."""
    return _efficientnet(
        _scaled(1.2, 1.4), 0.3, EfficientNet_B3_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B4_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B4_Weights.IMAGENET1K_V1))
def efficientnet_b4(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B4."""
    return _efficientnet(
        _scaled(1.4, 1.8), 0.4, EfficientNet_B4_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B5_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B5_Weights.IMAGENET1K_V1))
def efficientnet_b5(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B5."""
    kwargs.setdefault("norm_layer", _SLOW_NORM)
    return _efficientnet(
        _scaled(1.6, 2.2), 0.4, EfficientNet_B5_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B6_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B6_Weights.IMAGENET1K_V1))
def efficientnet_b6(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B6."""
    kwargs.setdefault("norm_layer", _SLOW_NORM)
    return _efficientnet(
        _scaled(1.8, 2.6), 0.5, EfficientNet_B6_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_B7_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_B7_Weights.IMAGENET1K_V1))
def efficientnet_b7(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNet-B7."""
    kwargs.setdefault("norm_layer", _SLOW_NORM)
    return _efficientnet(
        _scaled(2.0, 3.1), 0.5, EfficientNet_B7_Weights, weights, progress, **kwargs
    )


@register_model(weights=EfficientNet_V2_S_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_V2_S_Weights.IMAGENET1K_V1))
def efficientnet_v2_s(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNetV2-S."""
    kwargs.setdefault("norm_layer", _FINE_NORM)
    kwargs.setdefault("last_channel", 1280)
    stages = [StageConfig(*row) for row in _V2_S]
    return _efficientnet(stages, 0.2, EfficientNet_V2_S_Weights, weights, progress, **kwargs)


@register_model(weights=EfficientNet_V2_M_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_V2_M_Weights.IMAGENET1K_V1))
def efficientnet_v2_m(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNetV2-M."""
    kwargs.setdefault("norm_layer", _FINE_NORM)
    kwargs.setdefault("last_channel", 1280)
    stages = [StageConfig(*row) for row in _V2_M]
    return _efficientnet(stages, 0.3, EfficientNet_V2_M_Weights, weights, progress, **kwargs)


@register_model(weights=EfficientNet_V2_L_Weights)
@handle_legacy_interface(weights=("pretrained", EfficientNet_V2_L_Weights.IMAGENET1K_V1))
def efficientnet_v2_l(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> EfficientNet:
    """Builds EfficientNetV2-L."""
    kwargs.setdefault("norm_layer", _FINE_NORM)
    kwargs.setdefault("last_channel", 1280)
    stages = [StageConfig(*row) for row in _V2_L]
    return _efficientnet(stages, 0.4, EfficientNet_V2_L_Weights, weights, progress, **kwargs)
