"""x[index] and x[index] = value beside PyTorch: random index expressions, views, errors."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula

torch = pytest.importorskip("torch")
hypothesis = pytest.importorskip("hypothesis")
st = pytest.importorskip("hypothesis.strategies")

QUICK = hypothesis.settings(
    max_examples=150, deadline=None, derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)  # fmt: skip


class Index:
    """An index tensor, mask or list, made for either library."""

    def __init__(self, kind, data):
        self.kind, self.data = kind, data

    def __repr__(self):
        return f"{self.kind}{self.data}"

    def of(self, library):
        if self.kind == "list":
            return self.data
        if self.kind == "array":
            return np.array(self.data)
        kinds = {"mask": library.bool, "int32": library.int32}
        found = np.array(self.data, bool if self.kind == "mask" else np.int64)
        return library.tensor(found.tolist(), dtype=kinds.get(self.kind, library.int64)).reshape(
            found.shape
        )


def realised(index, library):
    if isinstance(index, Index):
        return index.of(library)
    return tuple([realised(i, library) for i in index]) if isinstance(index, tuple) else index


@st.composite
def slices(draw, n):
    bound = st.one_of(st.none(), st.integers(-n - 2, n + 2))
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3])))


@st.composite
def items(draw, shape, axis, wide):
    """(item, how many dimensions it takes)."""
    n = shape[axis]
    kind = draw(
        st.sampled_from(
            ["int", "slice", "slice", "tensor", "list", "mask", "none", "bool", "array"]
        )
    )
    if kind == "none":
        return None, 0
    if kind == "bool":
        return draw(st.booleans()), 0
    if kind == "slice":
        return draw(slices(n)), 1
    if kind == "mask":
        width = draw(st.integers(1, len(shape) - axis))
        size = int(np.prod(shape[axis : axis + width]))
        bits = draw(st.lists(st.booleans(), min_size=size, max_size=size))
        return Index("mask", np.reshape(bits, shape[axis : axis + width]).tolist()), width
    if n == 0:
        return slice(None), 1
    if kind == "int":
        return draw(st.integers(-n, n - 1)), 1
    count = int(np.prod(wide))
    values = draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count))
    if kind == "tensor":
        kind = draw(st.sampled_from(["int64", "int32", "int64"]))
    return Index(kind, np.reshape(values, wide).tolist()), 1


@st.composite
def subscripts(draw):
    shape = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    wide = draw(st.sampled_from([(2,), (1,), (2, 2), (1, 2), (3,)]))
    found, axis, masks = [], 0, False
    while axis < len(shape) and draw(st.booleans()):
        item, width = draw(items(shape, axis, wide))
        if isinstance(item, Index) and item.kind == "mask":
            if masks:
                break
            masks = True
        found.append(item)
        axis += width
    if draw(st.booleans()):
        found.insert(draw(st.integers(0, len(found))), Ellipsis)
    index = tuple(found)
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else index


def both(shape, grad):
    data = np.arange(np.prod(shape), dtype=np.float64).reshape(shape)
    pair = []
    for library in (facula, torch):
        x = library.tensor(data.tolist(), dtype=library.float64).reshape(shape)
        pair.append(x.requires_grad_() if grad else x)
    return pair


def attempt(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*args), None
        except (IndexError, RuntimeError, ValueError, TypeError) as error:
            return None, error


def same(ours, theirs):
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert str(ours.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(np.array(ours.tolist()), np.array(theirs.tolist()), rtol=1e-12)


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("computed", [False, True])
def test_reading(grad, computed):
    @QUICK
    @hypothesis.given(subscripts())
    def run(case):
        shape, index = case
        ours, theirs = both(shape, grad)
        if not computed:
            ours, theirs = ours * 1, theirs * 1
        a, error = attempt(lambda: ours[realised(index, facula)])
        b, expected = attempt(lambda: theirs[realised(index, torch)])
        assert type(error) is type(expected), (error, expected)
        if expected is not None:
            return
        same(a, b)
        if not grad:
            return
        if index != ():
            assert type(a.grad_fn).__name__ == type(b.grad_fn).__name__
        weights = np.cos(np.arange(b.numel())).reshape(tuple(b.shape)).tolist()
        grads = []
        for library, x, y in ((facula, ours, a), (torch, theirs, b)):
            w = library.tensor(weights, dtype=library.float64).reshape(tuple(y.shape))
            grads += library.autograd.grad((y * w).sum(), x)
        same(*grads)

    run()


@pytest.mark.parametrize("mode", ["computed", "pending", "grad", "view", "numpy", "grad view"])
@pytest.mark.parametrize("what", ["number", "tensor", "grad"])
def test_writing(mode, what):
    @QUICK
    @hypothesis.given(subscripts(), st.booleans())
    def run(case, thin):
        shape, index = case
        results = []
        for library, x in zip((facula, torch), both(shape, "grad" in mode), strict=True):
            results.append(
                attempt(write_once, library, x, realised(index, library), mode, what, thin)
            )
        (ours, error), (theirs, expected) = results
        assert type(error) is type(expected), (error, expected)
        for a, b in zip(ours or (), theirs or (), strict=True):
            same(a, b)

    run()


def write_once(library, x, index, mode, what, thin):
    """Write into a tensor in some state; everything that can be seen afterwards."""
    leaf = x
    shape = tuple(x.shape)
    if mode in ("pending", "grad"):
        x = x * 2
    whole = x
    if mode == "numpy":
        x = whole = library.from_numpy(np.arange(np.prod(shape), dtype=np.float64).reshape(shape))
    if "view" in mode:
        whole = (x * 1).reshape(1, *shape)
        x = whole[0]
    other = whole.reshape(-1)
    value = 7.0
    source = None
    if what != "number":
        target = x[index]
        wide = tuple(target.shape)
        if duplicates(index):
            wide = ()
        wide = (1,) * min(len(wide), 1) + wide[1:] if thin else wide
        n = int(np.prod(wide))
        source = library.tensor((np.arange(n) * 0.5 - 3).tolist(), dtype=library.float64).reshape(
            wide
        )
        if what == "grad":
            source.requires_grad_()
        value = source * 1
    x[index] = value
    found = [x.detach(), whole.detach(), other.detach()]
    needs = [t for t in (leaf, source) if t is not None and t.requires_grad]
    assert x.requires_grad == bool(needs)
    if needs:
        w = library.tensor(np.cos(np.arange(x.numel())).tolist(), dtype=library.float64).reshape(
            shape
        )
        found += library.autograd.grad((x * w * w).sum() + (whole * 0.5).sum(), needs)
    return found


def duplicates(index):
    """Whether an index may name an element twice: then only one value is well defined."""
    index = index if isinstance(index, tuple) else (index,)
    return any(hasattr(i, "tolist") or isinstance(i, list) for i in index)


ERRORS = [
    "x[5]", "x[-4]", "x[0, 0, 0]", "x[::-1]", "x[::0]", "x[1.0]", "x['a']", "x[{}]", "x[0, 4]",
    "x[torch.tensor([1.0])]", "x[torch.tensor([3])]", "x[torch.tensor([-4])]", "x[[7]]",
    "x[torch.tensor([True, False])]", "x[torch.tensor([[True, False]])]", "x[[0, 1], [0, 1, 2]]",
    "s[0]", "s[:]", "s[[0]]", "x[1:2.5]", "x[torch.tensor([0, 1], dtype=torch.int16)]",
    "x.__setitem__(5, 1)", "x.__setitem__(0, torch.ones(3))", "x.__setitem__(0, 'a')",
    "x.__setitem__(0, None)", "x.__setitem__(0, [1, 2, 3, 4])", "x.__setitem__(0, 1j)",
    "x.__setitem__(torch.tensor([0, 2]), torch.ones(3))", "u.__setitem__(0, 300)",
    "x.__setitem__(torch.tensor([0, 2]), torch.ones(2, 4).double())", "s.__setitem__(0, 1)",
    "x.__setitem__(x[:, 0] > 1, torch.ones(3, 4))", "x.__setitem__(torch.tensor([5]), 1)",
    "w.__setitem__(0, 1.0)", "w.__setitem__(torch.tensor([0]), 1.0)", "w[0].add_(1)", "w.add_(1)",
    "w[:2].mul_(2)", "torch.ones(1).expand(3).add_(1)", "torch.ones(2).add_(torch.ones(3, 2))",
    "torch.ones(2, dtype=torch.int64).add_(1.5)", "torch.ones(2, dtype=torch.bool).add_(1)",
]  # fmt: skip


@pytest.mark.parametrize("expression", ERRORS)
def test_errors(expression):
    found = []
    for library in (facula, torch):
        given = {
            "torch": library,
            "x": library.arange(12.0).reshape(3, 4),
            "s": library.tensor(3.0),
            "u": library.zeros(3, dtype=library.uint8),
            "w": library.ones(3, requires_grad=True),
        }
        found.append(attempt(eval, expression, given)[1])
    ours, theirs = found
    assert theirs is not None
    assert type(ours) is type(theirs), ours
    assert str(ours)[:40] == str(theirs)[:40]


def test_views_and_histories():
    m = facula.ones(2, 2, requires_grad=True)
    n = facula.zeros(2, 2)
    row = n[0]
    n[0, 0] = m[0, 0] ** 2
    assert type(n.grad_fn).__name__ == "CopySlices"
    assert row.requires_grad and row[0].item() == 1.0
    n.sum().backward()
    assert m.grad.tolist() == [[2.0, 0.0], [0.0, 0.0]]


def test_shared_memory():
    array = np.arange(6.0).reshape(2, 3)
    x = facula.from_numpy(array)
    x[0, 1] = 50
    assert array[0, 1] == 50
    x[facula.tensor([1])] = -1.0
    assert array[1].tolist() == [-1.0, -1.0, -1.0]
    array[0, 0] = 9
    assert x[0].tolist() == [9.0, 50.0, 2.0]
    rows = x[[0, 0]]
    array[0, 0] = 1
    assert rows[0, 0].item() == 9.0


def test_old_values_stay():
    x = facula.zeros(3)
    y = x * 1
    z = x + 0
    x[0] = 1.0
    assert y.tolist() == [0.0, 0.0, 0.0] and z.tolist() == [0.0, 0.0, 0.0]
    kept = x[:2].clone()
    x[1] = 2.0
    assert kept.tolist() == [1.0, 0.0] and x.tolist() == [1.0, 2.0, 0.0]
