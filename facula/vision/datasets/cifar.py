"""CIFAR-10 and CIFAR-100."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from facula.vision.datasets import batched
from facula.vision.datasets.utils import check_all, download_and_extract_archive
from facula.vision.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100"]

# All that the published batch files refer to; a pickle naming anything else is refused.
_NUMPY_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles made of plain Python values and NumPy arrays, and no others."""

    def find_class(self, module: str, name: str) -> Any:
        if name in ("_reconstruct", "scalar") and module in (
            "numpy.core.multiarray",
            "numpy._core.multiarray",
        ):
            for home in ("numpy._core.multiarray", "numpy.core.multiarray"):
                try:
                    return super().find_class(home, name)
                except ModuleNotFoundError:
                    continue
        if (module, name) in _NUMPY_NAMES:
            return _NUMPY_NAMES[module, name]
        raise pickle.UnpicklingError(f"a CIFAR file should not refer to {module}.{name}")


def _read_pickle(path: str) -> dict[str, Any]:
    """The entries of a file; its strings, of Python 2, stay bytes: decoding images takes time."""
    with open(path, "rb") as file:
        entries = _ArrayUnpickler(file, encoding="bytes").load()
    return {_text(name): value for name, value in entries.items()}


def _text(name: bytes | str) -> str:
    return name.decode("latin1") if isinstance(name, bytes) else name


class CIFAR10(VisionDataset):
    """Small photographs of ten kinds (Krizhevsky, 2009): 50,000 + 10,000 RGB images of 32 x 32.

    `data` is a uint8 array (N, 32, 32, 3), `targets` a list of ints; a sample is (Pillow image,
    int) before transforms. A DataLoader fetches whole batches in vectorised code where the
    transforms are known (same values, same random draws).

    Raises:
        RuntimeError: the files are missing or damaged (and `download` is False).
    """

    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {
        "filename": "batches.meta",
        "key": "label_names",
        "md5": "5ff9c542aee3614f3951f8cda6e48888",
    }

    def __init__(
        self,
        root: Any,
        train: bool = True,
        transform: Callable | None = None,
        target_transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError(
                "Dataset not found or corrupted. You can use download=True to download it"
            )
        planes = []
        self.targets: list[int] = []
        for name, _ in self.train_list if train else self.test_list:
            entry = _read_pickle(os.path.join(self.root, self.base_folder, name))
            planes.append(entry["data"])
            self.targets += entry["labels" if "labels" in entry else "fine_labels"]
        # A view, as in torchvision: the planes stay together in memory, as tensors want them.
        self.data = np.concatenate(planes).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        self._load_meta()

    def _load_meta(self) -> None:
        meta = _read_pickle(os.path.join(self.root, self.base_folder, self.meta["filename"]))
        self.classes = [_text(name) for name in meta[self.meta["key"]]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = Image.fromarray(self.data[index]), self.targets[index]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __getbatch__(self, indices: Any) -> Any:
        return batched.fetch(self, indices)

    def __getbatches__(self, several: Any, active: Any) -> Any:
        return batched.fetch_several(self, several, active)

    __batch_draws_are_own__ = True

    def __batch_is_deterministic__(self) -> bool:
        return batched.is_deterministic(self)

    def __len__(self) -> int:
        return len(self.data)

    def _check_integrity(self) -> bool:
        files = [*self.train_list, *self.test_list, (self.meta["filename"], self.meta["md5"])]
        folder = os.path.join(self.root, self.base_folder)
        return check_all((os.path.join(folder, name), md5) for name, md5 in files)

    def download(self) -> None:
        """Downloads and unpacks the archive, unless all files are there."""
        if not self._check_integrity():
            download_and_extract_archive(
                self.url, self.root, filename=self.filename, md5=self.tgz_md5
            )

    def extra_repr(self) -> str:
        """Returns which split this is."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """Small photographs of a hundred kinds: 50,000 + 10,000 RGB images of 32 x 32."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {
        "filename": "meta",
        "key": "fine_label_names",
        "md5": "7973b15100ade9c7d40fb424638fde48",
    }
