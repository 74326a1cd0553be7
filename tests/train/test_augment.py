"""Random shifts: each image moved as a whole, all shifts drawn, the seed decides."""

import numpy as np

import facula as torch
from facula.train.augment import RandomShift


def moved(image, dy, dx, fill):
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), constant_values=fill)
    return padded[:, dy : dy + image.shape[1], dx : dx + image.shape[2]]


def test_each_image_is_one_of_nine():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(200, 2, 5, 6)).astype(np.float32)
    torch.manual_seed(0)
    shifted = RandomShift(1, fill=-3.0)(torch.from_numpy(images)).numpy()
    seen = set()
    for image, result in zip(images, shifted):
        matches = [
            (dy, dx)
            for dy in range(3)
            for dx in range(3)
            if np.array_equal(moved(image, dy, dx, -3.0), result)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) == 9


def test_seed_decides():
    images = torch.arange(4 * 64.0).reshape(4, 1, 8, 8)
    shift = RandomShift(2)
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(shift(images).numpy())
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])
