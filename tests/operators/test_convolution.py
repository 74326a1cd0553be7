"""Convolutions and transposed convolutions against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, array, identifiers

COMPLEX = [array(s, np.complex64) for s in ((2, 3, 5, 5), (4, 3, 3, 3), (4,), (2, 4, 5, 5), (3,))]
CASES = [
    Case(lambda F, *a: F.conv2d(*a), (1, 1, 32, 32), (6, 3, 5, 5)),
    Case(lambda F, *a: F.conv2d(*a), (2, 3, 9, 10), (6, 3, 5, 4), (6,)),
    Case(lambda F, *a: F.conv2d(*a), (3, 9, 9), (6, 3, 5, 5), (6,)),
    Case(lambda F, *a: F.conv2d(*a), (9, 9), (6, 3, 5, 5), (6,)),
    Case(lambda F, *a: F.conv2d(*a), (1, 3, 4, 4), (6, 3, 5, 5), (6,)),
    Case(lambda F, *a: F.conv2d(*a, padding=1), (1, 3, 4, 4), (6, 3, 5, 5), (6,)),
    Case(lambda F, *a: F.conv2d(*a), (1, 3, 8, 8), (6, 3, 5, 5), (5,)),
    Case(lambda F, *a: F.conv2d(*a, padding="same"), (1, 3, 8, 8), (6, 3, 5, 5)),
    Case(lambda F, *a: F.conv2d(*a, padding="same", dilation=2), (1, 3, 8, 8), (6, 3, 4, 3)),
    Case(lambda F, *a: F.conv2d(*a, padding="same", stride=2), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, padding="valid"), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, padding="foo"), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, stride=0), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, padding=-1), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, dilation=0), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, groups=2), (1, 3, 8, 8), (6, 3, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, groups=2), (1, 4, 8, 8), (5, 2, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, groups=0), (1, 4, 8, 8), (5, 2, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a, groups=2), (2, 4, 8, 8), (6, 2, 3, 3), (6,)),
    Case(
        lambda F, *a: F.conv2d(*a, groups=4, padding=(1, 2), stride=(2, 1)),
        (2, 4, 8, 8),
        (8, 1, 3, 3),
        (8,),
    ),
    Case(lambda F, *a: F.conv2d(*a, stride=(1, 2, 3)), (2, 4, 8, 8), (8, 4, 3, 3), (8,)),
    Case(
        lambda F, *a: F.conv2d(*a, stride=2, padding=1, dilation=2),
        (2, 4, 9, 8),
        (8, 4, 3, 3),
        (8,),
    ),
    Case(lambda F, *a: F.conv2d(*a, stride=3), (2, 4, 10, 12), (8, 4, 3, 3), (8,)),
    Case(lambda F, *a: F.conv2d(*a, stride=3), (2, 4, 10, 12), (8, 4, 1, 1), (8,)),
    Case(lambda F, *a: F.conv2d(*a), (2, 4, 10, 12), (8, 4, 1, 1), (8,)),
    Case(
        lambda F, *a: F.conv2d(*a),
        array(
            (
                2,
                4,
                10,
                12,
            ),
            np.float64,
        ),
        (8, 4, 1, 1),
        (8,),
    ),
    Case(
        lambda F, *a: F.conv2d(*a),
        array(
            (
                2,
                4,
                10,
                12,
            ),
            np.float64,
        ),
        (8, 4, 1, 1),
    ),
    Case(lambda F, *a: F.conv2d(*a), (2, 4, 10, 12), (8, 4, 1, 1), array((8,), np.float64)),
    Case(lambda F, *a: F.conv2d(*a), np.ones((1, 4, 4, 4), int), np.ones((6, 4, 2, 2), int)),
    Case(lambda F, *a: F.conv2d(*a), (0, 4, 8, 8), (6, 4, 4, 4)),
    Case(lambda F, *a: F.conv2d(*a), (1, 4, 8, 8), (6, 4, 4)),
    Case(lambda F, *a: F.conv1d(*a), (2, 4, 8), (6, 4, 3), (6,)),
    Case(lambda F, *a: F.conv1d(*a), (4, 8), (6, 4, 3), (6,)),
    Case(lambda F, *a: F.conv1d(*a), (4, 8, 3, 3), (6, 4, 3), (6,)),
    Case(lambda F, *a: F.conv1d(*a, stride=2, padding=3), (2, 4, 8), (6, 4, 3), (6,)),
    Case(lambda F, *a: F.conv3d(*a), (2, 4, 8, 7, 6), (6, 4, 3, 2, 3), (6,)),
    Case(lambda F, *a: F.conv3d(*a, padding=1, stride=2), (4, 8, 7, 6), (6, 4, 3, 2, 3), (6,)),
    Case(lambda F, *a: F.conv3d(*a), (8, 7), (6, 4, 3, 2, 3), (6,)),
    Case(lambda F, *a: F.conv_transpose1d(*a), (2, 4, 8), (4, 6, 3), (6,)),
    Case(
        lambda F, *a: F.conv_transpose1d(*a, stride=3, padding=1, output_padding=2),
        (4, 8),
        (4, 6, 3),
        (6,),
    ),
    Case(lambda F, *a: F.conv_transpose2d(*a), (2, 4, 8, 8), (4, 6, 3, 3), (6,)),
    Case(
        lambda F, *a: F.conv_transpose2d(*a, stride=2, padding=1, output_padding=1),
        (2, 4, 8, 8),
        (4, 6, 3, 3),
        (6,),
    ),
    Case(
        lambda F, *a: F.conv_transpose2d(*a, stride=2, padding=1, output_padding=2, dilation=3),
        (2, 4, 8, 8),
        (4, 6, 3, 3),
        (6,),
    ),
    Case(
        lambda F, *a: F.conv_transpose2d(*a, stride=1, padding=0, output_padding=2, dilation=3),
        (2, 4, 8, 8),
        (4, 6, 3, 3),
        (6,),
    ),
    Case(
        lambda F, *a: F.conv_transpose2d(*a, stride=2, output_padding=2),
        (2, 4, 8, 8),
        (4, 6, 3, 3),
        (6,),
    ),
    Case(lambda F, *a: F.conv_transpose2d(*a), (1, 5, 8, 8), (4, 6, 3, 3), (6,)),
    Case(lambda F, *a: F.conv_transpose2d(*a), (1, 4, 8, 8), (4, 6, 3, 3), (5,)),
    Case(lambda F, *a: F.conv_transpose2d(*a), (4, 8, 8), (4, 6, 3, 3)),
    Case(lambda F, *a: F.conv_transpose2d(*a, padding=5), (1, 4, 1, 1), (4, 6, 3, 3)),
    Case(
        lambda F, *a: F.conv_transpose2d(*a, groups=2, stride=2), (2, 4, 5, 5), (4, 3, 3, 3), (6,)
    ),
    Case(
        lambda F, *a: F.conv_transpose3d(*a, stride=(1, 2, 2)),
        (2, 4, 3, 3, 3),
        (4, 2, 3, 3, 3),
        (2,),
    ),
    Case(lambda F, *a: F.conv_tbc(*a, 1), (5, 2, 3), (3, 3, 4), (4,)),
    Case(
        lambda F, *a: F.convolution(*a, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1),
        (1, 4, 8, 8),
        (6, 4, 3, 3),
    ),
    Case(lambda F, *a: F.conv2d(*a, padding=1), COMPLEX[0], COMPLEX[1], COMPLEX[2], names=False),
    Case(
        lambda F, *a: F.conv_transpose2d(*a, padding=1),
        COMPLEX[3],
        COMPLEX[1],
        COMPLEX[4],
        names=False,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
