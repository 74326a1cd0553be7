"""Padding, pixel shuffles, fold and unfold against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, identifiers

CASES = [
    Case(lambda F, *a: F.fold(*a, (4, 4), (2, 2)), (1, 12, 4)),
    Case(lambda F, *a: F.fold(*a, (4, 4), (2, 2), stride=2), (2, 12, 4)),
    Case(lambda F, *a: F.fold(*a, (5, 4), (2, 3), padding=1, dilation=(2, 1)), (2, 18, 20)),
    Case(lambda F, *a: F.fold(*a, (4, 4), (2, 2), stride=2), (12, 4)),
    Case(lambda F, *a: F.fold(*a, (4, 4), (2, 2), stride=2), (1, 13, 4)),
    Case(lambda F, *a: F.fold(*a, (4, 4), (2, 2), stride=2), (4,)),
    Case(lambda F, *a: F.unfold(*a, 2), (2, 3, 4, 4)),
    Case(
        lambda F, *a: F.unfold(*a, (2, 3), padding=1, dilation=(2, 1), stride=(1, 2)), (2, 3, 5, 6)
    ),
    Case(lambda F, *a: F.unfold(*a, 2), (3, 4, 4)),
    Case(lambda F, *a: F.unfold(*a, 5), (1, 3, 4, 4)),
    Case(lambda F, *a: F.unfold(*a, 2, stride=0), (1, 3, 4, 4)),
    Case(lambda F, *a: F.pixel_shuffle(*a, 2), (1, 8, 4, 4)),
    Case(lambda F, *a: F.pixel_shuffle(*a, 2), (2, 1, 8, 4, 3)),
    Case(lambda F, *a: F.pixel_shuffle(*a, 2), (1, 7, 4, 4)),
    Case(lambda F, *a: F.pixel_shuffle(*a, 2), (4, 4)),
    Case(lambda F, *a: F.pixel_shuffle(*a, 0), (1, 8, 4, 4)),
    Case(lambda F, *a: F.pixel_unshuffle(*a, 2), (1, 2, 4, 4)),
    Case(lambda F, *a: F.pixel_unshuffle(*a, 2), (1, 2, 5, 4)),
    Case(lambda F, *a: F.pixel_unshuffle(*a, 0), (1, 2, 5, 4)),
    Case(lambda F, *a: F.channel_shuffle(*a, 2), (1, 8, 4, 4)),
    Case(lambda F, *a: F.channel_shuffle(*a, 4), (2, 8, 4)),
    Case(lambda F, *a: F.channel_shuffle(*a, 3), (1, 8, 4, 4)),
    Case(lambda F, *a: F.pad(*a, (1, 1)), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1), value=2), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, -1)), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (0, 0)), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, -5)), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1,)), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1,) * 6), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 2, 0, 3), value=-1.5), (2, 3, 4)),
    Case(lambda F, *a: F.pad(*a, (-1, -2, 0, 3)), (2, 3, 4)),
    Case(lambda F, *a: F.pad(*a, (-3, -2, 0, 3)), (2, 3, 4)),
    Case(lambda F, *a: F.pad(*a, (1, 2), value=1.7), np.ones((2, 2), int)),
    Case(lambda F, *a: F.pad(*a, (1, 2), value=True), np.ones((2, 2), bool)),
    Case(lambda F, *a: F.pad(*a, (1, 2), "reflect"), np.arange(12).reshape(2, 6)),
    Case(lambda F, *a: F.pad(*a, (1, 1), mode="reflect"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1), mode="reflect"), (2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1), mode="reflect"), (3,)),
    Case(lambda F, *a: F.pad(*a, (3, 1), mode="reflect"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 2, 0, 1), mode="reflect"), (1, 2, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1), mode="reflect"), (1, 2, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1, 1, 1, 1, 1), mode="reflect"), (1, 2, 3, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1, 5, 1, 1, 4), mode="replicate"), (1, 2, 3, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1, 1, 1), mode="replicate"), (1, 2, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1), mode="replicate"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1), mode="circular"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (3, 2), mode="circular"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (4, 1), mode="circular"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (-1, 1), mode="circular"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (-1, 1), mode="replicate"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (-1, 1), mode="reflect"), (1, 2, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1, 1, 2), mode="circular"), (1, 2, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1, 1, 1), mode="circular", value=1), (1, 2, 3, 3)),
    Case(lambda F, *a: F.pad(*a, (1, 1, 1, 1), mode="foo"), (1, 2, 3, 3)),
    Case(lambda F, *a: F.constant_pad_nd(*a, (1, 1), 2), (2, 2)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
