"""Sorting, ranks, distinct values, counts: beside PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import check

torch = pytest.importorskip("torch")

rng = np.random.RandomState(0)
X = rng.permutation(24).reshape(2, 3, 4).astype(np.float64) / 4
V = np.array([3.0, np.nan, 1.0, 2.0, np.nan, 0.5])
TIES = np.array([[3, 1, 2, 1], [4, 4, 0, 2], [1, 5, 5, 5]])
SCALAR = np.array(2.5)

CASES = {
    "msort": (lambda t, x: t.msort(x), X),
    "sort 0-d": (lambda t, x: t.sort(x), SCALAR),
    "sort bool": (lambda t, x: x.sort(), TIES > 1),
    "argsort": (lambda t, x: t.argsort(x, 1, True), X),
    "argsort stable": (lambda t, x: x.argsort(dim=0, stable=True), TIES),
    "topk": (lambda t, x: t.topk(x, 2), X),
    "topk smallest": (lambda t, x: x.topk(2, dim=1, largest=False), X),
    "topk 0": (lambda t, x: x.topk(0), X),
    "kthvalue": (lambda t, x: t.kthvalue(x, 2, 1), X),
    "kthvalue kept": (lambda t, x: x.kthvalue(3, keepdim=True), X),
    "kthvalue nan": (lambda t, x: x.kthvalue(4)[0], V),
    "median": (lambda t, x: t.median(x), X),
    "median ties": (lambda t, x: x.median(), TIES.astype(float)),
    "median dim": (lambda t, x: t.median(x, 1), X),
    "median dim kept": (lambda t, x: x.median(-1, keepdim=True), X),
    "median nan": (lambda t, x: (x.median(), x.median(0)), V),
    "nanmedian": (lambda t, x: (x.nanmedian(), x.nanmedian(0)), V),
    "nanmedian dim": (lambda t, x: x.nanmedian(1), X),
    "median long": (lambda t, x: x.median(1)[0], TIES),
    "mode": (lambda t, x: t.mode(x)[0], TIES),
    "mode dim": (lambda t, x: x.mode(0, keepdim=True)[0], TIES),
    "mode many": (lambda t, x: x.mode(0)[0], np.random.RandomState(1).randint(0, 3, (7, 40))),
    "mode grad": (lambda t, x: x.mode(1), X),
    "unique": (lambda t, x: t.unique(x, return_inverse=True, return_counts=True), TIES),
    "unique nan": (lambda t, x: t.unique(x.detach()), V),
    "unique dim 0": (
        lambda t, x: t.unique(x, dim=0, return_inverse=True, return_counts=True),
        TIES[[0, 1, 0]],
    ),
    "unique dim 1": (lambda t, x: x.unique(dim=1, return_inverse=True), TIES),
    "unique bool": (lambda t, x: x.unique(return_counts=True), TIES > 1),
    "consecutive": (lambda t, x: t.unique_consecutive(x, True, True), TIES),
    "consecutive dim": (
        lambda t, x: x.unique_consecutive(return_counts=True, dim=0),
        TIES[[0, 0, 1]],
    ),
    "searchsorted": (lambda t, x, v: t.searchsorted(x, v), np.array([1, 3, 5]), TIES),
    "searchsorted right": (
        lambda t, x, v: t.searchsorted(x, v, right=True),
        np.sort(X, -1),
        X[..., :2].copy(),
    ),
    "searchsorted number": (
        lambda t, x: t.searchsorted(x, 2.5, out_int32=True),
        np.array([1, 3, 5]),
    ),
    "searchsorted sorter": (
        lambda t, x, v, o: t.searchsorted(x, v, sorter=o),
        np.array([3, 1, 2]),
        np.array([2]),
        np.array([1, 2, 0]),
    ),
    "bucketize": (lambda t, x, b: t.bucketize(x, b, right=True), TIES, np.array([1.0, 3.0])),
    "isin": (lambda t, x, v: t.isin(x, v), TIES, np.array([1, 5])),
    "isin number": (lambda t, x: (t.isin(x, 1), t.isin(1, x)), TIES),
    "isin nan": (lambda t, x: t.isin(x, x, invert=True), V),
    "isin empty": (lambda t, x: t.isin(x, t.tensor([])), TIES),
    "bincount": (lambda t, x: t.bincount(x, minlength=9), TIES[0]),
    "bincount weights": (lambda t, x, w: x.bincount(w), TIES[0], np.array([1.0, 2.0, 3.0, 4.0])),
    "histc": (lambda t, x: (t.histc(x, 5), x.histc(4, 1, 3)), X),
    "histogram": (lambda t, x: t.histogram(x.detach(), 3), X),
    "histogram edges": (
        lambda t, x, e: t.histogram(x.detach(), e.detach()),
        X,
        np.array([0.0, 1.0, 3.0]),
    ),
    "histogram density": (
        lambda t, x: t.histogram(x.detach(), 3, range=(0.0, 6.0), density=True),
        X,
    ),
}
for down in (False, True):
    for axis in (0, 1, -1):
        CASES[f"sort {axis} {down}"] = (lambda t, x, a=axis, d=down: t.sort(x, a, d), X)
    CASES[f"sort ties {down}"] = (lambda t, x, d=down: x.sort(stable=True, descending=d), TIES)
    CASES[f"sort nan {down}"] = (lambda t, x, d=down: x.sort(stable=True, descending=d), V)
for kind in ("linear", "lower", "higher", "nearest", "midpoint"):
    for keep in (False, True):
        CASES[f"quantile {kind} {keep}"] = (
            lambda t, x, q, k=kind, d=keep: (
                t.quantile(x, 0.3, interpolation=k, keepdim=d),
                t.quantile(x, 0.7, 1, d, interpolation=k),
                x.quantile(q.detach(), 0, d, interpolation=k),
                x.quantile(q.detach(), keepdim=d, interpolation=k),
                x.quantile(q.detach(), -1, d, interpolation=k),
            ),
            X,
            np.array([0.1, 0.5, 1.0]),
        )
CASES["quantile nan"] = (
    lambda t, x: (x.quantile(0.5), x.nanquantile(0.5), x.nanquantile(0.9, 0)),
    V,
)
CASES["quantile 0-d"] = (lambda t, x: x.quantile(0.5), SCALAR)
WITHOUT_GRAD = (
    "unique",
    "consecutive",
    "searchsorted",
    "bucketize",
    "isin",
    "bincount",
    "hist",
    "arg",
)


@pytest.mark.parametrize("name", CASES)
def test_like_torch(name):
    function, *inputs = CASES[name]
    grad = inputs[0].dtype.kind == "f" and not name.startswith(WITHOUT_GRAD)
    check(function, *inputs, grad=grad, second=grad, names=not name.startswith("quantile"))


def test_named_results():
    values, indices = facula.sort(facula.tensor([2, 1]))
    assert values.tolist() == [1, 2] and indices.tolist() == [1, 0]
    assert facula.topk(facula.tensor([2, 1]), 1).indices.tolist() == [0]
    assert repr(facula.tensor([3, 1]).sort()) == repr(torch.tensor([3, 1]).sort())


ERRORS = """
x.topk(5)|x.topk(-1)|x.topk(2, dim=3)|b.topk(1)|x.kthvalue(5)|x.kthvalue(0)|E.median(0)
b.median()|e.mode()|x.sort(3)
x.quantile(1.5)|x.quantile(torch.tensor([1.5]))|L.quantile(0.5)|e.quantile(0.5)
x.quantile(torch.tensor([0.5]).double())
x.quantile(torch.tensor([[0.5]]))|x.quantile(0.3, interpolation='foo')
torch.searchsorted(x, torch.ones(2, 2))
torch.searchsorted(L, 2, side='left', right=True)|torch.searchsorted(L, 2, side='foo')
torch.bucketize(L, x)
torch.isin(b, b)|torch.histc(L, 4)|torch.histc(x, 0)|torch.histc(x, 2, 3, 1)|torch.bincount(x)
torch.bincount(torch.tensor([-1]))|torch.bincount(L, weights=torch.ones(2))
torch.bincount(L, minlength=-1)|c.sort()
"""


@pytest.mark.parametrize(
    "expression", [e for line in ERRORS.strip().splitlines() for e in line.split("|")]
)
def test_errors(expression):
    found = []
    for library in (facula, torch):
        given = {
            "torch": library,
            "x": library.arange(12.0).reshape(3, 4),
            "b": library.tensor([True, False]),
            "e": library.zeros(0),
            "E": library.zeros(0, 3),
            "L": library.tensor([3, 1, 2]),
            "c": library.tensor([1j]),
        }
        with pytest.raises((RuntimeError, IndexError, TypeError)) as caught:
            eval(expression, given)
        found.append(caught.value)
    ours, theirs = found
    assert type(ours) is type(theirs), ours
    assert str(ours)[:30] == str(theirs)[:30]
