"""STL-10: larger photographs of ten kinds, with many unlabelled ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from facula.vision.datasets.utils import (
    check_all,
    download_and_extract_archive,
    verify_str_arg,
)
from facula.vision.datasets.vision import VisionDataset

__all__ = ["STL10"]


class STL10(VisionDataset):
    """STL-10 (Coates, Ng, Lee, 2011): RGB images of 96 x 96, 5,000 + 8,000 + 100,000 unlabelled.

    `data` is a uint8 array (N, 3, 96, 96), `labels` an array, -1 where unlabelled. `folds` picks
    one of the ten published training folds.
    """

    base_folder = "stl10_binary"
    url = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
    filename = "stl10_binary.tar.gz"
    tgz_md5 = "91f7769df0f17e558f3565bffb0c7dfb"
    class_names_file = "class_names.txt"
    folds_list_file = "fold_indices.txt"
    train_list = [
        ["train_X.bin", "918c2871b30a85fa023e0c44e0bee87f"],
        ["train_y.bin", "5a34089d4802c674881badbb80307741"],
        ["unlabeled_X.bin", "5242ba1fed5e4be9e1e742405eb56ca4"],
    ]
    test_list = [
        ["test_X.bin", "7f263ba9f9e0b06b93213547f721ac82"],
        ["test_y.bin", "36f9794fa4beb8a2c72628de14fa638e"],
    ]
    splits = ("train", "train+unlabeled", "unlabeled", "test")

    def __init__(
        self,
        root: Any,
        split: str = "train",
        folds: int | None = None,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = verify_str_arg(split, "split", self.splits)
        self.folds = self._verify_folds(folds)
        if download:
            self.download()
        elif not self._check_integrity():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it"
            )
        self.data, self.labels = self._load()
        names = os.path.join(self.root, self.base_folder, self.class_names_file)
        if os.path.isfile(names):
            with open(names) as file:
                self.classes = file.read().splitlines()

    def _verify_folds(self, folds: Any) -> int | None:
        if folds is None:
            return None
        if not isinstance(folds, int):
            raise ValueError(
                f"Expected type None or int for argument folds, but got {type(folds)}."
            )
        if not 0 <= folds < 10:
            raise ValueError(
                f"Value for argument folds should be in the range [0, 10), but got {folds}."
            )
        return folds

    def _images(self, name: str) -> np.ndarray:
        raw = np.fromfile(os.path.join(self.root, self.base_folder, name), dtype=np.uint8)
        # Stored column by column.
        return raw.reshape(-1, 3, 96, 96).transpose(0, 1, 3, 2)

    def _labels(self, name: str) -> np.ndarray:
        raw = np.fromfile(os.path.join(self.root, self.base_folder, name), dtype=np.uint8)
        return raw - np.uint8(1)

    def _load(self) -> tuple[np.ndarray, np.ndarray]:
        if self.split == "test":
            return self._images(self.test_list[0][0]), self._labels(self.test_list[1][0])
        parts = []
        if self.split.startswith("train"):
            images = self._images(self.train_list[0][0])
            labels = self._labels(self.train_list[1][0])
            if self.folds is not None:
                path = os.path.join(self.root, self.base_folder, self.folds_list_file)
                with open(path) as file:
                    chosen = np.array(file.read().splitlines()[self.folds].split(), dtype=np.int64)
                images, labels = images[chosen], labels[chosen]
            parts.append((images, labels))
        if self.split.endswith("unlabeled"):
            images = self._images(self.train_list[2][0])
            parts.append((images, np.full(len(images), -1)))
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = Image.fromarray(np.ascontiguousarray(self.data[index].transpose(1, 2, 0)))
        target: Any = int(self.labels[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        folder = os.path.join(self.root, self.base_folder)
        files = self.train_list + self.test_list
        return check_all((os.path.join(folder, name), md5) for name, md5 in files)

    def download(self) -> None:
        """Downloads and unpacks the archive, unless all files are there."""
        if not self._check_integrity():
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )

    def extra_repr(self) -> str:
        """Returns which split this is."""
        return f"Split: {self.split}"
