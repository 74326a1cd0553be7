"""Dropout: random masks, exactly PyTorch's, drawn at the call and given to the program."""

from __future__ import annotations

import math
import warnings

import numpy as np

from facula.operators.arithmetic import _select
from facula.operators.basic import cast, identity
from facula.operators.inplace import write
from facula.operators.movement import squeeze, strides_of, unsqueeze
from facula.operators.operator import Number, operator
from facula.operators.positions import computed, random_tensor
from facula.operators.precision import narrowed, wide_dtype
from facula.runtime import streams
from facula.runtime.generator import default_stream

_SELU_LIMIT = 1.7580993408473766  # scale * alpha of the selu


def check_probability(p) -> None:
    """Refuse a probability outside [0, 1]."""
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def memory_order(shape, strides) -> list[int]:
    """The axes from the outermost to the innermost in memory; repeated ones stay where they are."""
    order = list(range(len(shape)))[::-1]  # innermost first
    for last in range(1, len(order)):
        at = last
        for place in range(last - 1, -1, -1):
            inner, outer = order[place], order[at]
            if strides[inner] == 0 or strides[outer] == 0:
                continue
            if (strides[inner], shape[inner]) > (strides[outer], shape[outer]):
                order[place], order[at] = outer, inner
                at = place
            elif strides[inner] != strides[outer]:
                break
    return order[::-1]


def keep_mask(shape, p: float, strides=None):
    """A bool tensor that is true with probability ``1 - p``, drawn in the order of memory."""
    order = None if strides is None else memory_order(shape, strides)
    if order == list(range(len(shape))):
        order = None

    def draw():
        drawn = streams.bernoulli_scalar(default_stream(), math.prod(shape), 1 - p)
        if order is None:
            return drawn.reshape(shape)
        in_memory = drawn.reshape([shape[axis] for axis in order])
        return np.ascontiguousarray(in_memory.transpose(np.argsort(order)))

    return random_tensor(draw)


def _noise(keep, kept, own):
    """What elements are multiplied by: 1 / kept, rounded to their dtype, or 0."""
    return narrowed(cast(keep, wide_dtype(own)) / kept, own)


@operator(
    name="Mul",
    derivative={"input": lambda g, keep, kept: g * _noise(keep, kept, g._value.spec.dtype)},
)
def _dropped(input, keep, kept: Number):
    return input * _noise(keep, kept, input._value.spec.dtype)


@operator(name="Mul", derivative={"input": lambda g: g * 0.0})
def _all_dropped(input):
    return input * 0.0


@operator(
    name="Add",
    derivative={"input": lambda g, keep, scale: _select(keep, g * scale, g * 0.0)},
)
def _alpha_dropped(input, keep, scale: Number, p: Number):
    # Every step is rounded to the input's dtype, as PyTorch's are.
    kept = cast(keep, input._value.spec.dtype)
    shift = scale * _SELU_LIMIT
    offset = (kept - 1) * shift + shift * p
    return input * (kept * scale) + offset


def _mask_shape(input, feature):
    shape = input._value.spec.shape
    if not feature:
        return shape
    if len(shape) < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return (*shape[:2], *(1,) * (len(shape) - 2))


def _drop(input, p, training, feature, alpha):
    """The four kinds of dropout; draws nothing where PyTorch draws nothing."""
    check_probability(p)
    if p == 0 or not training or input._value.spec.numel == 0:
        return input
    if p == 1:
        return _all_dropped(input)
    shape = _mask_shape(input, feature)
    keep = keep_mask(shape, p, None if feature else strides_of(input))
    if alpha:
        scale = 1 / math.sqrt((_SELU_LIMIT * _SELU_LIMIT * p + 1) * (1 - p))
        return _alpha_dropped(input, keep, scale, float(p))
    return _dropped(input, keep, 1 - p)


def _kind(feature, alpha, name, doc, training_default):
    def function(input, p=0.5, training=training_default, inplace=False):
        result = _drop(input, p, training, feature, alpha)
        return write(input, result) if inplace and result is not input else result

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


dropout = _kind(
    False,
    False,
    "dropout",
    "Zero elements with probability ``p``, scale the rest by 1 / (1 - p).",
    True,
)
alpha_dropout = _kind(
    False,
    True,
    "alpha_dropout",
    "Dropout that keeps the mean and variance of selu activations.",
    False,
)
feature_dropout = _kind(
    True, False, "feature_dropout", "Dropout of whole channels (the first two dimensions).", True
)
feature_alpha_dropout = _kind(
    True, True, "feature_alpha_dropout", "Alpha dropout of whole channels.", False
)


def _drop_unbatched(input, p, training, inplace):
    """Channel dropout of one sample: its first dimension is the channel."""
    result = squeeze(feature_dropout(unsqueeze(input, 0), p, training), 0)
    return write(input, result) if inplace else result


def _advise(name, rank, ndim, spatial):
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an "
        "error in a future release. To retain the behavior and silence this warning, please use "
        f"dropout instead. Note that {name} exists to provide channel-wise dropout on inputs with "
        f"{spatial} spatial dimensions, a channel dimension, and an optional batch dimension (i.e. "
        f"{rank}D or {rank + 1}D inputs).",
        stacklevel=3,
    )


def dropout1d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, L) or (C, L) inputs with probability ``p``."""
    check_probability(p)
    ndim = input._value.spec.ndim
    if ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {ndim}D input. Note that "
            "dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, "
            "a channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if ndim == 2:
        return _drop_unbatched(input, p, training, inplace)
    return feature_dropout(input, p, training, inplace)


def dropout2d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, H, W) inputs with probability ``p``; 3D ones are (N, C, L)."""
    check_probability(p)
    ndim = input._value.spec.ndim
    if ndim not in (3, 4):
        _advise("dropout2d", 3, ndim, 2)
    if ndim == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise 1D dropout "
            "behavior is desired - input is interpreted as shape (N, C, L), where C is the channel "
            "dim. This behavior will change in a future release to interpret the input as one "
            "without a batch dimension, i.e. shape (C, H, W). To maintain the 1D channel-wise "
            "dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return feature_dropout(input, p, training, inplace)


def dropout3d(input, p=0.5, training=True, inplace=False):
    """Zero whole channels of (N, C, D, H, W) or (C, D, H, W) inputs with probability ``p``."""
    check_probability(p)
    ndim = input._value.spec.ndim
    if ndim not in (4, 5):
        _advise("dropout3d", 4, ndim, 3)
    if ndim != 5:
        return _drop_unbatched(input, p, training, inplace)
    return feature_dropout(input, p, training, inplace)


def native_dropout(input, p, train):
    """(dropped input, mask of the kept elements), as PyTorch's GPU dropout returns them."""
    own = input._value.spec
    if train is False or own.numel == 0:
        return identity(input), computed(np.ones(own.shape, bool))
    keep = keep_mask(own.shape, p, strides_of(input))
    return _native(input, keep, 0.0 if p == 1 else 1 / (1 - p)), keep


@operator(
    name="NativeDropout",
    derivative={"input": lambda g, keep, scale: g * cast(keep, g._value.spec.dtype) * scale},
)
def _native(input, keep, scale: Number):
    return input * cast(keep, input._value.spec.dtype) * scale


NAMESPACES = {
    "torch": [
        "dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout", "native_dropout",
    ],
    "functional": [
        "dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d", "dropout3d",
    ],
}  # fmt: skip
