"""The drawn files: sizes, colours, and axes with round numbers."""

import math

import numpy as np
import pytest
from PIL import Image

from facula.train.pictures import draw_curve, draw_predictions, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 2.3, [0, 0.5, 1, 1.5, 2]),
        (0.93, 1.0, [0.94, 0.96, 0.98, 1.0]),
        (1, 20, [5, 10, 15, 20]),
        (3, 3, [3]),
    ],
)
def test_ticks(low, high, expected):
    assert ticks(low, high) == expected


def record(loss, accuracy):
    return {
        "train_loss": loss,
        "test_loss": loss / 2,
        "train_accuracy": accuracy,
        "test_accuracy": accuracy,
    }


@pytest.mark.parametrize("count", [1, 2, 60])
def test_curve(tmp_path, count):
    draw_curve([record(1 / (i + 1), 1 - 0.5 / (i + 1)) for i in range(count)], tmp_path / "c.png")
    image = Image.open(tmp_path / "c.png")
    assert image.size == (860, 340)
    assert (np.asarray(image) < 250).any()


def test_curve_survives_a_loss_that_is_not_a_number(tmp_path):
    draw_curve([record(1.0, 0.5), record(math.nan, 0.1)], tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size


def test_mistakes_are_red(tmp_path):
    images = np.zeros((2, 8, 8, 1), np.uint8)
    draw_predictions(images, ["1", "2"], ["1", "3"], tmp_path / "p.png", columns=2)
    pixels = np.asarray(Image.open(tmp_path / "p.png")).astype(int)
    red = (pixels[..., 0] > 150) & (pixels[..., 1] < 110)
    middle = pixels.shape[1] // 2
    assert not red[:, :middle].any() and red[:, middle:].any()


def test_colour_images(tmp_path):
    images = np.full((1, 4, 4, 3), (10, 200, 30), np.uint8)
    draw_predictions(images, ["cat"], ["cat"], tmp_path / "p.png")
    pixels = np.asarray(Image.open(tmp_path / "p.png").convert("RGB"))
    assert tuple(pixels[40, 40]) == (10, 200, 30)
