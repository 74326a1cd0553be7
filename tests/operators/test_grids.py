"""Grids, differences, integrals and covariance against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference

RNG = np.random.default_rng(8)
V3, V4, M34 = RNG.normal(size=3), RNG.normal(size=4), RNG.normal(size=(3, 4))
POINTS = np.array([0.0, 1.0, 3.0, 4.5])
Z = M34 + 1j * RNG.normal(size=(3, 4))
CASES = {
    "meshgrid": (lambda t, a, b: t.meshgrid(a, b, indexing="ij"), V3, V4),
    "meshgrid_xy": (lambda t, a, b: t.meshgrid([a, b], indexing="xy"), V3, V4),
    "meshgrid_scalar": (lambda t, a, b: t.meshgrid(a[0], b, indexing="ij"), V3, V4),
    "cartesian_prod": (lambda t, a, b: t.cartesian_prod(a, b), V3, V4),
    "cartesian_prod_one": (lambda t, a: t.cartesian_prod(a), V3),
    "combinations": (lambda t, a: t.combinations(a), V4),
    "combinations_3": (lambda t, a: t.combinations(a, 3, True), V3),
    "combinations_none": (lambda t, a: t.combinations(a.detach(), 4), V3),
    "combinations_0": (lambda t, a: t.combinations(a.detach(), 0), V3),
    "block_diag": (lambda t, a, b, c: t.block_diag(a, b, c[0]), M34, V3, V4),
    "diff": (lambda t, a: t.diff(a), M34),
    "diff_2": (lambda t, a: a.diff(2, dim=0), M34),
    "diff_ends": (lambda t, a, b: t.diff(a, prepend=b, append=b), V3, V4),
    "diff_too_often": (lambda t, a: t.diff(a.detach(), n=7), M34),
    "trapezoid": (lambda t, a: t.trapezoid(a), M34),
    "trapz_dx": (lambda t, a: t.trapz(a, dx=0.5, dim=0), M34),
    "trapezoid_x": (lambda t, a, b: t.trapezoid(a, b), M34, POINTS),
    "trapezoid_x_dim": (lambda t, a, b: t.trapezoid(a, b, dim=0), M34, V3),
    "cumulative_trapezoid": (lambda t, a: t.cumulative_trapezoid(a, dx=2.0), M34),
    "cumulative_trapezoid_x": (lambda t, a, b: t.cumulative_trapezoid(a, b), M34, POINTS),
    "gradient": (lambda t, a: t.gradient(a), M34),
    "gradient_edge": (lambda t, a: t.gradient(a, spacing=[2.0, 0.5], edge_order=2), M34),
    "gradient_points": (lambda t, a, b: t.gradient(a, spacing=(b.detach(),), dim=1), M34, POINTS),
    "gradient_points_edge": (
        lambda t, a, b: t.gradient(a, spacing=(b.detach(),), dim=1, edge_order=2),
        M34,
        POINTS,
    ),
    "cov": (lambda t, a: t.cov(a), M34),
    "cov_vector": (lambda t, a: a.cov(correction=0), V4),
    "cov_weights": (
        lambda t, a, w: t.cov(a, fweights=t.tensor([1, 2, 1, 3]), aweights=w.detach()),
        M34,
        np.array([0.5, 1.0, 2.0, 1.0]),
    ),
    "cov_complex": (lambda t, a: t.cov(a), Z),
    "corrcoef": (lambda t, a: t.corrcoef(a), M34),
    "corrcoef_vector": (lambda t, a: t.corrcoef(a), V4),
    "corrcoef_complex": (lambda t, a: t.corrcoef(a.detach()), Z),
}
FREE_NAMES = {
    "combinations", "combinations_3", "cartesian_prod_one", "cumulative_trapezoid",
    "cumulative_trapezoid_x", "trapz_dx", "trapezoid", "corrcoef_vector", "cov_complex", "gradient",
    "gradient_edge", "gradient_points", "gradient_points_edge", "trapezoid_x", "trapezoid_x_dim",
    "corrcoef",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_like_pytorch(name):
    function, *inputs = CASES[name]
    check(function, *inputs, names=name not in FREE_NAMES)


def test_integers_and_bools():
    check(lambda t, a: t.diff(a), np.array([1, 4, 9]), grad=False)
    check(lambda t, a: t.diff(a), np.array([True, False, False]), grad=False)
    check(lambda t, a: t.trapezoid(a), np.array([1, 2, 4]), grad=False)
    check(lambda t, a: t.gradient(a), np.array([[1, 2, 4], [4, 8, 9]]), grad=False)
    check(lambda t, a: t.cov(a), np.array([[1, 2, 4], [0, 1, 5]]), grad=False)
    check(lambda t, a, b: t.block_diag(a, b), np.array([[1, 2]]), np.array([[0.5]]), grad=False)


FAILING = {
    "mesh_matrix": lambda t: t.meshgrid(t.ones(2, 2), indexing="ij"),
    "mesh_indexing": lambda t: t.meshgrid(t.ones(2), indexing="zz"),
    "mesh_dtypes": lambda t: t.meshgrid(t.ones(2), t.arange(2), indexing="ij"),
    "product_matrix": lambda t: t.cartesian_prod(t.ones(2, 2)),
    "choose_negative": lambda t: t.combinations(t.ones(2), -1),
    "block_3d": lambda t: t.block_diag(t.ones(1, 1, 1)),
    "diff_scalar": lambda t: t.diff(t.tensor(1.0)),
    "diff_order": lambda t: t.diff(t.ones(3), n=-1),
    "trapz_points": lambda t: t.trapz(t.ones(3), t.ones(2)),
    "trapz_scalar": lambda t: t.trapz(t.tensor(1.0)),
    "gradient_size": lambda t: t.gradient(t.ones(1)),
    "gradient_edge": lambda t: t.gradient(t.ones(4), edge_order=3),
    "gradient_spacing": lambda t: t.gradient(t.ones(3, 3), spacing=[1.0]),
    "cov_3d": lambda t: t.cov(t.ones(2, 2, 2)),
}


@pytest.mark.parametrize("name", FAILING)
def test_errors(name):
    torch = reference()
    with pytest.raises(Exception) as theirs:
        FAILING[name](torch)
    with pytest.raises(Exception) as ours:
        FAILING[name](facula)
    assert type(ours.value) is type(theirs.value)


def test_meshgrid_warns_without_indexing():
    with pytest.warns(UserWarning, match="indexing"):
        facula.meshgrid(facula.arange(2), facula.arange(3))
