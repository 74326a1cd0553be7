"""torch.* functions beside their namesakes in nn.functional, splits, fmax, in-place functions."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import facula
from tests.operators.cases import array
from tests.operators.compare import check

torch = pytest.importorskip("torch")

X = array((3, 4), np.float64)
Y = array((3, 4), np.float64, 1)
C = array((4,), np.float64, 2)
CUBE = array((2, 4, 4), np.float64)
SIGN = np.array([1.0, -1.0, 1.0])
NANS = np.array([1.0, 2.0, np.nan, np.nan, 3.0])
OTHER = np.array([1.0, np.nan, 2.0, np.nan, 1.0])
PLACES = np.array([[0, 2], [1, 1]])
LABELS = np.array([[1, 2], [3, 1], [2, 3]])
TIMES = array((6, 3, 4), np.float64)

CASES = {
    "fmax": (lambda t, a, b: t.fmax(a, b), NANS, OTHER),
    "fmin": (lambda t, a, b: a.fmin(b), NANS, OTHER),
    "fmax values": (lambda t, a, b: t.fmax(a, b), X, Y[:1]),
    "fmin promoted": (lambda t, a, b: t.fmin(a, b), PLACES, np.array([0.5, 1.5])),
    "diagflat": (lambda t, x: (t.diagflat(x, 1), x.diagflat(-2)), X),
    "hsplit": (lambda t, x: t.hsplit(x, 2), X),
    "hsplit at": (lambda t, x: x.hsplit([1, 3]), X),
    "hsplit vector": (lambda t, x: t.hsplit(x, (1,)), C),
    "vsplit": (lambda t, x: (*t.vsplit(x, 3), *x.vsplit((1,))), X),
    "dsplit": (lambda t, x: (*t.dsplit(x, 2), *x.dsplit([3])), CUBE),
    "positive": (lambda t, x: (t.positive(x) * 2, +x * 3), X),
    "reversed": (lambda t, x: x.__reversed__(), X),
    "fill_diagonal_": (lambda t, x: (x * 2).fill_diagonal_(5.0), X),
    "fill_diagonal_ wrap": (lambda t, x: (x.t() * 2).reshape(6, 2).fill_diagonal_(5, True), X),
    "fill_diagonal_ cube": (lambda t, x: (x[:, :2, :2] * 2).fill_diagonal_(5.0), CUBE),
    "shifts": (lambda t, x: (2 << x, 200 >> x, x << 1), PLACES),
    "relu_": (lambda t, x: t.relu_(x * 2), X),
    "clamp_": (lambda t, x: t.clamp_(x * 2, -0.5, max=0.5), X),
    "exp_": (lambda t, x: t.exp_(x * 2), X),
    "zero_": (lambda t, x: t.zero_(x * 2) + x, X),
    "fill_": (lambda t, x: (t.fill_(x * 2, 3.0), t.fill(x, 2)), PLACES),
    "celu_": (lambda t, x: (t.celu_(x * 2, 0.5), t.selu_(x * 2)), X),
    "threshold_": (lambda t, x: t.threshold_(x * 2, 0.1, 7.0), X),
    "rrelu_": (lambda t, x: t.rrelu_(x * 2), X),
    "dropout_": (lambda t, x: (t.dropout_(x * 2, 1, True), t.alpha_dropout_(x * 2, 0, True)), X),
    "logits": (
        lambda t, a, b: t.binary_cross_entropy_with_logits(
            a, b.detach().abs(), None, t.arange(4.0), 2
        ),
        X, Y,
    ),
    "kl_div": (lambda t, a, b: t.kl_div(a, b, 1, log_target=True), X, Y),
    "cosine": (lambda t, a, b, s: t.cosine_embedding_loss(a, b, s.detach(), 0.1, 0), X, Y, SIGN),
    "hinge": (lambda t, a: t.hinge_embedding_loss(a, t.ones_like(a), 1.0), X),
    "ranking": (lambda t, a, b: t.margin_ranking_loss(a, b, t.ones_like(a), 0.2, 2), X, Y),
    "triplet": (lambda t, *a: t.triplet_margin_loss(*a, reduction=1), X, Y, X[::-1].copy()),
    "poisson": (lambda t, a, b: t.poisson_nll_loss(a, b.detach(), True, False, 1e-8, 2), X, Y),
    "ctc": (
        lambda t, x, y: t.ctc_loss(x.log_softmax(2), y, (6, 5, 6), (2, 2, 1), 0, 1, True),
        TIMES, LABELS,
    ),
    "embedding": (lambda t, w, i: t.embedding(w, i, 1, True), X, PLACES),
    "batch_norm": (
        lambda t, x, w: t.batch_norm(x, w, None, None, None, True, 0.1, 1e-5, False), X, C,
    ),
    "instance_norm": (
        lambda t, x, w: t.instance_norm(x, w, w, None, None, True, 0.1, 1e-5, False), CUBE, C,
    ),
    "adaptive_max_pool1d": (lambda t, x: t.adaptive_max_pool1d(x, 3), CUBE),
    "as_strided_": (lambda t, x: (x * 2).as_strided_((2, 2), (1, 4), 1), X),
    "new_empty_strided": (
        lambda t, x: [[*x.new_empty_strided((2, 3), (1, 2)).stride()], [str(x.dtype)]], X,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_beside_pytorch(name):
    function, *inputs = CASES[name]
    # PyTorch numbers the nodes of some in-place functions apart, and of fused losses
    named = not name.split()[0].endswith("_") and "norm" not in name
    check(function, *inputs, names=named)


REFUSED = [
    lambda t: t.hsplit(t.ones(4), 3),
    lambda t: t.hsplit(t.ones(2, 4), 0),
    lambda t: t.hsplit(t.tensor(1.0), 1),
    lambda t: t.vsplit(t.ones(3), 1),
    lambda t: t.dsplit(t.ones(2, 2), 2),
    lambda t: t.fmax(t.ones(1) * 1j, t.ones(1)),
    lambda t: t.positive(t.tensor(True)),
    lambda t: +t.tensor([True]),
    lambda t: t.zeros(3).fill_diagonal_(1.0),
    lambda t: t.zeros(2, 3, 2).fill_diagonal_(1.0),
    lambda t: t.ones(2).coalesce(),
    lambda t: t.ones(2).indices(),
    lambda t: t.ones(2).values(),
    lambda t: t.ones(2).is_coalesced(),
    lambda t: t.ones(3) @ 3,
    lambda t: t.ones(3).__iadd__("a") + 1,
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_refusals_are_pytorchs(number):
    found = []
    for library in (facula, torch):
        with pytest.raises(Exception) as error:  # which one is the question
            REFUSED[number](library)
        found.append((type(error.value), str(error.value)))
    assert found[0] == found[1]


def test_numbers_of_reductions_only():
    with pytest.raises(TypeError, match="must be int"):
        facula.kl_div(facula.zeros(2), facula.ones(2), "mean")


@pytest.mark.parametrize("library", [facula, torch], ids=["facula", "torch"])
@pytest.mark.filterwarnings("ignore:__array_wrap__")
def test_augmented_with_an_array_makes_a_new_tensor(library):
    t = before = library.ones(3)
    t += np.ones(3)
    assert t.tolist() == [2, 2, 2]
    assert t.dtype == library.float64
    assert before.tolist() == [1, 1, 1]
    assert (library.ones(3) @ np.ones(3)).item() == 3


@pytest.mark.parametrize("library", [facula, torch], ids=["facula", "torch"])
def test_foreign_types_have_their_say(library):
    class Other:
        def __radd__(self, tensor):
            return "radd"

        def __rmatmul__(self, tensor):
            return "rmatmul"

    t = library.ones(3)
    assert t @ Other() == "rmatmul"
    t += Other()
    assert t == "radd"
    with pytest.raises(TypeError, match="unsupported operand type"):
        t = library.ones(3)
        t += "a"


@pytest.mark.parametrize("library", [facula, torch], ids=["facula", "torch"])
def test_copy_shares_memory_and_attributes(library):
    t = library.zeros(4)[1:]
    t.note = [1]
    c = copy.copy(t)
    c[0] = 5
    assert t[0] == 5
    assert c.note is t.note
    p = library.nn.Parameter(library.ones(2))
    q = copy.copy(p)
    assert type(q) is type(p)
    assert q is not p
    assert q.requires_grad
    assert q.is_leaf
    with library.no_grad():
        q.add_(1)
    assert p.tolist() == [2, 2]


@pytest.mark.parametrize("library", [facula, torch], ids=["facula", "torch"])
def test_set_anomaly_enabled(library):
    library.set_anomaly_enabled(True)
    assert library.is_anomaly_enabled()
    library.set_anomaly_enabled(False)
    assert not library.is_anomaly_enabled()
