"""Max, average and power-average pooling against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, array, identifiers

NAN = array((2, 3, 8, 8))
NAN[0, 0, 1, 1] = NAN[0, 0, 0, 1] = np.nan
LOWEST = np.full((1, 1, 4, 4), -np.inf, np.float32)
TIES = np.random.default_rng(3).integers(0, 3, (2, 3, 9, 9)).astype(np.float32)
CASES = [
    Case(lambda F, *a: F.max_pool1d(*a, 2), (2, 3, 8)),
    Case(lambda F, *a: F.max_pool1d(*a, 3, 2, 1), (3, 9)),
    Case(lambda F, *a: F.max_pool1d(*a, 2, return_indices=True), (2, 3, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), (2, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), (3, 9, 7)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 3, 2, 1), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 3, 2, 1, return_indices=True), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 2, return_indices=True), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 2, ceil_mode=True), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 2, ceil_mode=True, return_indices=True, padding=1), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 2, dilation=2, return_indices=True, padding=1), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 2, dilation=2, stride=2), TIES),
    Case(lambda F, *a: F.max_pool2d(*a, 2, return_indices=True), NAN),
    Case(lambda F, *a: F.max_pool2d(*a, 3, 2, 1, return_indices=True), NAN),
    Case(lambda F, *a: F.max_pool2d(*a, 3, 2, 1, return_indices=True), LOWEST),
    Case(lambda F, *a: F.max_pool2d(*a, 2, return_indices=True), LOWEST),
    Case(lambda F, *a: F.max_pool2d(*a, (3, 2), (2, 1), (1, 0)), (2, 3, 8, 9)),
    Case(lambda F, *a: F.max_pool3d(*a, 2), (2, 3, 8, 8, 8)),
    Case(lambda F, *a: F.max_pool3d(*a, 3, 2, 1, return_indices=True), (3, 8, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), (8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2, padding=2), (2, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 9), (2, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2, stride=0), (2, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2, dilation=0), (2, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, (2, 2, 2)), (2, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), (2, 3, 0, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), (0, 3, 8, 8)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), np.arange(16).reshape(1, 1, 4, 4)),
    Case(lambda F, *a: F.max_pool2d(*a, 2), np.ones((1, 1, 4, 4), bool)),
    Case(lambda F, *a: F.max_pool1d(*a, 2), (8,)),
    Case(lambda F, *a: F.max_pool1d(*a, 9), (2, 2, 8)),
    Case(lambda F, *a: F.max_pool1d(*a, 2, padding=2), (2, 2, 8)),
    Case(lambda F, *a: F.max_pool3d(*a, 2), (8, 8)),
    Case(lambda F, *a: F.avg_pool1d(*a, 2), (2, 3, 8)),
    Case(lambda F, *a: F.avg_pool1d(*a, 3, 2, 1), (3, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 2), (2, 3, 8, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 3, 2, 1), (2, 3, 9, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 3, 2, 1, ceil_mode=True), (2, 3, 10, 8)),
    Case(
        lambda F, *a: F.avg_pool2d(*a, 3, 2, 1, ceil_mode=True, count_include_pad=False),
        (2, 3, 10, 8),
    ),
    Case(lambda F, *a: F.avg_pool2d(*a, 3, 2, 1, count_include_pad=False), (2, 3, 10, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 3, 2, 1, divisor_override=5), (2, 3, 10, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 2), (3, 8, 8)),
    Case(lambda F, *a: F.avg_pool3d(*a, 2), (2, 3, 4, 4, 4)),
    Case(lambda F, *a: F.avg_pool3d(*a, 3, 2, 1), (2, 3, 5, 5, 5)),
    Case(lambda F, *a: F.avg_pool2d(*a, 2, padding=2), (2, 3, 8, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 9), (2, 3, 8, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 2, divisor_override=0), (2, 3, 8, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 2, stride=0), (2, 3, 8, 8)),
    Case(lambda F, *a: F.avg_pool2d(*a, 2), np.arange(16).reshape(1, 1, 4, 4) - 8),
    Case(lambda F, *a: F.avg_pool1d(*a, 2), (8,)),
    Case(lambda F, *a: F.lp_pool1d(*a, 2, 2), np.abs(array((2, 3, 8))), second=False),
    Case(lambda F, *a: F.lp_pool2d(*a, 3.0, 2), np.abs(array((2, 3, 8, 8))), second=False),
    Case(lambda F, *a: F.lp_pool3d(*a, 2, 2), np.abs(array((2, 3, 4, 4, 4))), second=False),
    Case(
        lambda F, *a: F.lp_pool2d(*a, 2, 3, 2, ceil_mode=True),
        np.abs(array((2, 3, 8, 8))),
        second=False,
    ),
    Case(lambda F, *a: F.max_unpool1d(*a, 2), (1, 1, 2), np.array([[[0, 3]]])),
    Case(lambda F, *a: F.max_unpool2d(*a, 2), (1, 1, 2, 2), np.array([[[[0, 3], [8, 10]]]])),
    Case(lambda F, *a: F.max_unpool2d(*a, 2), (1, 1, 2, 2), np.array([[[[0, 3], [8, 100]]]])),
    Case(lambda F, *a: F.max_unpool2d(*a, 2), (1, 1, 2, 2), np.array([[[[0, 3]]]])),
    Case(
        lambda F, *a: F.max_unpool2d(*a, 2, output_size=(8, 8)),
        (1, 1, 2, 2),
        np.array([[[[0, 3], [8, 10]]]]),
    ),
    Case(
        lambda F, *a: F.max_unpool2d(*a, 2, output_size=(1, 1, 5, 5)),
        (1, 1, 2, 2),
        np.array([[[[0, 3], [8, 10]]]]),
    ),
    Case(lambda F, *a: F.max_unpool3d(*a, 2), (1, 1, 1, 2, 2), np.array([[[[[0, 3], [8, 10]]]]])),
    Case(lambda F, *a: F.max_unpool2d(*F.max_pool2d(*a, 2, return_indices=True), 2), (2, 3, 8, 8)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
