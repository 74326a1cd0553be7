"""make_grid, for a batch that fits one row."""

import torch


def make_grid(pictures, padding=2):
    """The pictures side by side, with a black frame."""
    count, channels, height, width = pictures.shape
    grid = torch.zeros(channels, height + 2 * padding, (width + padding) * count + padding)
    for i, picture in enumerate(pictures):
        left = padding + i * (width + padding)
        grid[:, padding : padding + height, left : left + width] = picture
    return grid
