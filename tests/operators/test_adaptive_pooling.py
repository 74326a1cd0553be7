"""Adaptive pooling against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, array, identifiers

TIES = np.random.default_rng(3).integers(0, 3, (2, 3, 9, 7)).astype(np.float32)
NAN = array((2, 3, 9, 7))
NAN[0, 0, 1, 1] = np.nan
CASES = [
    Case(lambda F, *a: F.adaptive_avg_pool1d(*a, 4), (2, 3, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool1d(*a, 3), (3, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool1d(*a, 1), (2, 3, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, 4), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, (3, 5)), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, (9, 5)), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, 1), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, 1), (3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, (3, None)), (3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, (3, None)), (8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, (3, 2, 3)), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, -1), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, 1), (2, 3, 0, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, 2), (2, 3, 0, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool2d(*a, 2), (0, 3, 4, 8)),
    Case(lambda F, *a: F.adaptive_avg_pool3d(*a, (3, 2, 1)), (2, 3, 5, 4, 4)),
    Case(lambda F, *a: F.adaptive_avg_pool3d(*a, 1), (2, 3, 5, 4, 4)),
    Case(lambda F, *a: F.adaptive_max_pool1d(*a, 4), (2, 3, 9)),
    Case(lambda F, *a: F.adaptive_max_pool1d(*a, 4, return_indices=True), (3, 9)),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, 4), (2, 3, 8, 8)),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, (4, 3), return_indices=True), TIES),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, (4, 3), return_indices=True), NAN),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, (11, 3), return_indices=True), TIES),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, 1, return_indices=True), TIES),
    Case(lambda F, *a: F.adaptive_max_pool3d(*a, (4, 2, 3), return_indices=True), (2, 3, 5, 5, 5)),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, 4), (8, 8)),
    Case(lambda F, *a: F.adaptive_max_pool2d(*a, 4), (2, 3, 0, 8)),
    Case(lambda F, *a: F.adaptive_max_pool2d_with_indices(*a, 4), (3, 8, 8)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
