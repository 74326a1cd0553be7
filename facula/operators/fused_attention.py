"""Attention in one pass over blocks of queries and keys: weights are never stored.

Each block is one primitive, its gradient another. What they do not do (dropout, the gradient of a
mask, gradients of gradients) is composed in ``attention``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from math import prod

from facula.base import dtypes
from facula.base.dtypes import BOOL
from facula.graph.primitives import attention as a
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.arithmetic import _select
from facula.operators.operator import operator
from facula.operators.precision import narrowed, wide_dtype, widened

_KINDS = (dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64)
_BLOCK = 16  # queries; as many float32 fill a vector of the widest kind
_MOST = 1.25  # work, in units of that without empty lanes, where stored weights are no faster


def _shape(x):
    return x._value.spec.shape


def fits(query, key, value, mask, is_causal: bool) -> bool:
    """Whether the primitives take these operands, and are faster."""
    specs = (query._value.spec, key._value.spec, value._value.spec)
    if mask is None:
        return _specs_fit(*specs, None, is_causal)
    return not mask.requires_grad and _specs_fit(*specs, mask._value.spec, is_causal)


@lru_cache(1000)
def _specs_fit(q, k, v, mask, is_causal: bool) -> bool:
    if q.dtype not in _KINDS or not q.ndim == k.ndim == v.ndim or not q.numel * k.numel * v.numel:
        return False
    if not _pays(q.shape[-2], is_causal) or not q.shape[:-2] == k.shape[:-2] == v.shape[:-2]:
        return False
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        return False
    if mask is None:
        return True
    whole = (*q.shape[:-1], k.shape[-2])
    if mask.dtype.category != BOOL and wide_dtype(mask.dtype) is not wide_dtype(q.dtype):
        return False
    if not 2 <= mask.ndim <= q.ndim <= 4:
        return False
    return all(n in (1, size) for n, size in zip(mask.shape, whole[-mask.ndim :], strict=True))


def _pays(queries: int, is_causal: bool) -> bool:
    """Whether blocks of queries, of which the last may be short, leave little to do in vain."""
    blocks = -(-queries // _BLOCK)
    share = (blocks + 1) / (2 * blocks) if is_causal else 1.0
    return blocks * _BLOCK * share <= _MOST * queries


def _in_heads(x):
    """(..., rows, columns) as (batch, heads, rows, columns), widened."""
    *lead, rows, columns = _shape(x)
    lead = (prod(lead[:-1]), lead[-1]) if len(lead) > 1 else (*lead, *[1] * (2 - len(lead)))
    return kit.reshape(widened(x), (*lead, rows, columns))


def _added(mask, query):
    """A mask as numbers to add, for keys and queries in this order."""
    own, ndim = mask._value.spec, query._value.spec.ndim
    missing = (1,) * (ndim - own.ndim)
    mask = kit.permute(_in_heads(kit.reshape(mask, (*missing, *own.shape))), (0, 1, 3, 2))
    if own.dtype.category != BOOL:
        return mask
    zero = kit.number(0.0, wide_dtype(query._value.spec.dtype))
    return _select(mask, zero, -math.inf)


def _operands(query, key, value, mask):
    """(queries, keys, values) and a list of the mask, if there is one."""
    return [_in_heads(x) for x in (query, key, value)], [] if mask is None else [
        _added(mask, query)
    ]


def forward(query, key, value, mask, is_causal, scale, keep):
    """The result, and memory for the gradient if ``keep`` says so."""
    heads, masks = _operands(query, key, value, mask)
    params = {"scale": scale[0], "causal": is_causal}
    memory = kit.bind(a.attention, *heads, *masks, **params, keep=keep)
    sizes = a.Sizes.of(*[x._value.spec for x in heads])
    shape = (sizes.batch, sizes.queries, sizes.heads, sizes.depth)
    out = kit.permute(_part(memory, 0, shape), (0, 2, 1, 3))
    out = kit.reshape(out, (*_shape(query)[:-1], sizes.depth))
    return narrowed(out, query._value.spec.dtype), memory


def _part(flat, first: int, shape: tuple[int, ...]):
    """The elements from ``first`` on as an array."""
    if prod(shape) != _shape(flat)[0]:
        stop = (first + prod(shape),)
        flat = kit.bind(m.slice_, flat, start=(first,), stop=stop, step=(1,))
    return kit.reshape(flat, shape)


@operator(differentiable=False)
def gradients(memory, g, query, key, value, mask, is_causal: bool, scale: tuple):
    """Gradients of queries, keys and values from what :func:`forward` kept."""
    heads, masks = _operands(query, key, value, mask)
    params = {"scale": scale[0], "causal": is_causal}
    flat = kit.bind(a.attention_grad, memory, *heads, _in_heads(g), *masks, **params)
    sizes = a.Sizes.of(*[x._value.spec for x in heads])
    found, first = [], 0
    for number, operand in enumerate((query, key, value)):
        batch, count, rows, width = _shape(heads[number])
        if sizes.joined:
            whole = kit.reshape(flat, (batch, rows, 3, count * width))
            start, stop = (0, 0, number, 0), (batch, rows, number + 1, count * width)
            part = kit.bind(m.slice_, whole, start=start, stop=stop, step=(1,) * 4)
            part = kit.reshape(part, (batch, rows, count, width))
        else:
            part = _part(flat, first, (batch, rows, count, width))
        first += sizes.grads[number]
        part = kit.reshape(kit.permute(part, (0, 2, 1, 3)), _shape(operand))
        found.append(narrowed(part, operand._value.spec.dtype))
    return found
