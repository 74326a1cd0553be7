"""Compose, ToTensor and Normalize."""

import numpy as np
import torch


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, picture):
        for transform in self.transforms:
            picture = transform(picture)
        return picture


class ToTensor:
    """A PIL image as floats from 0 to 1, channels first."""

    def __call__(self, picture):
        pixels = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        planes = pixels.view(picture.size[1], picture.size[0], len(picture.getbands()))
        return planes.permute(2, 0, 1).contiguous().to(torch.float32).div(255)


class Normalize:
    """Subtract each channel's mean, divide by its deviation."""

    def __init__(self, mean, std):
        self.mean, self.std = mean, std

    def __call__(self, picture):
        picture = picture.clone()
        mean = torch.as_tensor(self.mean, dtype=picture.dtype).view(-1, 1, 1)
        std = torch.as_tensor(self.std, dtype=picture.dtype)
        if (std == 0).any():
            raise ValueError("a deviation of zero")
        return picture.sub_(mean).div_(std.view(-1, 1, 1))
