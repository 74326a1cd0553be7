"""Triangular systems and LU by BLAS and LAPACK against products, and against the code without."""

import numpy as np
import pytest

from facula.graph.primitives import dense, lapack

KINDS = [np.float32, np.float64, np.complex64]


@pytest.fixture(params=["library", "numpy"])
def routines(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(lapack, "_routine", lambda names: None)


def numbers(shape, kind):
    rng = np.random.default_rng(0)
    found = rng.normal(size=shape)
    if np.dtype(kind).kind == "c":
        found = found + 1j * rng.normal(size=shape)
    return found.astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "batch", [((), ()), ((3,), (3,)), ((2, 1), (2, 4)), ((), (5,)), ((0,), (0,))]
)
def test_triangular_systems(kind, batch, routines):
    a, b = numbers((*batch[0], 6, 6), kind) / 4, numbers((*batch[1], 6, 3), kind)
    a[..., range(6), range(6)] += 2
    for upper in (False, True):
        for unit in (False, True):
            part = np.triu(a) if upper else np.tril(a)
            if unit:
                part[..., range(6), range(6)] = 1
            x = dense.solve_triangular(a, b, upper, unit)
            assert x.dtype == kind and x.shape == np.matmul(part, b).shape
            np.testing.assert_allclose(np.matmul(part, x), np.broadcast_to(b, x.shape), 1e-4, 1e-5)


def test_operands_are_left_alone_and_need_not_be_contiguous(routines):
    a, b = numbers((8, 8), np.float64)[::2, ::2].T, numbers((4, 9), np.float64)[:, ::3]
    before = a.copy(), b.copy()
    x = dense.solve_triangular(a, b, True, True)
    assert (a == before[0]).all() and (b == before[1]).all()
    np.testing.assert_allclose((np.triu(a, 1) + np.eye(4)) @ x, b, 1e-10)


def test_a_zero_on_the_diagonal_gives_infinity(routines):
    with np.errstate(divide="ignore"):
        x = dense.solve_triangular(np.diag([1.0, 0.0]), np.ones((2, 1)), False, False)
    assert x[0, 0] == 1 and np.isinf(x[1, 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5, 5), (7, 4), (4, 7), (2, 3, 6, 6), (1, 1), (0, 3), (2, 0, 0)])
def test_lu(kind, shape, routines):
    a = numbers(shape, kind)
    packed, pivots, info = dense.lu(a)
    m, n = shape[-2:]
    k = min(m, n)
    assert packed.dtype == kind and pivots.dtype == np.int32 and info.dtype == np.int32
    assert pivots.shape == (*shape[:-2], k) and info.shape == shape[:-2] and not info.any()
    low = np.tril(packed[..., :k], -1) + np.eye(m, k)
    order = dense.permutation(pivots, m, np.float64)
    np.testing.assert_allclose(order @ (low @ np.triu(packed[..., :k, :])), a, 1e-4, 1e-5)


def test_lu_of_singular_matrices(routines):
    a = np.array([[[1.0, 2], [2, 4]], [[0, 0], [0, 0]], [[1, 0], [0, 1]]])
    packed, pivots, info = dense.lu(a)
    assert info.tolist() == [2, 1, 0]
    assert pivots[0].tolist() == [2, 2] and packed[0, 1, 1] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_cofactors(kind):
    for a in (numbers((3, 4, 4), kind), numbers((4, 4), kind) * np.array([1, 1, 1, 1e-7], kind)):
        found = dense.cofactors(a)
        wide = a.astype(np.complex128 if np.dtype(kind).kind == "c" else np.float64)
        wanted = np.empty_like(wide)
        for i in range(4):
            for j in range(4):
                minor = np.delete(np.delete(wide, i, -2), j, -1)
                wanted[..., i, j] = (-1) ** (i + j) * np.linalg.det(minor)
        np.testing.assert_allclose(found, wanted, 2e-3, 2e-3)
