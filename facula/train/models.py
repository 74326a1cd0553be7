"""The networks a training job can choose, fitted to the images at hand."""

from collections.abc import Callable

from facula import nn
from facula.nn import functional as F
from facula.tensors import Tensor
from facula.train.errors import TrainError
from facula.vision import models


class MLP(nn.Module):
    """Two hidden layers of ReLU: (N, channels, size, size) -> (N, classes)."""

    def __init__(
        self, channels: int = 1, size: int = 28, classes: int = 10, hidden: int = 128
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels * size * size, hidden)
        self.fc2 = nn.Linear(hidden, hidden)
        self.fc3 = nn.Linear(hidden, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of each class, before softmax."""
        x = F.relu(self.fc1(images.flatten(1)))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


_BUILDERS: dict[str, Callable[[int, int, int], nn.Module]] = {
    "lenet": lambda channels, size, classes: models.lenet(classes, channels, size),
    "mlp": MLP,
    "alexnet": lambda channels, size, classes: models.alexnet(num_classes=classes),
    "resnet18": lambda channels, size, classes: models.resnet18(num_classes=classes),
    "resnet34": lambda channels, size, classes: models.resnet34(num_classes=classes),
}

MODEL_NAMES = tuple(_BUILDERS)


def wants_colour(name: str) -> bool:
    """Whether the network takes three channels only."""
    return name not in ("lenet", "mlp")


def image_size(name: str, natural: int) -> int:
    """The side in pixels at which the network is given images of `natural` size."""
    return max(natural, 64) if name == "alexnet" else natural


def build_model(name: str, channels: int, size: int, classes: int) -> nn.Module:
    """A fresh network by name; its initial weights come from the default random generator."""
    if name not in _BUILDERS:
        raise TrainError(f"unknown model {name!r}: choose one of {', '.join(MODEL_NAMES)}")
    return _BUILDERS[name](channels, size, classes)
