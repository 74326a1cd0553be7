"""MNIST and the datasets that share its files' format: Fashion-MNIST, KMNIST, EMNIST."""

from __future__ import annotations

import os
import shutil
import string
import warnings
from collections.abc import Callable
from typing import Any
from urllib.error import URLError

from PIL import Image

from facula.tensors import Tensor
from facula.vision._arrays import row
from facula.vision.datasets import batched
from facula.vision.datasets.idx import (
    read_image_file,
    read_label_file,
    read_sn3_pascalvincent_tensor,
)
from facula.vision.datasets.utils import (
    check_integrity,
    download_and_extract_archive,
    extract_archive,
    failure_reason,
    verify_str_arg,
)
from facula.vision.datasets.vision import VisionDataset

__all__ = [
    "EMNIST",
    "KMNIST",
    "MNIST",
    "FashionMNIST",
    "read_image_file",
    "read_label_file",
    "read_sn3_pascalvincent_tensor",
]


def _renamed(old: str, new: str) -> property:
    """A property under an old name that warns and answers with the new one."""

    def get(self: Any) -> Any:
        warnings.warn(f"{old} has been renamed {new}", stacklevel=2)
        return getattr(self, new)

    return property(get)


class MNIST(VisionDataset):
    """Handwritten digits (LeCun, Cortes, Burges): 60,000 + 10,000 grey images of 28 x 28.

    `data` is a uint8 tensor (N, 28, 28), `targets` an int64 tensor (N,); a sample is (Pillow image,
    int) before transforms. `root` holds MNIST/raw/*-ubyte. A DataLoader fetches whole batches in
    vectorised code where the transforms are known (same values, same random draws).

    Raises:
        RuntimeError: the files are not there (and `download` is False), or cannot be downloaded.
    """

    mirrors = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    training_file = "training.pt"
    test_file = "test.pt"
    classes = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]
    train_labels = _renamed("train_labels", "targets")
    test_labels = _renamed("test_labels", "targets")
    train_data = _renamed("train_data", "data")
    test_data = _renamed("test_data", "data")

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
        if not self._check_exists():
            raise RuntimeError("Dataset not found. You can use download=True to download it")
        self.data, self.targets = self._load_data()

    def _load_data(self) -> tuple[Tensor, Tensor]:
        prefix = "train" if self.train else "t10k"
        images = os.path.join(self.raw_folder, f"{prefix}-images-idx3-ubyte")
        labels = os.path.join(self.raw_folder, f"{prefix}-labels-idx1-ubyte")
        return read_image_file(images), read_label_file(labels)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        # Through NumPy: recording an indexing operation for 784 bytes would cost more.
        image: Any = Image.fromarray(row(self.data, index))
        target = int(row(self.targets, index))
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

    @property
    def raw_folder(self) -> str:
        """The folder of the idx files."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def processed_folder(self) -> str:
        """The folder that old versions of PyTorch kept converted files in."""
        return os.path.join(self.root, type(self).__name__, "processed")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Numbers of the classes by name."""
        return {name: i for i, name in enumerate(self.classes)}

    def _check_exists(self) -> bool:
        return all(
            check_integrity(os.path.join(self.raw_folder, os.path.splitext(name)[0]))
            for name, _ in self.resources
        )

    def download(self) -> None:
        """Downloads what is missing, from the first mirror that answers."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        for name, md5 in self.resources:
            failures = []
            for mirror in self.mirrors:
                try:
                    download_and_extract_archive(
                        mirror + name, download_root=self.raw_folder, filename=name, md5=md5
                    )
                    break
                except (URLError, RuntimeError) as error:
                    failures.append(f"  {mirror + name}: {failure_reason(error)}")
            else:
                raise RuntimeError(self._offline_message(name, md5, failures))

    def _offline_message(self, name: str, md5: str, failures: list[str]) -> str:
        files = ", ".join(resource for resource, _ in self.resources)
        return (
            f"Error downloading {name} of {type(self).__name__}:\n"
            + "\n".join(failures)
            + f"\nWithout a network, place these files in {os.path.abspath(self.raw_folder)} and "
            f"run this again with download=True (it then only checks and unpacks them): {files}"
        )

    def extra_repr(self) -> str:
        """Returns which split this is."""
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Zalando's articles of clothing: 60,000 + 10,000 grey images of 28 x 28."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Kuzushiji-MNIST, old Japanese characters: 60,000 + 10,000 grey images of 28 x 28."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]


def _emnist_classes() -> dict[str, list[str]]:
    every = string.digits + string.ascii_uppercase + string.ascii_lowercase
    # Letters whose two cases look alike share one class.
    merged = [c for c in every if c not in "cijklmopsuvwxyz"]
    return {
        "byclass": list(every),
        "bymerge": merged,
        "balanced": merged,
        "letters": ["N/A", *string.ascii_lowercase],
        "digits": list(string.digits),
        "mnist": list(string.digits),
    }


class EMNIST(MNIST):
    """Handwritten letters and digits of NIST (Cohen et al., 2017) in six splits.

    As published, the images lie transposed; they are not turned here (neither are torchvision's).
    """

    url = "https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip"
    md5 = "58c8d27c78d21e728a6bc7b3cc06412e"
    splits = ("byclass", "bymerge", "balanced", "letters", "digits", "mnist")
    classes_split_dict = _emnist_classes()

    def __init__(self, root: Any, split: str, **kwargs: Any) -> None:
        self.split = verify_str_arg(split, "split", self.splits)
        super().__init__(root, **kwargs)
        self.classes = self.classes_split_dict[self.split]

    @property
    def _file_prefix(self) -> str:
        return f"emnist-{self.split}-{'train' if self.train else 'test'}"

    @property
    def images_file(self) -> str:
        """The idx file of the images."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-images-idx3-ubyte")

    @property
    def labels_file(self) -> str:
        """The idx file of the labels."""
        return os.path.join(self.raw_folder, f"{self._file_prefix}-labels-idx1-ubyte")

    def _load_data(self) -> tuple[Tensor, Tensor]:
        return read_image_file(self.images_file), read_label_file(self.labels_file)

    def _check_exists(self) -> bool:
        return all(check_integrity(file) for file in (self.images_file, self.labels_file))

    def download(self) -> None:
        """Downloads and unpacks the archive with all six splits."""
        if self._check_exists():
            return
        os.makedirs(self.raw_folder, exist_ok=True)
        download_and_extract_archive(self.url, download_root=self.raw_folder, md5=self.md5)
        folder = os.path.join(self.raw_folder, "gzip")
        for packed in sorted(os.listdir(folder)):
            if packed.endswith(".gz"):
                plain = os.path.join(self.raw_folder, os.path.splitext(packed)[0])
                extract_archive(os.path.join(folder, packed), plain)
        shutil.rmtree(folder)
