"""Rearranging channels and pixels: pixel_shuffle and its relatives."""

from __future__ import annotations

from facula.operators import kit
from facula.operators.operator import operator


def _shape(x):
    return x._value.spec.shape


def _check_image(name, input, factor, what):
    shape = _shape(input)
    if len(shape) < 3:
        raise RuntimeError(
            f"{name} expects input to have at least 3 dimensions, but got input with {len(shape)} "
            "dimension(s)"
        )
    if factor <= 0:
        raise RuntimeError(f"{name} expects a positive {what}, but got {factor}")


@operator(
    name="PixelShuffle",
    derivative={"input": lambda g, upscale_factor: pixel_unshuffle(g, upscale_factor)},
)
def pixel_shuffle(input, upscale_factor: int):
    """Channels become pixels: (..., C*r*r, H, W) to (..., C, H*r, W*r).

    >>> import facula as torch
    >>> torch.pixel_shuffle(torch.zeros(1, 8, 4, 4), 2).shape
    torch.Size([1, 2, 8, 8])
    """
    r = upscale_factor
    _check_image("pixel_shuffle", input, r, "upscale_factor")
    *lead, channels, h, w = _shape(input)
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square "
            f"of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    n = len(lead)
    x = kit.reshape(input, (*lead, channels // (r * r), r, r, h, w))
    x = kit.permute(x, (*range(n), n, n + 3, n + 1, n + 4, n + 2))
    return kit.reshape(x, (*lead, channels // (r * r), h * r, w * r))


@operator(
    name="PixelUnshuffle",
    derivative={"input": lambda g, downscale_factor: pixel_shuffle(g, downscale_factor)},
)
def pixel_unshuffle(input, downscale_factor: int):
    """Pixels become channels: (..., C, H*r, W*r) to (..., C*r*r, H, W)."""
    r = downscale_factor
    _check_image("pixel_unshuffle", input, r, "downscale_factor")
    *lead, channels, h, w = _shape(input)
    for what, axis, size in (("height", -2, h), ("width", -1, w)):
        if size % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {what} to be divisible by downscale_factor, but "
                f"input.size({axis})={size} is not divisible by {r}"
            )
    n = len(lead)
    x = kit.reshape(input, (*lead, channels, h // r, r, w // r, r))
    x = kit.permute(x, (*range(n), n, n + 2, n + 4, n + 1, n + 3))
    return kit.reshape(x, (*lead, channels * r * r, h // r, w // r))


def _shuffled(input, groups):
    n, channels, *rest = _shape(input)
    if groups <= 0:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive. Value of groups:{groups}"
        )
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} "
            "groups."
        )
    x = kit.reshape(input, (n, groups, channels // groups, *rest))
    x = kit.permute(x, (0, 2, 1, *range(3, 3 + len(rest))))
    return kit.reshape(x, (n, channels, *rest))


def _unshuffle(g, groups):
    return channel_shuffle(g, g._value.spec.shape[1] // groups)


@operator(name="ChannelShuffle", derivative={"input": lambda g, groups: _unshuffle(g, groups)})
def channel_shuffle(input, groups: int):
    """Channels dealt out over groups: group i, place j becomes group j, place i."""
    shape = _shape(input)
    if len(shape) < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}"
        )
    return _shuffled(input, groups)


def native_channel_shuffle(input, groups):
    """The same as ``channel_shuffle``."""
    return channel_shuffle(input, groups)


_NAMES = ["pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle"]
NAMESPACES = {"torch": _NAMES, "functional": _NAMES}
