"""Attention: scaled dot products of queries and keys weigh the values."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from facula.autograd.modes import modes
from facula.base import dtypes
from facula.base.dtypes import BOOL, FLOAT
from facula.graph.primitives import elementwise as e
from facula.graph.primitives import reduction as r
from facula.graph.primitives.kinds import broadcast_shapes
from facula.operators import fused_attention, kit
from facula.operators.arithmetic import _select
from facula.operators.basic import cast
from facula.operators.contraction import matmul, swapped
from facula.operators.dropouts import keep_mask
from facula.operators.expanding import _expand
from facula.operators.movement import _view
from facula.operators.operator import Number, operator
from facula.operators.precision import narrowed, widened
from facula.operators.reduction import _sum
from facula.operators.softmaxes import _softmax


def _shape(x):
    return x._value.spec.shape


@operator(differentiable=False)
def _dead_rows(mask):
    """Rows in which the mask leaves nothing to attend to."""
    own = mask._value.spec
    if _shape(mask)[-1] == 0:
        return kit.full((*own.shape[:-1], 1), True, dtypes.bool_)
    top = kit.bind(r.maximum, mask, axes=(own.ndim - 1,))
    lowest = kit.number(False if own.dtype.category == BOOL else -math.inf, own.dtype)
    return kit.reshape(kit.bind(e.equal, top, lowest), (*own.shape[:-1], 1))


@operator(differentiable=False)
def _later(like):
    """True where a key comes after its query."""
    rows, columns = _shape(like)[-2:]
    return kit.table(np.arange(columns)[None, :] > np.arange(rows)[:, None], dtypes.bool_)


def _weights(query, key, mask, is_causal, scale):
    """Attention weights; rows that may attend to nothing get zeros."""
    scores = matmul(query, swapped(key)) * scale[0]
    if is_causal:
        scores = _select(_later(scores), -math.inf, scores)
    if mask is None:
        return _softmax(scores, -1, None)
    if mask._value.spec.dtype.category == BOOL:
        scores = _select(mask, scores, -math.inf)
    else:
        scores = scores + widened(mask)
    dead = _dead_rows(mask)
    return _select(dead, 0.0, _softmax(_select(dead, 0.0, scores), -1, None))


def _noise(keep, kept, to):
    return cast(keep, to) / kept


def _attention_grads(g, query, key, value, mask, keep, outs, is_causal, scale, kept, needs):
    weights = None if modes.grad else outs[1]
    return _gradients(g, query, key, value, mask, keep, weights, is_causal, scale, kept, needs)


def _gradients(g, query, key, value, mask, keep, weights, is_causal, scale, kept, needs):
    q, k, v, g = widened(query), widened(key), widened(value), widened(g)
    if weights is None:
        weights = _weights(q, k, mask, is_causal, scale)
    dropped = weights
    if keep is not None:
        noise = _noise(keep, kept, weights._value.spec.dtype)
        dropped = weights * noise
    found = {}
    if "value" in needs:
        found["value"] = matmul(swapped(dropped), g)
    if needs == ["value"]:
        return found
    inner = matmul(g, swapped(v))
    if keep is not None:
        inner = inner * noise
    inner = inner * weights
    scores = inner - weights * _sum(inner, -1, True, None)
    if "mask" in needs:
        found["mask"] = scores
    if "query" in needs:
        found["query"] = matmul(scores, k) * scale[0]
    if "key" in needs:
        found["key"] = matmul(swapped(scores), q) * scale[0]
    return found


def _attention_name(specs, template):
    return _plain_name(specs) if template[4] is not None else _fused_name(specs, template)


def _plain_name(specs):
    return "MmBackward0" if specs[0].ndim == 2 else "UnsafeViewBackward0"


def _fused_name(specs, template):
    query, _, value, *_ = specs
    if query.ndim != 4 or query.shape[-1] != value.shape[-1]:
        return _plain_name(specs)
    return "ScaledDotProductFlashAttentionForCpuBackward0"


@operator(name=_attention_name, derivative=_attention_grads, only_first=True)
def _attention(query, key, value, mask, keep, is_causal: bool, scale: tuple, kept: Number):
    """The result and the attention weights (before dropout)."""
    weights = _weights(widened(query), widened(key), mask, is_causal, scale)
    dropped = weights
    if keep is not None:
        dropped = weights * _noise(keep, kept, weights._value.spec.dtype)
    out = matmul(dropped, widened(value))
    return narrowed(out, query._value.spec.dtype), weights


def _fused_grads(g, query, key, value, mask, outs, is_causal, scale, keep, needs):
    if modes.grad or not keep:
        given = (None, None, is_causal, scale, None)
        return _gradients(g, query, key, value, mask, *given, needs)
    found = fused_attention.gradients(outs[1], g, query, key, value, mask, is_causal, scale)
    return dict(zip(("query", "key", "value"), found, strict=True))


@operator(name=_fused_name, derivative=_fused_grads, only_first=True)
def _fused(query, key, value, mask, is_causal: bool, scale: tuple, keep: bool):
    """The result and memory for its gradient; ``keep`` says that one may be asked for."""
    return list(fused_attention.forward(query, key, value, mask, is_causal, scale, keep))


def _check_attention(query, key, value, attn_mask):
    mask = None if attn_mask is None else attn_mask._value.spec
    _check_specs(query._value.spec, key._value.spec, value._value.spec, mask)


@lru_cache(1000)
def _check_specs(query, key, value, mask) -> None:
    specs = (query, key, value)
    q, k, v = (s.dtype.legacy.lower() for s in specs)
    if not q == k == v:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{q} key.dtype: {k} and value.dtype: {v} instead."
        )
    if min(s.ndim for s in specs) < 2:
        q, k, v = (s.ndim for s in specs)
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            f"query.dim(): {q}, key.dim(): {k} and value.dim(): {v} instead."
        )
    if mask is not None and mask.dtype.category not in (BOOL, FLOAT):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {mask.dtype.legacy.lower()} and  query.dtype: {q} instead."
        )


def _grouped(x, heads):
    """Key or value heads repeated so that there are as many as query heads."""
    *batch, own, length, width = _shape(x)
    if own == heads:
        return x
    if heads % own:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query"
        )
    wide = _view(x, (*batch, own, 1, length, width))
    wide = _expand(wide, (*batch, own, heads // own, length, width))
    return _view(wide, (*batch, heads, length, width))


def scaled_dot_product_attention(
    query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
):
    """``softmax(query @ key.T * scale + mask) @ value``.

    Shapes (..., L, E), (..., S, E), (..., S, Ev) -> (..., L, Ev). A bool mask is true where a query
    may attend; a float mask is added. ``scale`` is 1 / sqrt(E) by default.

    >>> import facula as torch
    >>> x = torch.ones(1, 2, 3)
    >>> torch.nn.functional.scaled_dot_product_attention(x, x, x).shape
    torch.Size([1, 2, 3])
    """
    _check_attention(query, key, value, attn_mask)
    if enable_gqa:
        heads = _shape(query)[-3]
        key, value = _grouped(key, heads), _grouped(value, heads)
    if scale is None:
        width = _shape(query)[-1]
        scale = 1 / math.sqrt(width) if width else 1.0
    if dropout_p == 0.0 and fused_attention.fits(query, key, value, attn_mask, bool(is_causal)):
        keep = modes.grad and any(x.requires_grad for x in (query, key, value))
        given = (bool(is_causal), (float(scale),), keep)
        return _fused(query, key, value, attn_mask, *given)
    keep = None
    if dropout_p > 0.0:
        batch = broadcast_shapes("attention", _shape(query)[:-2], _shape(key)[:-2])
        keep = keep_mask((*batch, _shape(query)[-2], _shape(key)[-2]), dropout_p)
    return _attention(
        query, key, value, attn_mask, keep, bool(is_causal), (float(scale),), 1.0 - dropout_p
    )


NAMESPACES = {"torch": [], "functional": ["scaled_dot_product_attention"]}
