"""The image sets a training job can choose: by name, or any folder of images."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facula import tensors
from facula.tensors import Tensor
from facula.train.augment import RandomShift
from facula.train.digits import Digits
from facula.train.errors import TrainError
from facula.train.models import image_size, wants_colour
from facula.utils.data import Subset, TensorDataset
from facula.vision import datasets, transforms


@dataclass(frozen=True)
class Recipe:
    """Epochs, batch size and learning rate that suit an image set when the user names none."""

    epochs: int
    batch_size: int
    lr: float


@dataclass(frozen=True)
class ImageData:
    """Two parts of normalised images, and what a model and a picture need to know about them."""

    train: Any  # Datasets that also have a length
    test: Any
    classes: Sequence[str]
    channels: int
    size: int
    mean: Sequence[float]
    std: Sequence[float]
    augment: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class _Named:
    build: Callable[..., Any]
    title: str
    size: int
    mean: Sequence[float]
    std: Sequence[float]
    augment: Sequence[Any] = field(default_factory=tuple)


# Means and deviations are facts about the training images, in units of 0 to 1.
_NAMED = {
    "mnist": _Named(datasets.MNIST, "MNIST", 28, (0.1307,), (0.3081,)),
    "fashion-mnist": _Named(datasets.FashionMNIST, "FashionMNIST", 28, (0.2860,), (0.3530,)),
    "cifar10": _Named(
        datasets.CIFAR10,
        "CIFAR-10",
        32,
        (0.4914, 0.4822, 0.4465),
        (0.2470, 0.2435, 0.2616),
        (transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()),
    ),
}

_RECIPES = {
    "digits": Recipe(epochs=20, batch_size=32, lr=0.003),
    "mnist": Recipe(epochs=2, batch_size=64, lr=0.001),
    "fashion-mnist": Recipe(epochs=5, batch_size=64, lr=0.001),
    "cifar10": Recipe(epochs=10, batch_size=64, lr=0.001),
}
_FOLDER_RECIPE = Recipe(epochs=10, batch_size=32, lr=0.001)

# Three times the 8 pixels of the set: large enough for LeNet, small enough to train in seconds.
_DIGIT_SIZE = 24

DATA_NAMES = tuple(_RECIPES)


def recipe_for(name: str) -> Recipe:
    """The default settings for an image set."""
    return _RECIPES.get(name, _FOLDER_RECIPE)


def default_root() -> Path:
    """Where downloaded sets are kept: the environment's FACULA_DATA, or `data` beside the user."""
    return Path(os.environ.get("FACULA_DATA") or "data")


def load_data(name: str, model: str, root: Path) -> ImageData:
    """Both parts of an image set at the size and colour that the model takes.

    `name` is one of DATA_NAMES or a folder with one sub-folder of images for each class.
    """
    if name == "digits":
        return _load_digits(model)
    if name in _NAMED:
        return _load_named(_NAMED[name], model, root)
    return _load_folder(Path(name), model)


def _load_digits(model: str) -> ImageData:
    size, colour = image_size(model, _DIGIT_SIZE), wants_colour(model)
    parts = [_digit_tensors(Digits(train), size) for train in (True, False)]
    pixels = parts[0][0]
    mean, std = float(pixels.mean()), float(pixels.std())
    channels = 3 if colour else 1
    sets = []
    for images, labels in parts:
        images = np.repeat((images - mean) / std, channels, axis=1).astype(np.float32)
        sets.append(TensorDataset(tensors.from_numpy(images), labels))
    # The digits are few: small shifts are worth about 1 % of test accuracy.
    shift = RandomShift(size // _DIGIT_SIZE, fill=-mean / std)
    train, test = sets
    return ImageData(
        train, test, Digits.classes, channels, size, (mean,) * channels, (std,) * channels, shift
    )


def _digit_tensors(digits: Digits, size: int) -> tuple[np.ndarray, Tensor]:
    images = [
        np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR))
        for image in digits.data.numpy()
    ]
    return np.stack(images)[:, None].astype(np.float64) / 255, digits.targets


def _load_named(named: _Named, model: str, root: Path) -> ImageData:
    size = image_size(model, named.size)
    mean, std = named.mean, named.std
    shape: list[Any] = []
    if size != named.size:
        shape.append(transforms.Resize(size))
    if wants_colour(model) and len(mean) == 1:
        shape.append(transforms.Grayscale(num_output_channels=3))
        mean, std = tuple(mean) * 3, tuple(std) * 3
    tail = [*shape, transforms.ToTensor(), transforms.Normalize(mean, std)]
    try:
        root.mkdir(parents=True, exist_ok=True)
        parts = [
            named.build(str(root), train=train, download=True, transform=transforms.Compose(steps))
            for train, steps in ((True, [*named.augment, *tail]), (False, tail))
        ]
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TrainError(f"{named.title} could not be read from {root}: {reason}") from error
    train, test = parts
    return ImageData(train, test, train.classes, len(mean), size, mean, std)


def _load_folder(folder: Path, model: str) -> ImageData:
    if not folder.is_dir():
        raise TrainError(
            f"no image set {str(folder)!r}: choose {', '.join(DATA_NAMES)}, or an existing folder "
            "with one sub-folder of images for each class"
        )
    size = image_size(model, 64 if wants_colour(model) else 32)
    mean = std = (0.5, 0.5, 0.5)
    tail = [
        transforms.Resize((size, size)),
        transforms.ToTensor(),
        transforms.Normalize(mean, std),
    ]
    flipped = transforms.Compose([transforms.RandomHorizontalFlip(), *tail])
    plain = transforms.Compose(tail)
    second = next((folder / n for n in ("test", "val") if (folder / n).is_dir()), None)
    try:
        if (folder / "train").is_dir() and second is not None:
            train: Any = datasets.ImageFolder(str(folder / "train"), transform=flipped)
            test: Any = datasets.ImageFolder(str(second), transform=plain)
            classes = train.classes
            if test.classes != classes:
                raise TrainError(f"{folder}/train and {second} do not hold the same classes")
        else:
            every = datasets.ImageFolder(str(folder), transform=flipped)
            classes = every.classes
            train, test = _split(every, datasets.ImageFolder(str(folder), transform=plain))
    except OSError as error:
        reason = " ".join(str(error).split())
        raise TrainError(f"{folder} is not a folder of images by class: {reason}") from error
    return ImageData(train, test, classes, 3, size, mean, std)


def _split(train: Any, test: Any) -> tuple[Subset, Subset]:
    """One image in five becomes a test image; the choice is the same for the same folder."""
    order = tensors.randperm(len(train), generator=tensors.Generator().manual_seed(0)).tolist()
    count = len(order) // 5
    if not count:
        raise TrainError(f"{len(order)} images are too few: at least 5 are needed")
    return Subset(train, order[count:]), Subset(test, order[:count])
