"""Operators that read and write at positions, beside PyTorch: values, gradients, names, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula
from tests.operators.compare import check

torch = pytest.importorskip("torch")

X = np.arange(12, dtype=np.float64).reshape(3, 4) / 3 - 1
V = np.array([1.5, -2.0, 0.5])
I = np.array([[0, 1], [2, 0]])
ROWS = np.array([0, 2])
TWICE = np.array([0, 2, 0])
MASK = np.array([[True, False, True, False], [False] * 4, [True] * 4])
S22 = np.array([[2.0, 3.0], [0.0, 5.0]])
S24 = np.arange(8, dtype=np.float64).reshape(2, 4) - 3
SCALAR = np.array(2.5)
LONG = np.arange(12).reshape(3, 4)

CASES = {
    "gather": (lambda t, x, i: t.gather(x, 0, i), X, I),
    "gather 1": (lambda t, x, i: x.gather(1, i), X, I),
    "gather vector": (lambda t, x, i: x.gather(0, i), V, TWICE),
    "gather 0-d": (lambda t, x, i: x.gather(0, i), SCALAR, np.array([0, 0])),
    "gather 0-d index": (lambda t, x, i: x.gather(0, i), SCALAR, np.array(0)),
    "take_along_dim": (
        lambda t, x, i: t.take_along_dim(x, i, 1),
        X,
        np.array([[0, 3], [1, 1], [2, 0]]),
    ),
    "take_along_dim wide": (lambda t, x, i: t.take_along_dim(x, i, 1), X, np.array([[0, 3]])),
    "take_along_dim flat": (lambda t, x, i: x.take_along_dim(i), X, ROWS),
    "index_select": (lambda t, x, i: t.index_select(x, 1, i), X, TWICE),
    "index_select -1": (lambda t, x, i: x.index_select(-1, i), X, np.array(1)),
    "index_select 0-d": (lambda t, x, i: x.index_select(0, i), SCALAR, np.array([0])),
    "take": (lambda t, x, i: t.take(x, i), X, np.array([[0, 11], [-1, 0]])),
    "masked_select": (lambda t, x, m: t.masked_select(x, m), X, MASK),
    "masked_select row": (lambda t, x, m: x.masked_select(m), X, MASK[0]),
    "masked_select wide": (lambda t, x, m: x.masked_select(m), V[:, None], MASK),
    "nonzero": (lambda t, x: t.nonzero(x > 0), X),
    "nonzero tuple": (lambda t, x: x.nonzero(as_tuple=True), LONG),
    "nonzero 0-d": (lambda t, x: (x.nonzero(), x.nonzero(as_tuple=True)), SCALAR),
    "argwhere": (lambda t, x: t.argwhere(x), LONG),
    "where": (lambda t, x: t.where(x > 0), X),
    "repeat_interleave": (lambda t, x: x.repeat_interleave(2, 0), X),
    "repeat_interleave flat": (lambda t, x: t.repeat_interleave(x, 3), X),
    "repeat_interleave counts": (
        lambda t, x, n: t.repeat_interleave(x, n, 1),
        X,
        np.array([1, 0, 2, 1]),
    ),
    "repeat_interleave one": (lambda t, x, n: x.repeat_interleave(n, 0), X, np.array([2])),
    "repeat_interleave alone": (lambda t, n: t.repeat_interleave(n), np.array([1, 0, 2])),
    "unravel_index": (lambda t, i: t.unravel_index(i, (3, 4)), np.array([3, 11, 0])),
    "scatter": (lambda t, x, i, s: t.scatter(x, 0, i, s), X, I, S22),
    "scatter value": (lambda t, x, i: x.scatter(1, i, 7.0), X, I),
    "scatter long": (lambda t, x, i: x.scatter(1, i, 7), LONG, I),
    "scatter 0-d": (lambda t, x, i, s: x.scatter(0, i, s), SCALAR, np.array(0), np.array(4.0)),
    "scatter_add": (
        lambda t, x, i, s: t.scatter_add(x, 1, i, s),
        X,
        np.array([[0, 0], [1, 1]]),
        S22,
    ),
    "index_add": (lambda t, x, i, s: t.index_add(x, 0, i, s), X, np.array([2, 2]), S24),
    "index_add alpha": (lambda t, x, i, s: x.index_add(0, i, s, alpha=0.5), X, ROWS, S24),
    "index_add 1": (lambda t, x, i, s: x.index_add(1, i, s), X, ROWS, S24.reshape(4, 2)[:3]),
    "index_copy": (lambda t, x, i, s: t.index_copy(x, 0, i, s), X, ROWS, S24),
    "index_fill": (lambda t, x, i: x.index_fill(1, i, 9.0), X, ROWS),
    "index_fill tensor": (lambda t, x, i, v: x.index_fill(0, i, v), X, np.array([1, 1]), SCALAR),
    "index_put": (lambda t, x, i, s: t.index_put(x, (i,), s), X, ROWS, S24),
    "index_put two": (lambda t, x, i, v: x.index_put((i, i), v), X, ROWS, V[:2]),
    "index_put add": (lambda t, x, i, v: x.index_put((i,), v, accumulate=True), X, TWICE, SCALAR),
    "index_put mask": (lambda t, x, m, v: x.index_put((m,), v), X, MASK, SCALAR),
    "index_put mask many": (lambda t, x, m, v: x.index_put((m,), v), X, MASK, np.arange(6.0)),
    "masked_fill": (lambda t, x, m: t.masked_fill(x, m, 4.0), X, MASK),
    "masked_fill wide": (lambda t, x, m: x.masked_fill(m, -1), V[:, None], MASK),
    "masked_fill tensor": (lambda t, x, m, v: x.masked_fill(m, v), X, MASK, SCALAR),
    "masked_fill long": (lambda t, x, m: x.masked_fill(m, 1.5), LONG, MASK),
    "masked_scatter": (lambda t, x, m, s: t.masked_scatter(x, m, s), X, MASK, np.arange(8.0)),
    "put": (lambda t, x, i, s: t.put(x, i, s), X, np.array([0, -1]), V[:2]),
    "put add": (
        lambda t, x, i, s: x.put(i, s, accumulate=True),
        X,
        np.array([[0, 1], [0, 5]]),
        S22,
    ),
}

NAMELESS = {
    "index_add alpha": "ours scales the source first",
    "repeat_interleave": "PyTorch shows the last of its steps",
    "repeat_interleave flat": "",
    "masked_scatter": "",
}
for reduce in ("sum", "prod", "mean", "amax", "amin"):
    for own in (True, False):
        CASES[f"scatter_reduce {reduce} {own}"] = (
            lambda t, x, i, s, reduce=reduce, own=own: x.scatter_reduce(
                0, i, s, reduce, include_self=own
            ),
            X,
            np.array([[0, 2], [0, 0]]),
            S22,
        )
    if reduce != "sum":
        CASES[f"index_reduce {reduce}"] = (
            lambda t, x, i, s, reduce=reduce: x.index_reduce(0, i, s, reduce),
            X,
            np.array([2, 2]),
            S24,
        )


@pytest.mark.parametrize("name", CASES)
@pytest.mark.filterwarnings("ignore:scatter_reduce:UserWarning", "ignore:index_reduce:UserWarning")
def test_like_torch(name):
    function, *inputs = CASES[name]
    grad = any(isinstance(x, np.ndarray) and x.dtype.kind == "f" for x in inputs)
    second = grad and "reduce" not in name
    check(function, *inputs, grad=grad, second=second, names=name not in NAMELESS)


SCATTERED_VIEWS = {
    "scatter part": (lambda t, x, i, s: x.scatter(1, i, s), X, I, S24),
    "select_scatter": (lambda t, x, s: t.select_scatter(x, s, 0, -1), X, S24[0]),
    "slice_scatter": (lambda t, x, s: t.slice_scatter(x, s, 1, 0, 3, 2), X, np.ones((3, 2))),
    "diagonal_scatter": (lambda t, x, s: t.diagonal_scatter(x, s, 1), X, V),
    "scatter multiply": (lambda t, x, i, s: x.scatter(0, i, s, reduce="multiply"), X, I, S22),
    "scatter add": (lambda t, x, i: x.scatter(0, i, 2.0, reduce="add"), X, I),
}


@pytest.mark.parametrize("name", SCATTERED_VIEWS)
@pytest.mark.filterwarnings("ignore:The reduce argument:UserWarning")
def test_values(name):
    function, *inputs = SCATTERED_VIEWS[name]
    check(function, *inputs, grad="_" in name, names=False)


@pytest.mark.parametrize(
    "name",
    [
        "masked_fill_",
        "scatter_",
        "scatter_add_",
        "index_fill_",
        "index_add_",
        "index_copy_",
        "index_put_",
        "put_",
        "masked_scatter_",
    ],
)
def test_in_place(name):
    arguments = {
        "masked_fill_": lambda t: (t.tensor(MASK.tolist()), 2.0),
        "scatter_": lambda t: (0, t.tensor(I.tolist()), 2.0),
        "scatter_add_": lambda t: (0, t.tensor(I.tolist()), t.ones(2, 2)),
        "index_fill_": lambda t: (0, t.tensor([0]), 2.0),
        "index_add_": lambda t: (0, t.tensor([0]), t.ones(1, 4)),
        "index_copy_": lambda t: (0, t.tensor([0]), t.ones(1, 4)),
        "index_put_": lambda t: ((t.tensor([0]), t.tensor([1])), t.tensor(5.0)),
        "put_": lambda t: (t.tensor([1]), t.tensor([9.0])),
        "masked_scatter_": lambda t: (t.tensor(MASK.tolist()), t.arange(12.0)),
    }[name]
    found = []
    for library in (facula, torch):
        x = library.zeros(3, 4)
        view = x[0]
        y = getattr(x, name)(*arguments(library))
        assert y is x
        found.append((x.tolist(), view.tolist()))
    assert found[0] == found[1]


ERRORS = """
x.gather(0, B)|x.gather(0, i)|x.gather(0, torch.zeros(2, 5, dtype=torch.long))|x.gather(0, f)
x.gather(5, I)
x.scatter(0, B, 1.0)|x.scatter(0, I, torch.ones(1, 1))|x.scatter(0, i, 1.0)
x.scatter(0, I, s.double())
x.scatter(0, I, s, reduce='foo')|x.scatter_reduce(0, I, s, 'foo')|x.scatter(0, f, 1.0)
x.scatter_add(0, I, s.double())
x.index_select(0, B)|x.index_select(0, torch.tensor([7]))|x.index_select(0, n)|x.index_select(0, f)
x.index_add(0, torch.tensor([7]), torch.ones(1, 4))|x.index_add(0, i, torch.ones(1, 4))
x.index_add(0, i, torch.ones(2, 3))|x.index_add(0, i, torch.ones(2, 4).double())
x.index_add(0, n, torch.ones(1, 4))
x.index_copy(0, torch.tensor([7]), torch.ones(1, 4))|x.index_copy(0, i, torch.ones(1, 4))
x.index_fill(0, torch.tensor([7]), 1.0)|x.index_fill(0, i, torch.ones(2))
x.index_put((i,), torch.ones(3, 4))
x.index_put((i,), torch.ones(2, 4).double())|x.index_put((torch.tensor([7]),), torch.tensor(1.0))
x.index_put((m,), torch.ones(99))|x.masked_fill(m.long(), 1.0)|x.masked_fill(m, torch.ones(2))
x.masked_fill(m, 1j)
x.masked_fill(m[:2], 1.0)|x.masked_select(m.long())
x.masked_scatter(torch.ones(3, 4).bool(), torch.ones(3))
x.masked_scatter(m, torch.ones(12).double())|x.take(torch.tensor([12]))|x.take(f)
x.put(torch.tensor([12]), torch.ones(1))
x.put(i, torch.ones(3))|x.take_along_dim(f[None], 1)|x.select_scatter(torch.ones(3), 0, 1)
x.slice_scatter(torch.ones(3), 0, 1)|x.diagonal_scatter(torch.ones(4))
x.repeat_interleave(torch.tensor([1, 2]), 0)
x.repeat_interleave(-1)|x.repeat_interleave(torch.tensor([-1, 1, 1]), 0)
x.index_reduce(0, i, torch.ones(2, 4), 'sum')
x.repeat_interleave(torch.tensor([1, 2, 3]), 0, output_size=7)|torch.ones(4).masked_fill_(m, 0.0)
"""
ERRORS = [e for line in ERRORS.strip().splitlines() for e in line.split("|")]


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression):
    found = []
    for library in (facula, torch):
        given = {
            "torch": library,
            "x": library.arange(12.0).reshape(3, 4),
            "i": library.tensor([0, 2]),
            "m": library.tensor(MASK.tolist()),
            "I": library.tensor(I.tolist()),
            "B": library.tensor([[0, 7]]),
            "s": library.ones(2, 2),
            "f": library.tensor([0.5]),
            "n": library.tensor([-1]),
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises((RuntimeError, IndexError, TypeError)) as caught:
                eval(expression, given)
        found.append(caught.value)
    ours, theirs = found
    assert type(ours) is type(theirs), ours
    assert str(ours)[:30] == str(theirs)[:30]


@pytest.mark.parametrize("shape", [(1, 0, 0), (0,), (5, 0)])
def test_gather_of_nothing_keeps_its_history(shape):
    """PyTorch: whatever the other sizes, the result requires gradients, which are zeros."""
    x = facula.randn(2, 3, 4, requires_grad=True)
    found = facula.gather(x, 0, facula.zeros(shape, dtype=facula.int64))
    assert found.shape == shape and found.grad_fn.name() == "GatherBackward0"
    found.sum().backward()
    assert x.grad.shape == (2, 3, 4) and not x.grad.any()
