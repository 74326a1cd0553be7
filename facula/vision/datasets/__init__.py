"""torchvision.datasets: image datasets, read from files and downloaded with hash checks."""

from facula.vision.datasets.cifar import CIFAR10, CIFAR100
from facula.vision.datasets.fakedata import FakeData
from facula.vision.datasets.folder import DatasetFolder, ImageFolder
from facula.vision.datasets.mnist import EMNIST, KMNIST, MNIST, FashionMNIST
from facula.vision.datasets.stl10 import STL10
from facula.vision.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "EMNIST",
    "KMNIST",
    "MNIST",
    "STL10",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "ImageFolder",
    "VisionDataset",
]
