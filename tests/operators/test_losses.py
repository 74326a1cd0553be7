"""Losses against PyTorch: values, gradients of both orders, reductions, names, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference
from tests.operators.families import normal, refused, uniform

REDUCTIONS = ["mean", "sum", "none"]
SIGNS = np.array([1.0, -1, 1])
# name -> (function, inputs); gradients are compared for every input
PAIRS = {
    "mse": (lambda F, x, y, **k: F.mse_loss(x, y, **k), (normal(3, 4), normal(3, 4, seed=1))),
    "l1": (lambda F, x, y, **k: F.l1_loss(x, y, **k), (normal(3, 4), normal(3, 4, seed=1))),
    "smooth l1": (
        lambda F, x, y, **k: F.smooth_l1_loss(x, y, beta=0.7, **k),
        (normal(3, 4), normal(3, 4, seed=1)),
    ),
    "smooth l1 of beta 0": (
        lambda F, x, y, **k: F.smooth_l1_loss(x, y, beta=0.0, **k),
        (normal(3, 4), normal(3, 4, seed=1)),
    ),
    "huber": (
        lambda F, x, y, **k: F.huber_loss(x, y, delta=0.7, **k),
        (normal(3, 4), normal(3, 4, seed=1)),
    ),
    "bce": (
        lambda F, x, y, **k: F.binary_cross_entropy(x, y, **k),
        (uniform(3, 4), uniform(3, 4, seed=1)),
    ),
    "bce weighted": (
        lambda F, x, y, **k: F.binary_cross_entropy(x, y, y.detach() * 2, **k),
        (uniform(3, 4), uniform(3, 4, seed=1)),
    ),
    "bce logits": (
        lambda F, x, y, **k: F.binary_cross_entropy_with_logits(x, y, **k),
        (normal(3, 4), uniform(3, 4, seed=1)),
    ),
    "bce logits weighted": (
        lambda F, x, y, **k: F.binary_cross_entropy_with_logits(
            x, y, y.detach(), pos_weight=y.detach()[0] * 3, **k
        ),
        (normal(3, 4), uniform(3, 4, seed=1)),
    ),
    "soft margin": (
        lambda F, x, **k: F.soft_margin_loss(x, (x.detach() > 0.3) * 2.0 - 1.0, **k),
        (normal(3, 4),),
    ),
    "kl": (lambda F, x, y, **k: F.kl_div(x, y, **k), (normal(3, 4), uniform(3, 4, seed=1))),
    "kl log": (
        lambda F, x, y, **k: F.kl_div(x, y, log_target=True, **k),
        (normal(3, 4), normal(3, 4, seed=1)),
    ),
    "poisson": (
        lambda F, x, y, **k: F.poisson_nll_loss(x, y.detach() * 4, full=True, **k),
        (normal(3, 4), uniform(3, 4, seed=1)),
    ),
    "poisson of rates": (
        lambda F, x, y, **k: F.poisson_nll_loss(x, y, log_input=False, **k),
        (uniform(3, 4), uniform(3, 4, seed=1)),
    ),
    "gaussian": (
        lambda F, x, y, v, **k: F.gaussian_nll_loss(x, y, v, full=True, **k),
        (normal(3, 4), normal(3, 4, seed=1), uniform(3, 1, seed=2)),
    ),
    "margin ranking": (
        lambda F, x, y, s, **k: F.margin_ranking_loss(x, y, s.detach(), 0.3, **k),
        (normal(3), normal(3, seed=1), SIGNS),
    ),
    "hinge embedding": (
        lambda F, x, s, **k: F.hinge_embedding_loss(x, s.detach(), 0.3, **k),
        (normal(3), SIGNS),
    ),
    "cosine embedding": (
        lambda F, x, y, s, **k: F.cosine_embedding_loss(x, y, s.detach(), 0.1, **k),
        (normal(3, 4), normal(3, 4, seed=1), SIGNS),
    ),
    "triplet": (
        lambda F, x, y, z, **k: F.triplet_margin_loss(x, y, z, swap=True, **k),
        (normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2)),
    ),
    "triplet with distance": (
        lambda F, x, y, z, **k: F.triplet_margin_with_distance_loss(x, y, z, **k),
        (normal(3, 4), normal(3, 4, seed=1), normal(3, 4, seed=2)),
    ),
    "multilabel soft margin": (
        lambda F, x, y, **k: F.multilabel_soft_margin_loss(x, y.detach(), **k),
        (normal(3, 4), uniform(3, 4, seed=1)),
    ),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", PAIRS)
def test_losses(name, reduction):
    function, inputs = PAIRS[name]

    def run(library, *tensors):
        return function(library.nn.functional, *tensors, reduction=reduction)

    # PyTorch gives gradients of constant slopes as a kind of tensor that cannot be read.
    check(run, *inputs, second=name not in ("l1", "smooth l1 of beta 0"), tolerance=1e-7)


ROWS = np.array([1, 4, -100, 0])
PLANES = np.random.default_rng(3).integers(0, 5, (2, 3, 4))
CLASSES = {
    "rows": (normal(4, 5), ROWS, {}),
    "one row": (normal(5), np.array(3), {}),
    "planes": (normal(2, 5, 3, 4), PLANES, {"ignore_index": 2}),
    "sequences": (normal(2, 5, 3), PLANES[:, :, 0], {}),
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", CLASSES)
def test_class_indices(name, reduction, weighted):
    x, target, options = CLASSES[name]

    def nll(library, x, target):
        weight = library.arange(1.0, 6.0, dtype=library.float64) if weighted else None
        return library.nn.functional.nll_loss(x, target, weight, reduction=reduction, **options)

    check(nll, x, target, second=True)
    for smoothing in (0.0, 0.2):

        def entropy(library, x, target, smoothing=smoothing):
            weight = library.arange(1.0, 6.0, dtype=library.float64) if weighted else None
            return library.nn.functional.cross_entropy(
                x, target, weight, reduction=reduction, label_smoothing=smoothing, **options
            )

        check(entropy, x, target, second=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", [(4, 5), (5,), (2, 5, 3)])
def test_class_probabilities(shape, reduction, smoothing):
    def run(library, x, target):
        weight = library.arange(1.0, 6.0, dtype=library.float64)
        return library.nn.functional.cross_entropy(
            x, target, weight, reduction=reduction, label_smoothing=smoothing
        )

    check(run, normal(*shape), uniform(*shape), second=True)


def test_rows_that_are_all_ignored_have_no_gradient():
    check(
        lambda library, x: library.nn.functional.cross_entropy(x, library.tensor([-100, -100])),
        normal(2, 5),
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin(p, reduction):
    def run(library, x):
        weight = library.arange(1.0, 5.0, dtype=library.float64)
        return library.nn.functional.multi_margin_loss(
            x, library.tensor([1, 0, 3]), p, 0.7, weight, reduction=reduction
        )

    check(run, normal(3, 4))


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_multilabel_margin(reduction):
    labels = np.array([[3, 0, -1, 1], [1, -1, -1, -1], [-1, 2, 2, 2]])

    def run(library, x, target):
        return library.nn.functional.multilabel_margin_loss(x, target, reduction=reduction)

    check(run, normal(3, 4), labels)


TARGETS = np.array([[1, 2, 2], [3, 1, 0], [1, 1, 1]])
CTC = {
    "padded": (TARGETS, (7, 6, 5), (3, 2, 3), 0),
    "joined": (np.array([1, 2, 2, 3, 1, 1]), (7, 6, 5), (3, 2, 1), 0),
    "empty target": (TARGETS, (7, 6, 5), (3, 0, 3), 0),
    "blank last": (TARGETS, (7, 6, 7), (3, 2, 3), 4),
    "too short": (TARGETS, (7, 1, 7), (3, 2, 3), 0),
}


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", CTC)
def test_ctc(name, reduction):
    targets, times, lengths, blank = CTC[name]

    def run(library, x, targets):
        return library.nn.functional.ctc_loss(
            x.log_softmax(2), targets, times, lengths, blank, reduction, zero_infinity=True
        )

    check(run, normal(7, 3, 5), targets, names=False)


def test_older_arguments_still_reduce():
    functional = facula.nn.functional
    x, y = facula.tensor([1.0, 2.0]), facula.tensor([0.0, 0.0])
    for options, expected in (
        ({"size_average": False}, 5.0),
        ({"reduce": False}, [1.0, 4.0]),
        ({"reduce": True}, 2.5),
    ):
        with pytest.warns(UserWarning, match="size_average and reduce args will be deprecated"):
            assert functional.mse_loss(x, y, **options).tolist() == expected


def test_different_sizes_warn():
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"):
        with pytest.warns(UserWarning, match=r"Using a target size \(torch.Size\(\[3\]\)\)"):
            getattr(facula.nn.functional, name)(facula.ones(3, 1), facula.ones(3))


def test_a_target_out_of_bounds_is_named_where_it_is_used():
    logits = facula.zeros(3, 4, requires_grad=True)
    target = facula.tensor([0, 7, 1])
    for pending in (target, target + 0, target.view(-1)):
        with pytest.raises(IndexError, match="Target 7 is out of bounds"):
            facula.nn.functional.cross_entropy(logits, pending)


REFUSED = {
    "reduction": lambda F, t: F.mse_loss(t.ones(2), t.ones(2), reduction="x"),
    "sizes": lambda F, t: F.mse_loss(t.ones(2), t.ones(3)),
    "integers": lambda F, t: F.mse_loss(t.arange(3), t.arange(3)),
    "batch": lambda F, t: F.cross_entropy(t.ones(3, 4), t.tensor([0, 1])),
    "target dtype": lambda F, t: F.cross_entropy(t.ones(3, 4), t.ones(3)),
    "target of columns": lambda F, t: F.cross_entropy(t.ones(3, 4), t.tensor([[0], [1], [1]])),
    "integer probabilities": lambda F, t: F.cross_entropy(
        t.ones(3, 4), t.ones(3, 4, dtype=t.int64)
    ),
    "class weights": lambda F, t: F.cross_entropy(t.ones(3, 4), t.tensor([0, 1, 1]), t.ones(3)),
    "negative class": lambda F, t: F.nll_loss(t.ones(3, 4), t.tensor([0, -1, 1])),
    "smoothing": lambda F, t: F.cross_entropy(
        t.ones(3, 4), t.tensor([0, 1, 1]), label_smoothing=2.0
    ),
    "probability": lambda F, t: F.binary_cross_entropy(t.tensor([1.5]), t.tensor([1.0])),
    "bce size": lambda F, t: F.binary_cross_entropy(t.tensor([0.5]), t.tensor([[1.0]])),
    "logits size": lambda F, t: F.binary_cross_entropy_with_logits(t.ones(3, 1), t.ones(3)),
    "delta": lambda F, t: F.huber_loss(t.ones(2), t.ones(2), delta=0.0),
    "variance": lambda F, t: F.gaussian_nll_loss(t.ones(3, 4), t.ones(3, 4), -t.ones(3)),
    "margin": lambda F, t: F.triplet_margin_loss(
        t.ones(2, 2), t.ones(2, 2), t.ones(2, 2), margin=0.0
    ),
    "margin class": lambda F, t: F.multi_margin_loss(t.ones(1, 4), t.tensor([9])),
    "ctc length": lambda F, t: F.ctc_loss(t.zeros(4, 1, 3), t.tensor([[1]]), (5,), (1,)),
    "ctc blank": lambda F, t: F.ctc_loss(t.zeros(4, 1, 3), t.tensor([[1]]), (4,), (1,), 9),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = refused(lambda library: REFUSED[name](library.nn.functional, library))
    assert ours[:30] == theirs[:30]


def test_16_bits():
    torch = reference()
    x = normal(4, 5, dtype=np.float32)
    for dtype in ("float16", "bfloat16"):
        values = []
        for library in (facula, torch):
            logits = library.from_numpy(x).to(getattr(library, dtype))
            loss = library.nn.functional.cross_entropy(logits, library.tensor([0, 1, 4, 2]))
            assert str(loss.dtype) == f"torch.{dtype}"
            values.append(loss.float().item())
        assert values[0] == pytest.approx(values[1], rel=1e-2)
