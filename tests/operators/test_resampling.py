"""interpolate and its older names against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, identifiers

BYTES = np.random.default_rng(0).integers(0, 256, (1, 3, 9, 11)).astype(np.uint8)
CASES = [
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2, mode="nearest-exact"), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=0.7, mode="nearest-exact"), (1, 3, 9, 11)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=0.7), (1, 3, 9, 11)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=(1.3, 2.6)), (1, 3, 9, 11)),
    Case(
        lambda F, *a: F.interpolate(*a, scale_factor=(1.3, 2.6), recompute_scale_factor=True),
        (1, 3, 9, 11),
    ),
    Case(lambda F, *a: F.interpolate(*a, size=(5, 20)), (1, 3, 9, 11)),
    Case(lambda F, *a: F.interpolate(*a, size=(5, 20)), BYTES),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2, mode="bilinear"), (2, 3, 4, 5)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=1.7, mode="bilinear"), (2, 3, 4, 5)),
    Case(
        lambda F, *a: F.interpolate(
            *a, scale_factor=1.7, mode="bilinear", recompute_scale_factor=True
        ),
        (2, 3, 4, 5),
    ),
    Case(lambda F, *a: F.interpolate(*a, size=(3, 11), mode="bilinear"), (2, 3, 4, 5)),
    Case(
        lambda F, *a: F.interpolate(*a, size=(3, 11), mode="bilinear", align_corners=True),
        (2, 3, 4, 5),
    ),
    Case(
        lambda F, *a: F.interpolate(*a, size=(1, 1), mode="bilinear", align_corners=True),
        (2, 3, 4, 5),
    ),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2, mode="bicubic"), (1, 3, 4, 4)),
    Case(
        lambda F, *a: F.interpolate(*a, size=(3, 11), mode="bicubic", align_corners=True),
        (2, 3, 4, 5),
    ),
    Case(lambda F, *a: F.interpolate(*a, size=(3, 11), mode="bicubic"), (2, 3, 4, 5)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2, mode="linear"), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2, mode="trilinear"), (1, 3, 4, 4, 4)),
    Case(
        lambda F, *a: F.interpolate(*a, size=(3, 5, 6), mode="trilinear", align_corners=True),
        (1, 3, 4, 4, 4),
    ),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2), (1, 3, 4, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=2, mode="area"), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=3, mode="area"), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="bilinear", antialias=True), (1, 3, 4, 4)),
    Case(
        lambda F, *a: F.interpolate(*a, size=(3, 13), mode="bilinear", antialias=True), (1, 3, 9, 7)
    ),
    Case(
        lambda F, *a: F.interpolate(*a, size=(3, 13), mode="bicubic", antialias=True), (1, 3, 9, 7)
    ),
    Case(
        lambda F, *a: F.interpolate(
            *a, size=(3, 13), mode="bicubic", antialias=True, align_corners=True
        ),
        (1, 3, 9, 7),
    ),
    Case(
        lambda F, *a: F.interpolate(*a, scale_factor=0.4, mode="bicubic", antialias=True),
        (1, 3, 9, 7),
    ),
    Case(
        lambda F, *a: F.interpolate(*a, size=(3, 13), mode="lanczos", antialias=True), (1, 3, 9, 7)
    ),
    Case(lambda F, *a: F.interpolate(*a, size=(3, 13), mode="lanczos"), (1, 3, 9, 7)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="linear", antialias=True), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, scale_factor=2), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=(2, 2, 2)), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, scale_factor=(2, 2, 2)), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="linear"), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="bilinear"), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="bicubic"), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="foo"), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="nearest", align_corners=True), (1, 3, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=0, mode="nearest"), (1, 3, 4, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, mode="nearest"), (3, 4)),
    Case(lambda F, *a: F.interpolate(*a, size=2, recompute_scale_factor=True), (1, 3, 4, 4)),
    Case(lambda F, *a: F.upsample(*a, scale_factor=2), (1, 3, 4, 4)),
    Case(lambda F, *a: F.upsample_nearest(*a, scale_factor=2), (1, 3, 4, 4)),
    Case(lambda F, *a: F.upsample_bilinear(*a, scale_factor=2), (1, 3, 4, 4)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
