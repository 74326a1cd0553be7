"""Losses that compare two or three inputs: rankings, embeddings, triplets."""

from __future__ import annotations

from facula.operators.arithmetic import _select, minimum
from facula.operators.distances import _pairwise_distance, pairwise_distance
from facula.operators.loss_reduction import chosen, node_name, reduced
from facula.operators.operator import Number, operator
from facula.operators.pointwise import clamp, square
from facula.operators.reduction import _sum
from facula.operators.transcendental import sqrt


def _spec(x):
    return x._value.spec


def _mean_of(position, otherwise):
    """The node's name: that of the reduction given as argument ``position``."""
    return lambda specs, template: node_name(template[position], otherwise)


@operator(name=_mean_of(3, "ClampMinBackward0"))
def _margin_ranking_loss(input1, input2, target, reduction: str, margin: Number):
    return reduced(clamp(-target * (input1 - input2) + margin, 0.0), reduction)


def margin_ranking_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """``max(0, -target * (input1 - input2) + margin)`` for targets 1 and -1."""
    reduction = chosen(reduction, size_average, reduce)
    if not _spec(input1).ndim == _spec(input2).ndim == _spec(target).ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {_spec(input1).size}, input2: {_spec(input2).size}, "
            f"target: {_spec(target).size} "
        )
    return _margin_ranking_loss(input1, input2, target, reduction, float(margin))


@operator(name=_mean_of(2, "AddBackward0"))
def _hinge_embedding_loss(input, target, reduction: str, margin: Number):
    apart = _select(target != 1, clamp(margin - input, 0.0), 0.0)
    together = _select(target != -1, input, 0.0)
    return reduced(apart + together, reduction)


def hinge_embedding_loss(
    input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"
):
    """``input`` where the target is 1, ``max(0, margin - input)`` where it is -1."""
    reduction = chosen(reduction, size_average, reduce)
    return _hinge_embedding_loss(input, target, reduction, float(margin))


@operator(name=_mean_of(3, "AddBackward0"))
def _cosine_embedding_loss(input1, input2, target, reduction: str, margin: Number):
    product = _sum(input1 * input2, -1, False, None)
    # A small number keeps the quotient and its gradient finite for zero vectors.
    size1 = _sum(square(input1), -1, False, None) + 1e-12
    size2 = _sum(square(input2), -1, False, None) + 1e-12
    cosine = product / sqrt(size1 * size2)
    together = _select(target == 1, 1 - cosine, 0.0)
    return reduced(together + _select(target == -1, clamp(cosine - margin, 0.0), 0.0), reduction)


def cosine_embedding_loss(
    input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"
):
    """``1 - cos`` for targets 1, ``max(0, cos - margin)`` for targets -1."""
    reduction = chosen(reduction, size_average, reduce)
    rank = _spec(target).ndim
    if rank > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    for x in (input1, input2):
        if _spec(x).ndim != rank + 1:
            raise RuntimeError(
                f"{rank}D target tensor expects {rank + 1}D input tensors, but found inputs with "
                f"sizes {list(_spec(input1).shape)} and {list(_spec(input2).shape)}."
            )
    return _cosine_embedding_loss(input1, input2, target, reduction, float(margin))


@operator(name=_mean_of(3, "ClampMinBackward0"))
def _triplet_margin_loss(
    anchor, positive, negative, reduction: str, margin: Number, p: tuple, eps: Number, swap: bool
):
    near = _pairwise_distance(anchor, positive, p, eps, False)
    far = _pairwise_distance(anchor, negative, p, eps, False)
    if swap:
        far = minimum(far, _pairwise_distance(positive, negative, p, eps, False))
    return reduced(clamp(margin + near - far, 0.0), reduction)


def _check_triplet(anchor, positive, negative, margin):
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    ranks = [_spec(x).ndim for x in (anchor, positive, negative)]
    if len(set(ranks)) != 1:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of "
            f"dimensions, but got: anchor {ranks[0]}D, positive {ranks[1]}D, and negative "
            f"{ranks[2]}D inputs"
        )


def triplet_margin_loss(
    anchor, positive, negative, margin=1.0, p=2, eps=1e-06, swap=False, size_average=None,
    reduce=None, reduction="mean",
):  # fmt: skip
    """``max(0, margin + d(anchor, positive) - d(anchor, negative))``."""
    reduction = chosen(reduction, size_average, reduce)
    _check_triplet(anchor, positive, negative, margin)
    return _triplet_margin_loss(
        anchor, positive, negative, reduction, float(margin), (float(p),), float(eps), bool(swap)
    )


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """The triplet loss with a distance of your own (two tensors in, their distances out)."""
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    _check_triplet(anchor, positive, negative, margin)
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return _triplet_of_distances(near, far, reduction, float(margin))


@operator(name=_mean_of(2, "ClampMinBackward0"))
def _triplet_of_distances(near, far, reduction: str, margin: Number):
    return reduced(clamp(margin + near - far, 0.0), reduction)


NAMESPACES = {
    "torch": [],
    "functional": [
        "margin_ranking_loss", "hinge_embedding_loss", "cosine_embedding_loss",
        "triplet_margin_loss", "triplet_margin_with_distance_loss",
    ],
}  # fmt: skip
