"""LeNet-5, the small convolutional network that everyone's first training run uses."""

from __future__ import annotations

from facula import nn, operators
from facula.nn import functional as F
from facula.tensors import Tensor
from facula.vision.models._api import register_model

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """Two convolutions with pooling, three linear layers (after LeCun et al., 1998).

    Takes (N, in_channels, S, S) images; S is `image_size` (32 for CIFAR, 28 for MNIST, 8 and up).
    Not part of torchvision.

    Example:
        >>> import facula as torch
        >>> from facula.vision.models import lenet
        >>> lenet(in_channels=1, image_size=28)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 3, image_size: int = 32) -> None:
        super().__init__()
        # Small images keep their size in the first convolution, as MNIST versions of LeNet do.
        padding = 0 if image_size >= 32 else 2
        side = ((image_size + 2 * padding - 4) // 2 - (4 if image_size >= 16 else 0)) // 2
        if side < 1:
            raise ValueError(f"image_size should be at least 8, got {image_size}")
        self.conv1 = nn.Conv2d(in_channels, 6, 5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, 5, padding=0 if image_size >= 16 else 2)
        self.fc1 = nn.Linear(16 * side * side, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Returns the class scores (N, num_classes)."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = operators.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


@register_model()
def lenet(num_classes: int = 10, in_channels: int = 3, image_size: int = 32) -> LeNet:
    """Builds a LeNet-5 for images of one size."""
    return LeNet(num_classes, in_channels, image_size)
