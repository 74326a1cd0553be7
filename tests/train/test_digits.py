"""The embedded digits: what the original file holds, and the fixed split."""

import numpy as np
import pytest

from facula.train import Digits
from facula.train.digits import test_part as part_of_test

# Published with the set: images of each class in the part called optdigits.tes.
CLASS_COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_counts_are_the_published_ones():
    counts = sum(np.bincount(Digits(train).targets.numpy()) for train in (True, False))
    assert counts.tolist() == CLASS_COUNTS


def test_parts():
    train, test = Digits(), Digits(train=False)
    assert (len(train), len(test)) == (1442, 355)
    assert np.bincount(test.targets.numpy()).tolist() == [count // 5 for count in CLASS_COUNTS]


def test_split_takes_every_fifth_of_each_class():
    labels = np.array([0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0])
    assert np.flatnonzero(part_of_test(labels)).tolist() == [6, 10]


def test_first_image_is_a_zero():
    """The first line of the original file: 0,0,5,13,9,1,0,0 and so on, label 0."""
    image, label = Digits()[0]
    assert image.mode == "L" and image.size == (8, 8) and label == 0
    assert np.round(np.asarray(image, float)[0] * 16 / 255).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]


def test_transforms_are_applied():
    digits = Digits(transform=lambda image: image.size, target_transform=lambda label: -label)
    assert digits[1] == ((8, 8), -1)


def test_end_is_an_index_error():
    with pytest.raises(IndexError):
        Digits()[1442]
