"""Embeddings, bags and one-hot rows against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference
from tests.operators.families import normal, refused

MATRIX = np.array([[1, 2, 4], [4, 0, 1]])
VECTOR = np.array([1, 2, 4, 4, 0, 1, 3])


@pytest.mark.parametrize("padding_idx", [None, 4, -1])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize(
    "indices", [MATRIX, VECTOR, np.array(2), VECTOR[:0], VECTOR.astype(np.int32)]
)
def test_embedding(indices, padding_idx, scale):
    def run(library, table, indices):
        return library.nn.functional.embedding(
            indices, table, padding_idx, scale_grad_by_freq=scale
        )

    check(run, normal(5, 3), indices, second=True)


@pytest.mark.parametrize("norm_type", [1.0, 2.0])
def test_max_norm_rescales_the_rows_in_use(norm_type):
    torch = reference()
    found = []
    for library in (facula, torch):
        table = library.tensor(normal(5, 3).tolist())
        out = library.nn.functional.embedding(library.tensor([1, 2]), table, None, 1.0, norm_type)
        found.append((table.tolist(), out.tolist()))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-6)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-6)


@pytest.mark.parametrize("padding_idx", [None, 4])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode, padding_idx):
    def offsets(library, table, indices):
        starts = library.tensor([0, 3, 3, 5])
        return library.nn.functional.embedding_bag(
            indices, table, starts, mode=mode, padding_idx=padding_idx
        )

    def rows(library, table, indices):
        return library.nn.functional.embedding_bag(
            indices, table, mode=mode, padding_idx=padding_idx
        )

    check(offsets, normal(5, 3), VECTOR)
    check(rows, normal(5, 3), MATRIX)


def test_bags_with_weights_and_an_end():
    def run(library, table, weights, indices):
        starts = library.tensor([0, 3, 7])
        return library.nn.functional.embedding_bag(
            indices, table, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    check(run, normal(5, 3), normal(7, seed=1), VECTOR)


@pytest.mark.parametrize("classes", [-1, 6])
def test_one_hot(classes):
    check(lambda library, x: library.nn.functional.one_hot(x, classes), MATRIX)


REFUSED = {
    "index": lambda F, t: F.embedding(t.tensor([1, 5]), t.ones(5, 3)),
    "negative index": lambda F, t: F.embedding(t.tensor([1, -1]), t.ones(5, 3)),
    "floats": lambda F, t: F.embedding(t.ones(2), t.ones(5, 3)),
    "vector table": lambda F, t: F.embedding(t.tensor([1]), t.ones(5)),
    "padding": lambda F, t: F.embedding(t.tensor([1]), t.ones(5, 3), 7),
    "classes": lambda F, t: F.one_hot(t.tensor([3]), 3),
    "negative class": lambda F, t: F.one_hot(t.tensor([-1])),
    "float classes": lambda F, t: F.one_hot(t.ones(2)),
    "no offsets": lambda F, t: F.embedding_bag(t.tensor([1]), t.ones(5, 3)),
    "first offset": lambda F, t: F.embedding_bag(t.tensor([1, 2]), t.ones(5, 3), t.tensor([1])),
    "last offset": lambda F, t: F.embedding_bag(t.tensor([1]), t.ones(5, 3), t.tensor([0, 9])),
    "bag index": lambda F, t: F.embedding_bag(t.tensor([9]), t.ones(5, 3), t.tensor([0])),
    "mode": lambda F, t: F.embedding_bag(t.tensor([1]), t.ones(5, 3), t.tensor([0]), mode="x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    ours, theirs = refused(lambda library: REFUSED[name](library.nn.functional, library))
    assert ours[:30] == theirs[:30]
