"""Random tensors and in-place random fills, drawn in program order from a stream."""

from __future__ import annotations

import math

import numpy as np

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.operators.inplace import write
from facula.operators.out_argument import with_out
from facula.operators.positions import random_tensor
from facula.runtime import streams
from facula.tensors.build import adopt
from facula.tensors.creation import finish, size_of, taking_out
from facula.tensors.generator import stream_of


def _made(draw, size, dtype, device, requires_grad, generator):
    own = dtype or dtypes.default_float()
    n = math.prod(size)

    def drawn():
        values = draw(stream_of(generator), n, own.name).reshape(size)
        return values.astype(own.numpy, copy=False)

    return finish(random_tensor(drawn, own), device, requires_grad)


def _require_float(name, own):
    if own.category < dtypes.FLOAT:
        raise NotImplementedError(f"\"{name}\" not implemented for '{own.legacy}'")


@taking_out
def rand(
    *size, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
    pin_memory=False, **named,
):  # fmt: skip
    """Uniform numbers in [0, 1).

    >>> import facula as torch
    >>> _ = torch.manual_seed(0)
    >>> torch.rand(2)
    tensor([0.4963, 0.7682])
    """
    size = size_of(size, named.pop("size", None))
    _require_float("check_uniform_bounds", dtype or dtypes.default_float())
    return _made(streams.uniform, size, dtype, device, requires_grad, generator)


@taking_out
def randn(
    *size, generator=None, dtype=None, layout=None, device=None, requires_grad=False,
    pin_memory=False, **named,
):  # fmt: skip
    """Numbers from the standard normal distribution."""
    size = size_of(size, named.pop("size", None))
    _require_float("normal_kernel_cpu", dtype or dtypes.default_float())
    return _made(streams.normal, size, dtype, device, requires_grad, generator)


@taking_out
def randint(
    low=None, high=None, size=None, *, generator=None, dtype=None, layout=None,
    device=None, requires_grad=False, pin_memory=False,
):  # fmt: skip
    """Whole numbers in [low, high), each equally likely: ``randint(high, size)`` starts at 0."""
    if size is None:
        low, high, size = 0, low, high
    if high is None:
        low, high = 0, low
    low, high = int(low or 0), int(high)
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    own = dtype or dtypes.int64

    def draw(stream, n, name):
        return streams.randint(stream, n, low, high, name)

    return _made(draw, size_of((size,)), own, device, requires_grad, generator)


@taking_out
def randperm(
    n,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    pin_memory=False,
):
    """The numbers 0 ... n-1 in random order."""
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    own = dtype or dtypes.int64

    def drawn():
        return streams.randperm(stream_of(generator), n).astype(own.numpy)

    return finish(random_tensor(drawn, own), device, requires_grad)


def rand_like(
    input,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=None,
):
    """Uniform numbers in [0, 1) in the input's shape and dtype."""
    own = input._value.spec
    return rand(
        own.shape,
        generator=generator,
        dtype=dtype or own.dtype,
        device=device,
        requires_grad=requires_grad,
    )


def randn_like(
    input,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
    memory_format=None,
):
    """Standard normal numbers in the input's shape and dtype."""
    own = dtypes.meant(dtype) or input._value.spec.dtype
    made = input.detach().to(own)
    if not input.is_contiguous():
        made = input._like_layout(own)
        return finish(normal_(made, generator=generator), device, requires_grad)
    return randn(
        input._value.spec.shape,
        generator=generator,
        dtype=own,
        device=device,
        requires_grad=requires_grad,
    )


def randint_like(
    input,
    low,
    high=None,
    *,
    dtype=None,
    device=None,
    requires_grad=False,
    generator=None,
    memory_format=None,
    layout=None,
):
    """Whole numbers in [low, high) in the input's shape and dtype."""
    if high is None:
        low, high = 0, low
    own = input._value.spec
    return randint(
        low,
        high,
        own.shape,
        generator=generator,
        dtype=dtype or own.dtype,
        device=device,
        requires_grad=requires_grad,
    )


# Fills: values go into memory in address order, whatever the order of the dimensions.


def _fill(tensor, draw, generator, legacy=None):
    own = tensor._value.spec
    strides = tensor.stride()
    order = sorted(range(own.ndim), key=lambda i: -strides[i])
    sizes = [own.shape[i] for i in order]

    def drawn():
        values = draw(stream_of(generator), own.numel, own.dtype.name).reshape(sizes)
        if order != list(range(own.ndim)):
            values = values.transpose(np.argsort(order))
        values = np.ascontiguousarray(values).reshape(own.shape)
        return values.astype(own.dtype.numpy, copy=False)

    return write(tensor, random_tensor(drawn, own.dtype))


def uniform_(tensor, a=0.0, b=1.0, *, generator=None, **named):
    """Fill with uniform numbers in [a, b)."""
    a, b = named.get("from", a), named.get("to", b)
    _require_float("uniform_", tensor._value.spec.dtype)
    if a > b:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={a} > to={b}"
        )
    return _fill(tensor, lambda s, n, d: streams.uniform(s, n, d, a, b), generator)


def normal_(tensor, mean=0.0, std=1.0, *, generator=None):
    """Fill with normal numbers of the given mean and standard deviation."""
    _require_float("normal_kernel_cpu", tensor._value.spec.dtype)
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    contiguous = tensor.is_contiguous()
    return _fill(tensor, lambda s, n, d: streams.normal(s, n, d, mean, std, contiguous), generator)


def random_(tensor, *args, generator=None, **named):
    """Fill with whole numbers: all of the dtype's, below ``to``, or in [from, to)."""
    low, high = named.get("from"), named.get("to")
    if len(args) == 1:
        high = args[0]
    elif len(args) == 2:
        low, high = args
    if low is None and high is None:
        return _fill(tensor, streams.random_full, generator)
    low = 0 if low is None else low
    if high is None:
        return _fill(tensor, lambda s, n, d: streams.random_from(s, n, low, None, d), generator)
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    return _fill(tensor, lambda s, n, d: streams.randint(s, n, low, high, d), generator)


def bernoulli_(tensor, p=0.5, *, generator=None):
    """Fill with ones with probability p (a number or a tensor), else zeros."""
    if isinstance(p, TensorBase):
        own = p._value.spec
        probabilities = np.broadcast_to(p._buffer(), tensor._value.spec.shape)
        values = streams.bernoulli_tensor(stream_of(generator), probabilities, own.dtype.name)
        return write(tensor, adopt(values.reshape(tensor._value.spec.shape)).to(tensor.dtype))
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    numpy = tensor._value.spec.dtype.numpy
    return _fill(tensor, lambda s, n, d: streams.bernoulli_scalar(s, n, p).astype(numpy), generator)


def bernoulli(input, p=None, *, generator=None, out=None):
    """Ones with the probabilities that the input holds, else zeros."""
    own = input._value.spec
    made = adopt(np.zeros(own.shape, own.dtype.numpy), own.dtype)
    if out is not None:
        return out.resize_(own.shape).copy_(bernoulli(input, p, generator=generator))
    if p is not None:
        return bernoulli_(made, p, generator=generator)
    array = input._buffer()
    if array.size and not (np.min(array) >= 0 and np.max(array) <= 1):
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false.")
    return bernoulli_(made, input, generator=generator)


def exponential_(tensor, lambd=1.0, *, generator=None):
    """Fill with numbers of the exponential distribution of rate ``lambd``."""
    if lambd <= 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    return _fill(tensor, lambda s, n, d: streams.exponential(s, n, d, lambd), generator)


def geometric_(tensor, p, *, generator=None):
    """Fill with numbers of trials up to the first success of probability p."""
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return _fill(tensor, lambda s, n, d: streams.geometric(s, n, d, p), generator)


def cauchy_(tensor, median=0.0, sigma=1.0, *, generator=None):
    """Fill with numbers of the Cauchy distribution."""
    if sigma <= 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    return _fill(tensor, lambda s, n, d: streams.cauchy(s, n, d, median, sigma), generator)


def log_normal_(tensor, mean=1.0, std=2.0, *, generator=None):
    """Fill with exponentials of normal numbers."""
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return _fill(tensor, lambda s, n, d: streams.log_normal(s, n, d, mean, std), generator)


@taking_out
def normal(
    mean,
    std=1.0,
    size=None,
    *,
    generator=None,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
):
    """Normal numbers with given means and standard deviations (numbers or tensors)."""
    if isinstance(mean, TensorBase) or isinstance(std, TensorBase):
        return _normal_of_tensors(mean, std, generator)
    made = adopt(np.zeros(size_of((size,)), (dtype or dtypes.default_float()).numpy), dtype)
    return finish(normal_(made, mean, std, generator=generator), device, requires_grad)


def _normal_of_tensors(mean, std, generator):
    if not isinstance(std, TensorBase):
        own = mean._value.spec
        made = adopt(np.zeros(own.shape, own.dtype.numpy), own.dtype)
        return normal_(made, 0.0, std, generator=generator) + mean
    if np.any(np.asarray(std._buffer()) < 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    shape = np.broadcast_shapes(
        std._value.spec.shape, getattr(getattr(mean, "_value", None), "spec", std._value.spec).shape
    )
    own = std._value.spec
    made = adopt(np.zeros(shape, own.dtype.numpy), own.dtype)
    noise = normal_(made, generator=generator) * std
    if not isinstance(mean, TensorBase):
        mean = adopt(np.asarray(mean, own.dtype.numpy), own.dtype)
    return noise + mean


@with_out
def poisson(input, generator=None):
    """Counts of Poisson distributions whose rates the input holds."""
    own = input._value.spec
    array = np.asarray(input._buffer())
    if array.size and np.min(array) < 0:
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    values = streams.poisson(stream_of(generator), array)
    return adopt(values.astype(own.dtype.numpy), own.dtype)


@with_out
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Indices drawn with the weights in (each row of) the input."""
    own = input._value.spec
    if own.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    _require_float("multinomial", own.dtype)
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > own.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    array = np.asarray(input._buffer())
    if not np.all(np.isfinite(array)) or np.min(array, initial=0) < 0:
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if np.any(np.sum(array, -1) <= 0):
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    found = streams.multinomial(
        stream_of(generator), array, own.dtype.name, num_samples, replacement
    )
    return adopt(np.ascontiguousarray(found, np.int64))
