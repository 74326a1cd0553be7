"""Random images for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import tensors
from facula.vision.datasets.vision import VisionDataset
from facula.vision.transforms.functional import to_pil_image

__all__ = ["FakeData"]


class FakeData(VisionDataset):
    """Normally distributed noise as Pillow images with random targets; sample i is always the same.

    Example:
        >>> from facula.vision import datasets
        >>> image, target = datasets.FakeData(size=2, image_size=(3, 8, 9))[0]
        >>> image.size, target
        ((9, 8), 2)
    """

    def __init__(
        self,
        size: int = 1000,
        image_size: tuple[int, int, int] = (3, 224, 224),
        num_classes: int = 10,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        random_offset: int = 0,
    ) -> None:
        super().__init__(transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        if index >= len(self):
            raise IndexError(f"{type(self).__name__} index out of range")
        state = tensors.get_rng_state()
        tensors.manual_seed(index + self.random_offset)
        pixels = tensors.randn(*self.image_size)
        target = int(tensors.randint(0, self.num_classes, size=(1,)).item())
        tensors.set_rng_state(state)
        image: Any = to_pil_image(pixels)
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return self.size
