"""Loading data: an epoch of MNIST, and CIFAR-10 in batches of four with two workers."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path

from rows import Row

HERE = Path(__file__).resolve().parents[1]
CIFAR_BATCHES = 2000


def folder() -> Path | None:
    """Where the image files are: $FACULA_DATA, or what the tests unpack; None where nowhere."""
    tests = str(HERE.parent / "tests")
    if tests not in sys.path:
        sys.path.append(tests)
    return importlib.import_module("data_root").data_root()


def pictures(kit):
    """(datasets, transforms) for a library: torchvision's, or what stands in for it."""
    if kit.name.startswith("facula"):
        vision = importlib.import_module("facula.vision")
        return vision.datasets, vision.transforms
    use_stand_in_if_needed()
    return tuple(importlib.import_module(f"torchvision.{n}") for n in ("datasets", "transforms"))


def use_stand_in_if_needed() -> bool:
    """Make ``torchvision`` importable; True where it is the stand-in."""
    if os.environ.get("FACULA_BENCH_STANDIN") or importlib.util.find_spec("torchvision") is None:
        sys.path.insert(0, str(HERE / "standins"))
        return True
    return False


def _build_mnist(kit):
    datasets, transforms = pictures(kit)
    steps = [transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
    data = datasets.MNIST(str(folder()), train=True, transform=transforms.Compose(steps))
    loader = kit.t.utils.data.DataLoader(data, batch_size=64, shuffle=True)

    def epoch():
        labels_seen, last = 0, None
        for images, labels in loader:
            labels_seen += int(labels[0])
            last = images.numpy()  # every batch is wanted, not only promised
        return labels_seen, last

    return epoch


def _build_cifar(kit):
    datasets, transforms = pictures(kit)
    middle = (0.5, 0.5, 0.5)
    steps = [transforms.ToTensor(), transforms.Normalize(middle, middle)]
    data = datasets.CIFAR10(str(folder()), train=True, transform=transforms.Compose(steps))
    some = {"batch_size": 4, "shuffle": True, "num_workers": 2}
    loader = kit.t.utils.data.DataLoader(data, **some)

    def batches():
        labels_seen, last = 0, None
        for count, (images, labels) in enumerate(loader):
            labels_seen += int(labels[0])
            last = images.numpy()  # every batch is wanted, not only promised
            if count == CIFAR_BATCHES:
                break
        return labels_seen, last

    return batches


ROWS = [
    Row(
        "data-mnist", "MNIST, ToTensor and Normalize, shuffled, batch 64: an epoch", "data",
        _build_mnist, steps=1, checks=1, flops=0, needs_data=True,
    ),
    Row(
        "data-cifar", f"CIFAR-10, batch 4, 2 workers: {CIFAR_BATCHES:,} batches", "data",
        _build_cifar, steps=1, checks=1, flops=0, needs_data=True,
    ),
]  # fmt: skip
