"""Kullback-Leibler divergences between pairs of distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from facula import linalg, tensors
from facula import operators as ops
from facula.distributions.bernoulli import Bernoulli
from facula.distributions.beta import Beta
from facula.distributions.binomial import Binomial
from facula.distributions.categorical import Categorical
from facula.distributions.cauchy import Cauchy
from facula.distributions.dirichlet import Dirichlet
from facula.distributions.distribution import Distribution
from facula.distributions.exponential import Exponential
from facula.distributions.gamma import Gamma
from facula.distributions.geometric import Geometric
from facula.distributions.gumbel import Gumbel
from facula.distributions.half_normal import HalfNormal
from facula.distributions.independent import Independent
from facula.distributions.laplace import Laplace
from facula.distributions.multivariate_normal import MultivariateNormal, mahalanobis
from facula.distributions.normal import Normal
from facula.distributions.one_hot_categorical import OneHotCategorical
from facula.distributions.pareto import Pareto
from facula.distributions.poisson import Poisson
from facula.distributions.transformed_distribution import TransformedDistribution
from facula.distributions.uniform import Uniform
from facula.distributions.utils import euler_constant, sum_rightmost
from facula.tensors import Tensor

_rules: dict[tuple[type, type], Callable[[Any, Any], Tensor]] = {}
_found: dict[tuple[type, type], Callable[[Any, Any], Tensor] | None] = {}


def register_kl(type_p: type, type_q: type) -> Callable:
    """Decorates a function that computes the divergence of a pair of families."""
    for given in (type_p, type_q):
        if not isinstance(given, type) or not issubclass(given, Distribution):
            raise TypeError(f"Expected a subclass of Distribution but got {given}")

    def decorate(rule: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
        _rules[type_p, type_q] = rule
        _found.clear()
        return rule

    return decorate


def _rule_for(type_p: type, type_q: type) -> Callable[[Any, Any], Tensor] | None:
    """The rule of the closest pair of base classes."""
    fitting = [
        (type_p.__mro__.index(p) + type_q.__mro__.index(q), order)
        for order, (p, q) in enumerate(_rules)
        if issubclass(type_p, p) and issubclass(type_q, q)
    ]
    return list(_rules.values())[min(fitting)[1]] if fitting else None


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """``E_p[log p - log q]``, for pairs of families with a known formula.

    >>> import facula as torch
    >>> normal = torch.distributions.Normal
    >>> torch.distributions.kl_divergence(normal(0.0, 1.0), normal(1.0, 1.0))
    tensor(0.5000)
    """
    pair = type(p), type(q)
    if pair not in _found:
        _found[pair] = _rule_for(*pair)
    rule = _found[pair]
    if rule is None:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type "
            f"{q.__class__.__name__}"
        )
    return rule(p, q)


@register_kl(Bernoulli, Bernoulli)
def _(p, q):
    yes = p.probs * (ops.softplus(-q.logits) - ops.softplus(-p.logits))
    yes = ops.where(q.probs == 0, math.inf, yes)
    yes = ops.where(p.probs == 0, 0.0, yes)
    no = (1 - p.probs) * (ops.softplus(q.logits) - ops.softplus(p.logits))
    no = ops.where(q.probs == 1, math.inf, no)
    return yes + ops.where(p.probs == 1, 0.0, no)


@register_kl(Binomial, Binomial)
def _(p, q):
    if (p.total_count < q.total_count).any():
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count")
    found = p.total_count * (
        p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    )
    return ops.where(p.total_count > q.total_count, math.inf, found)


@register_kl(Categorical, Categorical)
def _(p, q):
    terms = p.probs * (p.logits - q.logits)
    terms = ops.where(q.probs == 0, math.inf, terms)
    return ops.where(p.probs == 0, 0.0, terms).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _(p, q):
    return kl_divergence(p._categorical, q._categorical)


@register_kl(Normal, Normal)
def _(p, q):
    ratio = (p.scale / q.scale).pow(2)
    off = ((p.loc - q.loc) / q.scale).pow(2)
    return 0.5 * (ratio + off - 1 - ratio.log())


@register_kl(HalfNormal, HalfNormal)
def _(p, q):
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(MultivariateNormal, MultivariateNormal)
def _(p, q):
    if p.event_shape != q.event_shape:
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be "
            "computed"
        )
    tril_p, tril_q = p._unbroadcasted_scale_tril, q._unbroadcasted_scale_tril
    half = q._half_log_det() - p._half_log_det()
    n = p.event_shape[0]
    batch = ops.broadcast_shapes(tril_q.shape[:-2], tril_p.shape[:-2])
    solved = linalg.solve_triangular(
        tril_q.expand((*batch, n, n)), tril_p.expand((*batch, n, n)), upper=False
    )
    trace = solved.pow(2).sum([-2, -1])
    return half + 0.5 * (trace + mahalanobis(tril_q, q.loc - p.loc) - n)


@register_kl(Gamma, Gamma)
def _(p, q):
    return (
        q.concentration * (p.rate / q.rate).log()
        + ops.lgamma(q.concentration)
        - ops.lgamma(p.concentration)
        + (p.concentration - q.concentration) * ops.digamma(p.concentration)
        + (q.rate - p.rate) * (p.concentration / p.rate)
    )


@register_kl(Beta, Beta)
def _(p, q):
    p_total, q_total = (d.concentration1 + d.concentration0 for d in (p, q))
    front = (
        ops.lgamma(q.concentration1)
        + ops.lgamma(q.concentration0)
        + ops.lgamma(p_total)
        - ops.lgamma(p.concentration1)
        - ops.lgamma(p.concentration0)
        - ops.lgamma(q_total)
    )
    return (
        front
        + (p.concentration1 - q.concentration1) * ops.digamma(p.concentration1)
        + (p.concentration0 - q.concentration0) * ops.digamma(p.concentration0)
        + (q_total - p_total) * ops.digamma(p_total)
    )


@register_kl(Dirichlet, Dirichlet)
def _(p, q):
    p_total, q_total = p.concentration.sum(-1), q.concentration.sum(-1)
    front = ops.lgamma(p_total) - ops.lgamma(q_total)
    middle = (ops.lgamma(p.concentration) - ops.lgamma(q.concentration)).sum(-1)
    slope = ops.digamma(p.concentration) - ops.digamma(p_total).unsqueeze(-1)
    return front - middle + ((p.concentration - q.concentration) * slope).sum(-1)


@register_kl(Exponential, Exponential)
def _(p, q):
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(Geometric, Geometric)
def _(p, q):
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _(p, q):
    first = p.scale / q.scale
    second, third = q.loc / q.scale, p.loc / q.scale
    grown = (second + (1 + first).lgamma() - third).exp()
    return (
        -(p.scale / q.scale).log()
        - second
        + first * euler_constant
        + grown
        - (1 + euler_constant)
        + third
    )


@register_kl(Laplace, Laplace)
def _(p, q):
    ratio = p.scale / q.scale
    off = (p.loc - q.loc).abs()
    return -ratio.log() + off / q.scale + ratio * (-off / p.scale).exp() - 1


@register_kl(Pareto, Pareto)
def _(p, q):
    ratio, alpha = p.scale / q.scale, q.alpha / p.alpha
    found = q.alpha * ratio.log() - alpha.log() + alpha - 1
    return ops.where(p.scale < q.scale, math.inf, found)


@register_kl(Poisson, Poisson)
def _(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _(p, q):
    found = ((q.high - q.low) / (p.high - p.low)).log()
    return ops.where((q.low > p.low) | (q.high < p.high), math.inf, found)


@register_kl(Cauchy, Cauchy)
def _(p, q):
    top = ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log()
    return top - (4 * p.scale * q.scale).log()


@register_kl(Uniform, Normal)
def _(p, q):
    width = p.high - p.low
    first = (math.sqrt(math.pi * 2) * q.scale / width).log()
    second = width.pow(2) / 12
    third = ((p.high + p.low - 2 * q.loc) / 2).pow(2)
    return first + 0.5 * (second + third) / q.scale.pow(2)


@register_kl(Normal, Laplace)
def _(p, q):
    off = (p.loc - q.loc) / p.scale
    first = (p.scale / q.scale).log()
    second = math.sqrt(2 / math.pi) * p.scale * (-0.5 * off.pow(2)).exp()
    third = off * p.scale * ops.erf(math.sqrt(0.5) * off)
    return -first + (second + third) / q.scale - (0.5 * (1 + math.log(math.pi * 0.5)))


@register_kl(Laplace, Normal)
def _(p, q):
    var = q.scale.pow(2)
    ratio = p.scale.pow(2) / var
    first = 0.5 * (2 * ratio / math.pi).log()
    off = 0.5 * p.loc.pow(2) - p.loc * q.loc + 0.5 * q.loc.pow(2)
    return -first + ratio + off / var - 1


@register_kl(Exponential, Gamma)
def _(p, q):
    ratio = q.rate / p.rate
    return (
        -q.concentration * ratio.log()
        + ratio
        + ops.lgamma(q.concentration)
        + q.concentration * euler_constant
        - (1 + euler_constant)
    )


@register_kl(Gamma, Exponential)
def _(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Exponential, Normal)
def _(p, q):
    var, square = q.scale.pow(2), p.rate.pow(2)
    first = 0.5 * (square * var * 2 * math.pi).log()
    off = square.reciprocal() - q.loc / p.rate + q.loc.pow(2) / 2
    return first - 1 + off / var


def _infinite(p: Any, q: Any) -> Tensor:
    """The divergence where q cannot produce all that p can."""
    first = next(iter(p.arg_constraints))
    return tensors.full_like(getattr(p, first), math.inf)


for _p, _qs in {
    Normal: (Beta, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, Exponential, Gamma, Pareto, Uniform),
    Gumbel: (Beta, Exponential, Gamma, Pareto, Uniform),
    Exponential: (Beta, Pareto, Uniform),
    Gamma: (Beta, Pareto, Uniform),
    Pareto: (Beta, Uniform),
    Beta: (Pareto,),
    Poisson: (Bernoulli, Binomial),
}.items():
    for _q in _qs:
        register_kl(_p, _q)(_infinite)


@register_kl(Independent, Independent)
def _(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


@register_kl(TransformedDistribution, TransformedDistribution)
def _(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    extra = len(p.event_shape) - len(p.base_dist.event_shape)
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), extra)
