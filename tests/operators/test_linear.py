"""linear and bilinear against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.operators.cases import Case, array, identifiers

CASES = [
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 3), (4,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 3)),
    Case(lambda F, *a: F.linear(*a), (5, 2, 3), (4, 3), (4,)),
    Case(lambda F, *a: F.linear(*a), (5, 2, 3), (4, 3)),
    Case(lambda F, *a: F.linear(*a), (6, 5, 2, 3), (4, 3), (4,)),
    Case(lambda F, *a: F.linear(*a), (3,), (4, 3), (4,)),
    Case(lambda F, *a: F.linear(*a), (3,), (4, 3)),
    Case(lambda F, *a: F.linear(*a), (3,), (3,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (3,)),
    Case(lambda F, *a: F.linear(*a), (2, 2, 3), (3,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (3,), ()),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 5)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 5), (4,)),
    Case(lambda F, *a: F.linear(*a), (3,), (4, 5), (4,)),
    Case(lambda F, *a: F.linear(*a), (2, 2, 3), (4, 5), (4,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 3), (5,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 3), (1,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 3), (2, 4)),
    Case(lambda F, *a: F.linear(*a), array((2, 3), np.float64), (4, 3), (4,)),
    Case(lambda F, *a: F.linear(*a), (2, 3), (4, 3), array((4,), np.float64)),
    Case(lambda F, *a: F.linear(*a), array((2, 3), np.float64), (4, 3)),
    Case(lambda F, *a: F.bilinear(*a), (2, 3), (2, 4), (5, 3, 4), (5,)),
    Case(lambda F, *a: F.bilinear(*a), (2, 3), (2, 4), (5, 3, 4)),
    Case(lambda F, *a: F.bilinear(*a), (6, 2, 3), (6, 2, 4), (5, 3, 4)),
    Case(lambda F, *a: F.bilinear(*a), (2, 3), (2, 5), (5, 3, 4)),
    Case(lambda F, *a: F.bilinear(*a), (2, 3), (3, 4), (5, 3, 4)),
    Case(lambda F, *a: F.bilinear(*a), (2, 2), (2, 4), (5, 3, 4)),
]


@pytest.mark.parametrize("case", CASES, ids=identifiers(CASES))
def test_as_pytorch(case):
    case()


def test_next_functions_are_bias_input_weight():
    import facula

    x, w, b = [facula.ones(*s, requires_grad=True) for s in ((2, 3), (4, 3), (4,))]
    out = facula.nn.functional.linear(x, w, b)
    variables = [f.variable for f, _ in out.grad_fn.next_functions]
    assert variables[0] is b and variables[1] is x and variables[2] is w
