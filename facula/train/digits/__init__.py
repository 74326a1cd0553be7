"""The handwritten digits that ship with facula: UCI optical digits, 8 x 8 pixels."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facula import tensors
from facula.utils.data import Dataset

_FILE = Path(__file__).with_name("digits.npz")
_INK = 16  # each pixel counts the inked dots, 0 to 16, in a block of 4 x 4 scanned dots


def test_part(labels: np.ndarray) -> np.ndarray:
    """Marks the test images: within each class, every fifth one in file order."""
    marks = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        marks[np.flatnonzero(labels == label)[4::5]] = True
    return marks


class Digits(Dataset):
    """1797 real handwritten digits (UCI optical digits, 8 x 8, CC BY 4.0), inside the package.

    Items are `(PIL image of mode L, label)`, as MNIST's are. `train=True` gives the 1442 training
    images, `train=False` the 355 test images; the split is fixed (see SOURCE.txt).

    >>> from facula.train import Digits
    >>> digits = Digits(train=False)
    >>> len(digits), digits[0][0].size, digits[0][1]
    (355, (8, 8), 5)
    """

    classes = [str(digit) for digit in range(10)]

    def __init__(
        self,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
    ) -> None:
        with np.load(_FILE, allow_pickle=False) as packed:
            images, labels = packed["images"], packed["labels"]
        chosen = test_part(labels) != train
        grey = np.rint(images[chosen] * (255 / _INK)).astype(np.uint8)
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        self.data = tensors.from_numpy(grey)
        self.targets = tensors.from_numpy(labels[chosen].astype(np.int64))

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = Image.fromarray(self.data[index].numpy())
        target: Any = int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self) -> str:
        return f"Digits(train={self.train}, {len(self)} images)"
