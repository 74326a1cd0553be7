"""einsum, tensordot and kron against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, array, identifiers

CASES = [
    Case(lambda F, *a: F.einsum("ij,jk->ik", *a), (2, 3), (3, 4)),
    Case(lambda F, *a: F.einsum("ij,jk", *a), (2, 3), (3, 4)),
    Case(lambda F, *a: F.einsum("ba,cb", *a), (2, 3), (3, 2)),
    Case(lambda F, *a: F.einsum("ii", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("ii->i", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("iij->ji", *a), (3, 3, 2)),
    Case(lambda F, *a: F.einsum("ij->ji", *a), (2, 3)),
    Case(lambda F, *a: F.einsum("ijk->", *a), (2, 3, 2)),
    Case(lambda F, *a: F.einsum("bhid,bhjd->bhij", *a), (2, 3, 4, 5), (2, 3, 6, 5)),
    Case(lambda F, *a: F.einsum("b i d, b j d -> b i j", *a), (2, 4, 5), (2, 6, 5)),
    Case(lambda F, *a: F.einsum("i,j->ij", *a), (3,), (4,), names=False),
    Case(lambda F, *a: F.einsum("i,i->i", *a), (3,), (3,), names=False),
    Case(lambda F, *a: F.einsum("i,i", *a), (3,), (3,)),
    Case(lambda F, *a: F.einsum("bn,anm,bm->ba", *a), (2, 3), (5, 3, 4), (2, 4)),
    Case(lambda F, *a: F.einsum("...ij,...jk->...ik", *a), (5, 2, 3), (3, 4)),
    Case(lambda F, *a: F.einsum("...ij,...jk", *a), (5, 2, 3), (1, 3, 4)),
    Case(lambda F, *a: F.einsum("i...j,j...->i...", *a), (2, 3, 4, 5), (5, 3, 1)),
    Case(lambda F, *a: F.einsum("...->...", *a), (2, 3)),
    Case(lambda F, *a: F.einsum("...i->...", *a), (2, 3)),
    Case(lambda F, *a: F.einsum(a[0], [0, 1, 2], [2, 0]), (5, 2, 3)),
    Case(lambda F, *a: F.einsum(a[0], [0, 1], a[1], [1, 2]), (5, 2), (2, 3)),
    Case(lambda F, *a: F.einsum(a[0], [..., 0, 1], a[1], [1, 2], [..., 0, 2]), (4, 5, 2), (2, 3)),
    Case(lambda F, *a: F.einsum("ij,ij->ij", *a), (1, 3), (2, 1), names=False),
    Case(lambda F, *a: F.einsum("ij,kj->ik", *a), (2, 1), (4, 3)),
    Case(lambda F, *a: F.einsum("ab,cd,ef->", *a), (2, 1), (4, 3), (1, 1)),
    Case(lambda F, *a: F.einsum("ij,j->i", [*a]), (2, 3), (3,)),
    Case(lambda F, *a: F.einsum("ij,jk->ik", *a), (2, 0), (0, 4)),
    Case(lambda F, *a: F.einsum("ij,kk->ik", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("ij->ik", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("ij->ii", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("ij->iJ", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("i!->i", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("ijk->i", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("i->i", *a), (3, 3)),
    Case(lambda F, *a: F.einsum("ii->i", *a), (3, 2)),
    Case(lambda F, *a: F.einsum("ij,jk->ik", *a), (2, 3), (2, 4)),
    Case(
        lambda F, *a: F.einsum("ij,jk->ik", *a),
        (2, 3),
        array(
            (
                3,
                4,
            ),
            np.float64,
        ),
    ),
    Case(lambda F, *a: F.einsum("i..j", *a), (2, 2)),
    Case(lambda F, *a: F.einsum("ij...->i", *a), (2, 2, 3)),
    Case(lambda F, *a: F.tensordot(*a), (2, 3, 4), (3, 4, 5)),
    Case(lambda F, *a: F.tensordot(*a, dims=([1], [0])), (2, 3, 4), (3, 4, 5)),
    Case(lambda F, *a: F.tensordot(*a, dims=([0], [0])), (2, 3, 4), (3, 4, 5)),
    Case(lambda F, *a: F.tensordot(*a, dims=([2, 1], [1, 0])), (2, 3, 4), (3, 4, 5)),
    Case(lambda F, *a: F.tensordot(*a, dims=1), (2, 3, 4), (3, 4, 5)),
    Case(lambda F, *a: F.tensordot(*a, dims=0), (2, 3), (4,), names=False),
    Case(lambda F, *a: F.tensordot(*a, dims=5), (2, 3, 4), (3, 4, 5)),
    Case(lambda F, *a: F.kron(*a), (2, 3), (3, 2)),
    Case(lambda F, *a: F.kron(*a), (2,), (3, 2)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()
