"""SqueezeNet (Iandola et al., 2016): AlexNet's accuracy with fifty times fewer parameters."""

from __future__ import annotations

from typing import Any

from facula import nn, operators
from facula.tensors import Tensor
from facula.vision.models._api import register_model, weights_enum
from facula.vision.models._utils import build, handle_legacy_interface

__all__ = [
    "SqueezeNet",
    "SqueezeNet1_0_Weights",
    "SqueezeNet1_1_Weights",
    "squeezenet1_0",
    "squeezenet1_1",
]

SqueezeNet1_0_Weights = weights_enum("SqueezeNet1_0_Weights", __name__)
SqueezeNet1_1_Weights = weights_enum("SqueezeNet1_1_Weights", __name__)

# Fire modules (squeeze, expand) between the max poolings, and the stem's (channels, kernel).
_STEMS = {"1_0": (96, 7), "1_1": (64, 3)}
_FIRES = {
    "1_0": [
        [(16, 64), (16, 64), (32, 128)],
        [(32, 128), (48, 192), (48, 192), (64, 256)],
        [(64, 256)],
    ],
    "1_1": [
        [(16, 64), (16, 64)],
        [(32, 128), (32, 128)],
        [(48, 192), (48, 192), (64, 256), (64, 256)],
    ],
}


class Fire(nn.Module):
    """Squeeze by 1x1, then expand by 1x1 and 3x3 side by side."""

    def __init__(
        self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int
    ) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Returns both expansions, joined."""
        x = self.squeeze_activation(self.squeeze(x))
        one = self.expand1x1_activation(self.expand1x1(x))
        three = self.expand3x3_activation(self.expand3x3(x))
        return operators.cat([one, three], 1)


class SqueezeNet(nn.Module):
    """A network of fire modules for (N, 3, H, W) images; version "1_0" or "1_1"."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _STEMS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        channels, kernel = _STEMS[version]
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, kernel_size=kernel, stride=2),
            nn.ReLU(inplace=True),
        ]
        for group in _FIRES[version]:
            layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            for squeeze, expand in group:
                layers.append(Fire(channels, squeeze, expand, expand))
                channels = 2 * expand
        self.features = nn.Sequential(*layers)
        final_conv = nn.Conv2d(512, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            final_conv,
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((1, 1)),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                if module is final_conv:
                    nn.init.normal_(module.weight, mean=0.0, std=0.01)
                else:
                    nn.init.kaiming_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the class scores (N, num_classes)."""
        return operators.flatten(self.classifier(self.features(x)), 1)


@register_model(weights=SqueezeNet1_0_Weights)
@handle_legacy_interface(weights=("pretrained", SqueezeNet1_0_Weights.IMAGENET1K_V1))
def squeezenet1_0(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """Builds SqueezeNet 1.0."""
    return build(SqueezeNet, SqueezeNet1_0_Weights, weights, progress, "1_0", **kwargs)


@register_model(weights=SqueezeNet1_1_Weights)
@handle_legacy_interface(weights=("pretrained", SqueezeNet1_1_Weights.IMAGENET1K_V1))
def squeezenet1_1(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """Builds SqueezeNet 1.1, with 2.4 times less arithmetic than 1.0."""
    return build(SqueezeNet, SqueezeNet1_1_Weights, weights, progress, "1_1", **kwargs)
