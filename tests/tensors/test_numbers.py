"""Tensors of Python numbers: types, shapes and refusals as in PyTorch."""

from __future__ import annotations

import warnings

import pytest

import facula

torch = pytest.importorskip("torch")

DATA = [
    3, True, 2.5, float("nan"), 1e300, [], [[], []], [1, 2], [True, False], [1.5, -0.0],
    [1e300, -1e300], [[1, 2], [3, 4]], [[1.5], [2.5]], [[True], [False]], [[[1], [2]]], [1, 2.5],
    [True, 2], [[1, 2], [3.5, 4]], [(1, 2), (3, 4)], (1.0, 2.0), [2**40], [-(2**63)], [1, 2j],
]  # fmt: skip
REFUSED = [[[1, 2], [3]], [[1], 2], [None], [2**70]]


@pytest.mark.parametrize("data", DATA, ids=str)
@pytest.mark.parametrize("default", ["float32", "float64"])
def test_as_pytorch_has_them(data, default):
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for library in (torch, facula):
            library.set_default_dtype(getattr(library, default))
            try:
                made = library.tensor(data)
            finally:
                library.set_default_dtype(library.float32)
            found.append((str(made.dtype), tuple(made.shape), str(made.tolist())))
    assert found[0] == found[1]


@pytest.mark.parametrize("data", REFUSED, ids=str)
def test_refused_as_in_pytorch(data):
    with pytest.raises(Exception) as theirs:
        torch.tensor(data)
    with pytest.raises(theirs.type):
        facula.tensor(data)


def test_the_list_is_copied():
    numbers = [1.0, 2.0]
    made = facula.tensor(numbers)
    numbers[0] = 5.0
    made[1] = 7
    assert made.tolist() == [1, 7]
    assert numbers == [5.0, 2.0]
