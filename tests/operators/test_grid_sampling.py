"""grid_sample and affine_grid against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, array, identifiers

GRID = np.random.default_rng(5).uniform(-1.7, 1.7, (2, 3, 6, 2)).astype(np.float32)
GRID3 = np.random.default_rng(5).uniform(-1.7, 1.7, (2, 3, 2, 6, 3)).astype(np.float32)
CASES = [
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "zeros", True), (2, 3, 4, 5), GRID, second=True
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "zeros", False), (2, 3, 4, 5), GRID, second=True
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "border", True), (2, 3, 4, 5), GRID, second=True
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "border", False),
        (2, 3, 4, 5),
        GRID,
        second=True,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "reflection", True),
        (2, 3, 4, 5),
        GRID,
        second=True,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "reflection", False),
        (2, 3, 4, 5),
        GRID,
        second=True,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "zeros", True), (2, 3, 4, 5), GRID, second=False
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "zeros", False), (2, 3, 4, 5), GRID, second=False
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "border", True), (2, 3, 4, 5), GRID, second=False
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "border", False),
        (2, 3, 4, 5),
        GRID,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "reflection", True),
        (2, 3, 4, 5),
        GRID,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "reflection", False),
        (2, 3, 4, 5),
        GRID,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bicubic", "zeros", True), (2, 3, 4, 5), GRID, second=False
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bicubic", "zeros", False), (2, 3, 4, 5), GRID, second=False
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bicubic", "border", True), (2, 3, 4, 5), GRID, second=False
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bicubic", "border", False),
        (2, 3, 4, 5),
        GRID,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bicubic", "reflection", True),
        (2, 3, 4, 5),
        GRID,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bicubic", "reflection", False),
        (2, 3, 4, 5),
        GRID,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "zeros", False),
        (2, 3, 4, 5, 3),
        GRID3,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "border", False),
        (2, 3, 4, 5, 3),
        GRID3,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "bilinear", "reflection", False),
        (2, 3, 4, 5, 3),
        GRID3,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "zeros", False),
        (2, 3, 4, 5, 3),
        GRID3,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "border", False),
        (2, 3, 4, 5, 3),
        GRID3,
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, "nearest", "reflection", False),
        (2, 3, 4, 5, 3),
        GRID3,
        second=False,
    ),
    Case(lambda F, *a: F.grid_sample(*a), (1, 3, 4, 4), (2, 2, 2, 2)),
    Case(lambda F, *a: F.grid_sample(*a), (1, 3, 4, 4), (1, 2, 2, 3)),
    Case(lambda F, *a: F.grid_sample(*a), (3, 4, 4), (1, 2, 2, 3)),
    Case(lambda F, *a: F.grid_sample(*a, mode="foo"), (1, 3, 4, 4), (1, 2, 2, 2)),
    Case(lambda F, *a: F.grid_sample(*a, padding_mode="foo"), (1, 3, 4, 4), (1, 2, 2, 2)),
    Case(lambda F, *a: F.grid_sample(*a, mode="bicubic"), (1, 3, 4, 4, 4), (1, 2, 2, 2, 3)),
    Case(
        lambda F, *a: F.grid_sample(*a),
        (1, 3, 4, 4),
        array(
            (
                1,
                2,
                2,
                2,
            ),
            np.float64,
        ),
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, padding_mode="reflection"),
        (1, 3, 1, 4),
        (1, 2, 2, 2),
        second=False,
    ),
    Case(
        lambda F, *a: F.grid_sample(*a, padding_mode="reflection", align_corners=True),
        (1, 3, 1, 4),
        (1, 2, 2, 2),
        second=False,
    ),
    Case(lambda F, *a: F.grid_sampler(*a, 0, 1, True), (1, 3, 4, 4), (1, 2, 2, 2), second=False),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 4, 4)), (1, 2, 3)),
    Case(lambda F, *a: F.affine_grid(*a, (2, 3, 4, 5), align_corners=True), (2, 2, 3)),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 4, 5, 6)), (1, 3, 4)),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 4, 1)), (1, 2, 3)),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 4, 4)), (1, 3, 4)),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 4)), (1, 3, 4)),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 4, 4)), np.ones((1, 2, 3), int)),
    Case(lambda F, *a: F.affine_grid(*a, (1, 3, 0, 4)), (1, 2, 3)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
