"""Distances and similarities against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, identifiers

CASES = [
    Case(lambda F, *a: F.cdist(*a), (2, 3), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(*a), (5, 2, 3), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(*a, p=1.0), (2, 3), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(*a, p=3.0), (2, 3), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(*a, p=0.0), (2, 3), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(*a, p=float("inf")), (2, 3), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(a[0], a[0]), (4, 3), second=False),
    Case(lambda F, *a: F.cdist(*a), (2, 3), (4, 2), second=False),
    Case(lambda F, *a: F.cdist(*a), (3,), (4, 2), second=False),
    Case(lambda F, *a: F.pdist(*a), (4, 3), second=False),
    Case(lambda F, *a: F.pdist(*a, p=1), (4, 3), second=False),
    Case(lambda F, *a: F.pdist(*a), (3,), second=False),
    Case(lambda F, *a: F.pairwise_distance(*a), (2, 3), (2, 3), second=False),
    Case(lambda F, *a: F.pairwise_distance(*a, p=1, keepdim=True), (2, 3), (3,), second=False),
    Case(lambda F, *a: F.cosine_similarity(*a), (2, 3), (2, 3)),
    Case(lambda F, *a: F.cosine_similarity(*a, dim=0), (2, 3), (3,)),
    Case(lambda F, *a: F.cosine_similarity(*a, dim=-1), (2, 1, 3), (4, 3)),
    Case(lambda F, *a: F.cosine_similarity(*a), np.ones((2, 3), int), np.ones((2, 3), int)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
