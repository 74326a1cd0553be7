"""torch.* functions whose arguments or results differ from those of nn.functional's namesakes.

They are what the functional ones call in PyTorch: the reduction of a loss is a number there
(0 none, which is also what PyTorch takes if it is left out; 1 mean; 2 sum), and tables and
weights stand in another order.
"""

from __future__ import annotations

import inspect

from facula.operators import (
    adaptive_pooling,
    ctc,
    embeddings,
    losses,
    normalization,
    pair_losses,
)
from facula.operators.rename import renamed

_REDUCTIONS = ("none", "mean", "sum")


def _reduction(name, number):
    """The reduction's name; numbers without one reduce nothing."""
    if not isinstance(number, int):
        raise TypeError(
            f"{name}(): argument 'reduction' must be int (0 none, 1 mean, 2 sum), "
            f"not {type(number).__name__}"
        )
    return _REDUCTIONS[number] if 0 <= number < 3 else "none"


def _loss(function):
    """``function`` with the number of a reduction as its last argument."""
    taken = inspect.signature(function).parameters.values()
    taken = [p for p in taken if p.name not in ("size_average", "reduce")]
    numbered = [p.replace(default=0) if p.name == "reduction" else p for p in taken]
    signature = inspect.Signature(numbered)
    name = function.__name__

    def with_number(*args, **kwargs):
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        given.arguments["reduction"] = _reduction(name, given.arguments["reduction"])
        return function(**given.arguments)

    with_number.__signature__ = signature
    with_number.__module__ = __name__
    return renamed(with_number, name, function.__doc__)


cosine_embedding_loss = _loss(pair_losses.cosine_embedding_loss)
hinge_embedding_loss = _loss(pair_losses.hinge_embedding_loss)
margin_ranking_loss = _loss(pair_losses.margin_ranking_loss)
triplet_margin_loss = _loss(pair_losses.triplet_margin_loss)
poisson_nll_loss = _loss(losses.poisson_nll_loss)
ctc_loss = _loss(ctc.ctc_loss)


def kl_div(input, target, reduction=0, *, log_target=False):
    """Kullback-Leibler divergence of ``input`` (log-probabilities) from ``target``."""
    # the public one warns about "mean"
    return losses._kl_div(input, target, _reduction("kl_div", reduction), bool(log_target))


def binary_cross_entropy_with_logits(input, target, weight=None, pos_weight=None, reduction=0):
    """Binary cross entropy of ``sigmoid(input)``."""
    return _with_logits(input, target, weight=weight, pos_weight=pos_weight, reduction=reduction)


_with_logits = _loss(losses.binary_cross_entropy_with_logits)


def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    """Rows of ``weight`` at ``indices``; a negative ``padding_idx`` means none."""
    padding = padding_idx if padding_idx >= 0 else None
    return embeddings.embedding(
        indices, weight, padding, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse
    )


def batch_norm(
    input, weight, bias, running_mean, running_var, training, momentum, eps, cudnn_enabled
):
    """Each channel scaled to mean 0 and variance 1, then by weight and bias."""
    return normalization.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )


def instance_norm(
    input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, cudnn_enabled
):
    """Each channel of each sample scaled to mean 0 and variance 1, then by weight and bias."""
    return normalization.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def adaptive_max_pool1d(input, output_size):
    """(the maxima of ``output_size`` windows, their places)."""
    return adaptive_pooling.adaptive_max_pool1d_with_indices(input, output_size)


NAMES = [
    "binary_cross_entropy_with_logits", "cosine_embedding_loss", "hinge_embedding_loss",
    "margin_ranking_loss", "triplet_margin_loss", "poisson_nll_loss", "ctc_loss", "kl_div",
    "embedding", "batch_norm", "instance_norm", "adaptive_max_pool1d",
]  # fmt: skip
