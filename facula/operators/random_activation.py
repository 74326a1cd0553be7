"""Activations that draw random numbers: rrelu and gumbel_softmax."""

from __future__ import annotations

import math
import warnings

import numpy as np

from facula.autograd.modes import no_grad
from facula.operators.activation import _rrelu_mean, _rrelu_with_noise
from facula.operators.basic import zero_like
from facula.operators.inplace import write
from facula.operators.operator import Number, operator
from facula.operators.positions import computed
from facula.operators.precision import require_real
from facula.operators.reduction import argmax
from facula.operators.scatter import scatter
from facula.operators.softmaxes import _softmax
from facula.operators.transcendental import log
from facula.runtime import streams
from facula.runtime.generator import default_stream


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Leaky relu whose slope is random in [lower, upper] in training, their mean otherwise."""
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    require_real("rrelu_with_noise_out_cpu", input)
    if not training:
        result = _rrelu_mean(input, (lower + upper) / 2)
    else:
        result = _rrelu_with_noise(input, _slopes(input, lower, upper))
    return write(input, result) if inplace else result


def _slopes(input, lower, upper):
    """1 where the input is positive, elsewhere a slope drawn for the element."""
    array = np.asarray(input._buffer())
    own = input._value.spec.dtype
    noise = np.ones(array.shape, own.numpy)
    low = array <= 0
    noise[low] = streams.rrelu_slopes(default_stream(), int(low.sum()), lower, upper, own.name)
    return computed(noise, own)


@operator(name="Softmax")
def _gumbel_softmax(logits, sample, tau: Number, dim: int):
    return _softmax((logits - log(sample)) / tau, dim, None)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """A sample of the Gumbel-softmax distribution; ``hard`` makes its value one-hot."""
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    require_real("exponential_", logits)
    own = logits._value.spec
    drawn = streams.exponential(default_stream(), math.prod(own.shape), own.dtype.name)
    soft = _gumbel_softmax(logits, computed(drawn.reshape(own.shape), own.dtype), float(tau), dim)
    if not hard:
        return soft
    with no_grad():
        index = argmax(soft, dim, True)
        offset = scatter(zero_like(soft), dim, index, 1.0) - soft
    return offset + soft


NAMESPACES = {"torch": ["rrelu"], "functional": ["rrelu", "gumbel_softmax"]}
