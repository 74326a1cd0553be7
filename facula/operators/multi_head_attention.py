"""Multi-head attention: projections, heads, attention and the projection back, as one function."""

from __future__ import annotations

import math
import warnings

from facula.base.dtypes import BOOL, FLOAT
from facula.operators.arithmetic import _select
from facula.operators.attention import scaled_dot_product_attention
from facula.operators.basic import full
from facula.operators.contraction import matmul, swapped
from facula.operators.dropouts import dropout
from facula.operators.joining import cat
from facula.operators.linear import linear
from facula.operators.movement import _permute, reshape, squeeze, unsqueeze
from facula.operators.operator import operator
from facula.operators.padding import pad
from facula.operators.parts import chunk
from facula.operators.rearranging import repeat
from facula.operators.reduction import _mean
from facula.operators.slicing import slice_axis
from facula.operators.softmaxes import _softmax


def _shape(x):
    return x._value.spec.shape


def _rank(x):
    return x._value.spec.ndim


def _require(condition, message) -> None:
    """PyTorch checks these arguments with assertions, so callers may expect AssertionError."""
    if not condition:
        raise AssertionError(message)


# Checks -----------------------------------------------------------------------------------------


def _is_batched(query, key, value, key_padding_mask, attn_mask, num_heads) -> bool:
    rank = _rank(query)
    if rank not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor"
        )
    kind = "batched (3-D)" if rank == 3 else "unbatched (2-D)"
    _require(
        _rank(key) == rank and _rank(value) == rank,
        f"For {kind} `query`, expected `key` and `value` to be {rank}-D but found {_rank(key)}-D "
        f"and {_rank(value)}-D tensors respectively",
    )
    if key_padding_mask is not None:
        _require(
            _rank(key_padding_mask) == rank - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {rank - 1}-D but "
            f"found {_rank(key_padding_mask)}-D tensor instead",
        )
    if attn_mask is not None:
        _require(
            _rank(attn_mask) in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found "
            f"{_rank(attn_mask)}-D tensor instead",
        )
        expected = (num_heads, _shape(query)[0], _shape(key)[0])
        if rank == 2 and _rank(attn_mask) == 3:
            _require(
                _shape(attn_mask) == expected,
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask._value.spec.size}",
            )
    return rank == 3


@operator(differentiable=False)
def _hidden(mask, dtype):
    """A bool mask (true: hidden) as numbers to add to the scores."""
    return _select(mask, full((), -math.inf, dtype), 0.0)


def canonical_mask(mask, mask_name, other_type, other_name, target_type, check_other=True):
    """A mask as numbers of ``target_type`` to add; float masks stay. Warns if the other differs."""
    if mask is None:
        return None
    own = mask._value.spec.dtype
    _require(
        own.category in (BOOL, FLOAT), f"only bool and floating types of {mask_name} are supported"
    )
    if check_other and other_type is not None and other_type is not own:
        warnings.warn(
            f"Support for mismatched {mask_name} and {other_name} is deprecated. Use same type for "
            "both instead.",
            stacklevel=4,
        )
    return _hidden(mask, target_type) if own.category == BOOL else mask


def _with_three_dimensions(attn_mask, heads, target, source):
    """The attention mask as (1 or batch * heads, target, source)."""
    rank, shape = _rank(attn_mask), attn_mask._value.spec.size
    expected = (target, source) if rank == 2 else (heads, target, source)
    if _shape(attn_mask) != expected:
        raise RuntimeError(
            f"The shape of the {rank}D attn_mask is {shape}, but should be {expected}."
        )
    return unsqueeze(attn_mask, 0) if rank == 2 else attn_mask


# Parts ------------------------------------------------------------------------------------------


def _packed_projection(query, key, value, weight, bias):
    """Queries, keys and values by the three parts of one weight matrix."""
    width = _shape(query)[-1]
    if query is key and key is value:
        return chunk(linear(query, weight, bias), 3, -1)
    if key is value:
        first, rest = _split(weight, width)
        first_bias, rest_bias = (None, None) if bias is None else _split(bias, width)
        q = linear(query, first, first_bias)
        return (q, *chunk(linear(key, rest, rest_bias), 2, -1))
    weights = chunk(weight, 3)
    biases = (None,) * 3 if bias is None else chunk(bias, 3)
    inputs = (query, key, value)
    return tuple([linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)])


def _split(x, first):
    """The first rows and the others."""
    count = _shape(x)[0]
    return slice_axis(x, 0, 0, first), slice_axis(x, 0, first, count)


def _separate_projection(query, key, value, weights, bias):
    biases = (None,) * 3 if bias is None else chunk(bias, 3)
    names = ("q", "k", "v")
    for name, weight in zip(names, weights, strict=True):
        _require(
            weight is not None,
            f"use_separate_proj_weight is True but {name}_proj_weight is None",
        )
    inputs = (query, key, value)
    return tuple([linear(x, w, b) for x, w, b in zip(inputs, weights, biases, strict=True)])


def _heads(x, batch, heads):
    """(length, batch, width) as (batch, heads, length, width of a head)."""
    length, _, width = _shape(x)
    return _permute(reshape(x, (length, batch, heads, width // heads)), (1, 2, 0, 3))


def _given_heads(static, name, batch, heads, width):
    """Keys or values given already projected, as (batch, heads, length, width of a head)."""
    count, length, own = _shape(static)
    _require(
        count == batch * heads, f"expecting {name}.size(0) of {batch * heads}, but got {count}"
    )
    _require(own == width, f"expecting {name}.size(2) of {width}, but got {own}")
    return reshape(static, (batch, heads, length, width))


def _longer_masks(masks):
    """Masks with one more key that everybody may attend to."""
    return [None if m is None else pad(m, (0, 1)) for m in masks]


def _merged_mask(attn_mask, key_padding_mask, batch, heads, source):
    """One mask that broadcasts to (batch, heads, target, source)."""
    if attn_mask is not None:
        count, target, _ = _shape(attn_mask)
        shape = (1, 1) if count == 1 else (batch, heads)
        attn_mask = reshape(attn_mask, (*shape, target, source))
    if key_padding_mask is None:
        return attn_mask
    _require(
        _shape(key_padding_mask) == (batch, source),
        f"Expected key_padded_mask.shape[0] to be {batch} and shape[1] to be {source}, but got "
        f"{key_padding_mask._value.spec.size}",
    )
    padding = reshape(key_padding_mask, (batch, 1, 1, source))
    return padding if attn_mask is None else attn_mask + padding


def _weighted(q, k, v, mask, dropout_p):
    """Attention whose weights are wanted too."""
    width = _shape(q)[-1]
    scores = matmul(q * math.sqrt(1.0 / width), swapped(k))
    weights = _softmax(scores if mask is None else scores + mask, -1, None)
    if dropout_p > 0.0:
        weights = dropout(weights, dropout_p)
    return matmul(weights, v), weights


def _attend(q, k, v, mask, dropout_p, is_causal, need_weights):
    """(result, weights), both by batch and head; the weights only if they are wanted."""
    if need_weights:
        return _weighted(q, k, v, mask, dropout_p)
    return scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal), None


def _check_keys(key, value, separate) -> None:
    if separate:
        _require(
            _shape(key)[:2] == _shape(value)[:2],
            f"key's sequence and batch dims {_shape(key)[:2]} do not match value's "
            f"{_shape(value)[:2]}",
        )
    else:
        _require(
            _shape(key) == _shape(value),
            f"key shape {key._value.spec.size} does not match value shape {value._value.spec.size}",
        )


def _projected(inputs, in_proj_weight, in_proj_bias, separate_weights):
    """Queries, keys and values after their projections."""
    query, key, value = inputs
    _check_keys(key, value, separate_weights is not None)
    if separate_weights is not None:
        return _separate_projection(query, key, value, separate_weights, in_proj_bias)
    _require(
        in_proj_weight is not None, "use_separate_proj_weight is False but in_proj_weight is None"
    )
    return _packed_projection(query, key, value, in_proj_weight, in_proj_bias)


def _with_bias(k, v, bias_k, bias_v, static_k, static_v, masks):
    """Keys and values with one more position that is a parameter, if there is one."""
    if bias_k is None and bias_v is None:
        return k, v, masks
    _require(bias_v is not None, "bias_k is set but bias_v is None")
    _require(bias_k is not None, "bias_v is set but bias_k is None")
    _require(static_k is None, "bias cannot be added to static key.")
    _require(static_v is None, "bias cannot be added to static value.")
    batch = _shape(k)[1]
    k, v = cat([k, repeat(bias_k, (1, batch, 1))]), cat([v, repeat(bias_v, (1, batch, 1))])
    return k, v, _longer_masks(masks)


def _with_zero(k, v, masks):
    """Keys and values with one more position that is zero."""
    batch, heads, _, width = _shape(k)
    zero = full((batch, heads, 1, width), 0, k._value.spec.dtype)
    return cat([k, zero], 2), cat([v, zero], 2), _longer_masks(masks)


def _masks(query, key, key_padding_mask, attn_mask, num_heads, is_causal, need_weights):
    """[attention mask, key mask] as numbers to add; whether the causal hint replaces the first."""
    own = query._value.spec.dtype
    other = None if attn_mask is None else attn_mask._value.spec.dtype
    padding = canonical_mask(key_padding_mask, "key_padding_mask", other, "attn_mask", own)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and padding is None and not need_weights:
        return [None, None], True
    attn_mask = canonical_mask(attn_mask, "attn_mask", None, "", own)
    if attn_mask is not None:
        target, batch, _ = _shape(query)
        attn_mask = _with_three_dimensions(attn_mask, batch * num_heads, target, _shape(key)[0])
    return [attn_mask, padding], False


def _with_batch(query, key, value, key_padding_mask):
    """A single sequence as a batch of one; equal tensors stay the same object."""
    same_key, same_value = key is query, value is key
    query = unsqueeze(query, 1)
    key = query if same_key else unsqueeze(key, 1)
    value = key if same_value else unsqueeze(value, 1)
    return query, key, value, None if key_padding_mask is None else unsqueeze(key_padding_mask, 0)


def multi_head_attention_forward(
    query, key, value, embed_dim_to_check, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v,
    add_zero_attn, dropout_p, out_proj_weight, out_proj_bias, training=True, key_padding_mask=None,
    need_weights=True, attn_mask=None, use_separate_proj_weight=False, q_proj_weight=None,
    k_proj_weight=None, v_proj_weight=None, static_k=None, static_v=None,
    average_attn_weights=True, is_causal=False,
):  # fmt: skip
    """Attention in ``num_heads`` subspaces: (output, attention weights or None).

    Shapes: query (L, N, E), key and value (S, N, E), without N for a single sequence. Masks that
    are bool hide where they are true; float masks are added to the scores.
    """
    batched = _is_batched(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        query, key, value, key_padding_mask = _with_batch(query, key, value, key_padding_mask)
    target, batch, width = _shape(query)
    masks, is_causal = _masks(
        query, key, key_padding_mask, attn_mask, num_heads, is_causal, need_weights
    )
    _require(
        width == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}",
    )
    _require(width % num_heads == 0, f"embed_dim {width} not divisible by num_heads {num_heads}")
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected((query, key, value), in_proj_weight, in_proj_bias, separate)
    k, v, masks = _with_bias(k, v, bias_k, bias_v, static_k, static_v, masks)
    head = width // num_heads
    q = _heads(q, batch, num_heads)
    if static_k is None:
        k = _heads(k, batch, num_heads)
    else:
        k = _given_heads(static_k, "static_k", batch, num_heads, head)
    if static_v is None:
        v = _heads(v, batch, num_heads)
    else:
        v = _given_heads(static_v, "static_v", batch, num_heads, head)
    if add_zero_attn:
        k, v, masks = _with_zero(k, v, masks)
    mask = _merged_mask(*masks, batch, num_heads, _shape(k)[2])
    dropout_p = dropout_p if training else 0.0
    out, weights = _attend(q, k, v, mask, dropout_p, is_causal, need_weights)
    out = reshape(_permute(out, (2, 0, 1, 3)), (target, batch, width))
    out = linear(out, out_proj_weight, out_proj_bias)
    if weights is not None and average_attn_weights:
        weights = _mean(weights, (1,), False, None)
    if not batched:
        out = squeeze(out, 1)
        weights = None if weights is None else squeeze(weights, 0)
    return out, weights


NAMESPACES = {"torch": [], "functional": ["multi_head_attention_forward"]}
