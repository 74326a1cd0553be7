"""VGG networks (Simonyan and Zisserman, 2014), with and without batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula import nn, operators
from facula.tensors import Tensor
from facula.vision.models._api import register_model, weights_enum
from facula.vision.models._utils import build, handle_legacy_interface

__all__ = [
    "VGG",
    "VGG11_BN_Weights",
    "VGG11_Weights",
    "VGG13_BN_Weights",
    "VGG13_Weights",
    "VGG16_BN_Weights",
    "VGG16_Weights",
    "VGG19_BN_Weights",
    "VGG19_Weights",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

VGG11_Weights = weights_enum("VGG11_Weights", __name__)
VGG11_BN_Weights = weights_enum("VGG11_BN_Weights", __name__)
VGG13_Weights = weights_enum("VGG13_Weights", __name__)
VGG13_BN_Weights = weights_enum("VGG13_BN_Weights", __name__)
VGG16_Weights = weights_enum("VGG16_Weights", __name__)
VGG16_BN_Weights = weights_enum("VGG16_BN_Weights", __name__)
VGG19_Weights = weights_enum("VGG19_Weights", __name__)
VGG19_BN_Weights = weights_enum("VGG19_BN_Weights", __name__)


class VGG(nn.Module):
    """A stack of 3x3 convolutions (`features`) and three linear layers."""

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            self._initialize()

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.constant_(module.bias, 0)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.constant_(module.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the class scores (N, num_classes)."""
        x = self.avgpool(self.features(x))
        return self.classifier(operators.flatten(x, 1))


def make_layers(cfg: Sequence[str | int], batch_norm: bool = False) -> nn.Sequential:
    """Builds the convolutions: a number is a layer's output channels, "M" a max pooling."""
    layers: list[nn.Module] = []
    channels = 3
    for item in cfg:
        if item == "M":
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, int(item), kernel_size=3, padding=1))
        channels = int(item)
        if batch_norm:
            layers.append(nn.BatchNorm2d(channels))
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def _blocks(*repeats: int) -> list[str | int]:
    config: list[str | int] = []
    for count, channels in zip(repeats, (64, 128, 256, 512, 512)):
        config += [channels] * count + ["M"]
    return config


cfgs: dict[str, list[str | int]] = {
    "A": _blocks(1, 1, 2, 2, 2),
    "B": _blocks(2, 2, 2, 2, 2),
    "D": _blocks(2, 2, 3, 3, 3),
    "E": _blocks(2, 2, 4, 4, 4),
}


def _vgg(cfg: str, batch_norm: bool, enum: Any, weights: Any, progress: bool, **kwargs: Any) -> VGG:
    if enum.verify(weights) is not None:
        kwargs["init_weights"] = False
    features = make_layers(cfgs[cfg], batch_norm=batch_norm)
    return build(VGG, enum, weights, progress, features, **kwargs)


@register_model(weights=VGG11_Weights)
@handle_legacy_interface(weights=("pretrained", VGG11_Weights.IMAGENET1K_V1))
def vgg11(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-11."""
    return _vgg("A", False, VGG11_Weights, weights, progress, **kwargs)


@register_model(weights=VGG11_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG11_BN_Weights.IMAGENET1K_V1))
def vgg11_bn(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-11 with batch normalisation."""
    return _vgg("A", True, VGG11_BN_Weights, weights, progress, **kwargs)


@register_model(weights=VGG13_Weights)
@handle_legacy_interface(weights=("pretrained", VGG13_Weights.IMAGENET1K_V1))
def vgg13(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-13."""
    return _vgg("B", False, VGG13_Weights, weights, progress, **kwargs)


@register_model(weights=VGG13_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG13_BN_Weights.IMAGENET1K_V1))
def vgg13_bn(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-13 with batch normalisation."""
    return _vgg("B", True, VGG13_BN_Weights, weights, progress, **kwargs)


@register_model(weights=VGG16_Weights)
@handle_legacy_interface(weights=("pretrained", VGG16_Weights.IMAGENET1K_V1))
def vgg16(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-16."""
    return _vgg("D", False, VGG16_Weights, weights, progress, **kwargs)


@register_model(weights=VGG16_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG16_BN_Weights.IMAGENET1K_V1))
def vgg16_bn(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-16 with batch normalisation."""
    return _vgg("D", True, VGG16_BN_Weights, weights, progress, **kwargs)


@register_model(weights=VGG19_Weights)
@handle_legacy_interface(weights=("pretrained", VGG19_Weights.IMAGENET1K_V1))
def vgg19(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-19."""
    return _vgg("E", False, VGG19_Weights, weights, progress, **kwargs)


@register_model(weights=VGG19_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG19_BN_Weights.IMAGENET1K_V1))
def vgg19_bn(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Builds VGG-19 with batch normalisation."""
    return _vgg("E", True, VGG19_BN_Weights, weights, progress, **kwargs)
