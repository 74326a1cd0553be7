"""MNIST and CIFAR-10 from the files torchvision would have downloaded."""

import os
import pickle

import numpy as np
import torch
from PIL import Image


class _Pictures(torch.utils.data.Dataset):
    """Arrays that become PIL images, one at a time."""

    def __init__(self, transform):
        self.transform = transform
        self.data, self.targets = None, None

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        picture, target = self.picture(index), int(self.targets[index])
        return self.transform(picture) if self.transform else picture, target


class MNIST(_Pictures):
    def __init__(self, root, train=True, transform=None, download=False):
        super().__init__(transform)
        stem = os.path.join(root, "MNIST", "raw", "train" if train else "t10k")
        with open(f"{stem}-images-idx3-ubyte", "rb") as file:
            pixels = np.frombuffer(file.read(), np.uint8, offset=16)
        with open(f"{stem}-labels-idx1-ubyte", "rb") as file:
            labels = np.frombuffer(file.read(), np.uint8, offset=8)
        self.data = torch.from_numpy(pixels.reshape(-1, 28, 28).copy())
        self.targets = torch.from_numpy(labels.astype(np.int64))

    def picture(self, index):
        return Image.fromarray(self.data[index].numpy(), mode="L")


class CIFAR10(_Pictures):
    def __init__(self, root, train=True, transform=None, download=False):
        super().__init__(transform)
        names = [f"data_batch_{i}" for i in range(1, 6)] if train else ["test_batch"]
        parts, self.targets = [], []
        for name in names:
            with open(os.path.join(root, "cifar-10-batches-py", name), "rb") as file:
                found = pickle.load(file, encoding="latin1")
            parts.append(found["data"])
            self.targets += found["labels"]
        planes = np.vstack(parts).reshape(-1, 3, 32, 32)
        self.data = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))

    def picture(self, index):
        return Image.fromarray(self.data[index])
