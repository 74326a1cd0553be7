"""The networks a training job can choose, fitted to the images at hand."""

from collections.abc import Callable

from facula import nn
from facula.nn import functional as F
from facula.tensors import Tensor
from facula.train.errors import TrainError
from facula.vision import models


class LeNet(nn.Module):
    """LeNet-5 with ReLU and max-pooling, for square images of `size` >= 8 pixels.

    Shapes: (N, channels, size, size) -> (N, classes). Images below 28 pixels are padded at both
    convolutions, so that enough of them is left. Source: LeCun et al. (1998), figure 2.

    >>> import facula as torch
    >>> from facula.train import LeNet
    >>> LeNet(channels=1, size=28, classes=10)(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, channels: int = 1, size: int = 28, classes: int = 10) -> None:
        super().__init__()
        first, second = (0 if size >= 32 else 2), (0 if size >= 28 else 2)
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=first)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=second)
        side = ((size + 2 * first - 4) // 2 + 2 * second - 4) // 2
        self.fc1 = nn.Linear(16 * side * side, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of each class, before softmax."""
        x = F.max_pool2d(F.relu(self.conv1(images)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = x.flatten(1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


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
    "lenet": LeNet,
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
