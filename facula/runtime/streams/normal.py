"""Normal random numbers, bit for bit PyTorch's `normal_` and `randn`."""

from __future__ import annotations

import math

import numpy as np

from facula.runtime.streams.cephes import log32, sincos32
from facula.runtime.streams.convert import REAL_OF_COMPLEX, from_reals, libm
from facula.runtime.streams.fma import fma64, fma64_short, multiply_add32
from facula.runtime.streams.mt19937 import Stream
from facula.runtime.streams.uniform import uniform24

__all__ = ["normal", "normal_one_by_one"]

_TWO_PI = 2.0 * math.pi
_BLOCK = 16  # a block of 16 uniforms becomes 16 normals: 8 radii and 8 angles
_HALF_BLOCK = 8
_SHORT = 32  # below this many pairs plain Python beats NumPy
_CHUNK = 2048  # blocks transformed at a time, so that intermediates stay in the cache


def normal(
    stream: Stream,
    n: int,
    dtype: str,
    mean: float = 0.0,
    std: float = 1.0,
    contiguous: bool = True,
) -> np.ndarray:
    """Return `n` normal values.

    PyTorch has two algorithms: whole blocks of 16 for contiguous tensors of 16 and more
    elements, one value after the other for all else. `contiguous` tells which tensor is meant.
    For complex types `n` counts complex numbers and the variance is shared by both parts.
    """
    real = REAL_OF_COMPLEX.get(dtype)
    if real is not None:
        part = std / math.sqrt(2.0)
        return normal(stream, 2 * n, real, mean, part, contiguous).view(dtype)
    if n < _BLOCK or not contiguous:
        return from_reals(normal_one_by_one(stream, n, mean, std, dtype == "float64"), dtype)
    if dtype == "float64":
        return _normal_blocks64(stream, n, mean, std)
    return from_reals(_normal_blocks32(stream, n, dtype, mean, std), dtype)


def normal_one_by_one(
    stream: Stream, n: int, mean: float, std: float, exact: bool = True
) -> np.ndarray:
    """Return `n` float64 normals made in pairs, the spare one kept in the stream.

    Without `exact` long results may differ from the C library's in the last bit, which is
    far below what a result rounded to float32 can show.
    """
    if n == 0:
        return np.empty(0)
    spare = stream.cached_normal
    first = spare is not None
    pairs = n - first + 1 >> 1
    values = np.empty(first + 2 * pairs)
    if pairs and stream.filled("normal pairs", values[first:], pairs, 4 * pairs):
        values[:first] = spare
        stream.cached_normal = float(values[n]) if n < values.size else None
        return _scaled(values[:n], mean, std)
    u = stream.draw53(2 * pairs)
    # Few pairs are cheaper in plain Python. The last pair goes there in any case: its sine may
    # stay in the state, which must hold the C library's very value.
    vector = max(pairs - 1, 0) if pairs > _SHORT else 0
    pieces = [] if spare is None or vector else [spare]
    uniforms = u[2 * vector :].tolist()
    for k in range(0, len(uniforms), 2):
        radius = math.sqrt(-2.0 * math.log1p(-uniforms[k + 1]))
        theta = _TWO_PI * uniforms[k]
        pieces.append(radius * math.cos(theta))
        pieces.append(radius * math.sin(theta))
    stream.cached_normal = pieces.pop() if first + 2 * pairs > n else None
    if vector:
        values = values[:n]
        values[:first] = spare
        start, stop = first, first + 2 * vector
        values[start:stop] = _polar(u[: 2 * vector : 2], u[1 : 2 * vector : 2], exact)
        values[stop:] = pieces
    else:
        values = np.array(pieces)
    return _scaled(values, mean, std)


def _scaled(values: np.ndarray, mean: float, std: float) -> np.ndarray:
    if mean == 0.0 and std == 1.0:
        return values
    if values.size <= _BLOCK and mean != 0.0:
        return np.array(fma64_short(values.tolist(), std, mean))
    return fma64(values, std, mean)


def _polar(u1: np.ndarray, u2: np.ndarray, exact: bool) -> np.ndarray:
    out = np.empty((u1.size, 2))
    theta = _TWO_PI * u1
    if exact:
        radius = np.sqrt(-2.0 * libm(math.log1p, -u2))
        out[:, 0] = libm(math.cos, theta)
        out[:, 1] = libm(math.sin, theta)
    else:
        radius = np.sqrt(-2.0 * np.log1p(-u2))
        out[:, 0] = np.cos(theta)
        out[:, 1] = np.sin(theta)
    out *= radius[:, None]
    return out.reshape(-1)


def _blocks64(x: np.ndarray, mean: float, std: float) -> np.ndarray:
    blocks = x.reshape(-1, 2, _HALF_BLOCK)
    radius = np.sqrt(-2.0 * libm(math.log, (1.0 - blocks[:, 0]).reshape(-1)))
    theta = (_TWO_PI * blocks[:, 1]).reshape(-1)
    out = np.empty(blocks.shape)
    out[:, 0] = (radius * libm(math.cos, theta)).reshape(-1, _HALF_BLOCK)
    out[:, 1] = (radius * libm(math.sin, theta)).reshape(-1, _HALF_BLOCK)
    return fma64(out.reshape(-1), std, mean)


def _normal_blocks64(stream: Stream, n: int, mean: float, std: float) -> np.ndarray:
    whole = n - n % _BLOCK
    out = np.empty(n)
    draws = 2 * (n + (_BLOCK if whole < n else 0))
    if stream.filled("normal doubles", out, n, draws, mean, std):
        return out
    x = stream.draw53(n)
    out[:whole] = _blocks64(x[:whole], mean, std)
    if whole < n:
        out[n - _BLOCK :] = _blocks64(stream.draw53(_BLOCK), mean, std)
    return out


def _blocks32(x: np.ndarray, mean: float, std: float, out: np.ndarray) -> None:
    blocks = x.reshape(-1, 2, _HALF_BLOCK)
    made = out.reshape(-1, 2, _HALF_BLOCK)
    half = blocks.shape[0], _HALF_BLOCK
    radius = log32((np.float32(1) - blocks[:, 0]).reshape(-1))
    radius *= np.float32(-2)
    np.sqrt(radius, out=radius)
    sine, cosine = sincos32(blocks[:, 1].reshape(-1))
    cosine *= radius
    sine *= radius
    if mean != 0.0:
        cosine = multiply_add32(cosine, std, mean)
        sine = multiply_add32(sine, std, mean)
    elif std != 1.0:
        cosine *= np.float32(std)
        sine *= np.float32(std)
    made[:, 0] = cosine.reshape(half)
    made[:, 1] = sine.reshape(half)


def _normal_blocks32(stream: Stream, n: int, dtype: str, mean: float, std: float) -> np.ndarray:
    mean, std = float(np.float32(mean)), float(np.float32(std))
    rest = n % _BLOCK
    whole = n - rest
    skipped = rest if dtype == "float32" else 0  # drawn by PyTorch, then overwritten
    out = np.empty(n, np.float32)
    draws = whole + (skipped + _BLOCK if rest else 0)
    if stream.filled("normal floats", out, n, draws, skipped, mean, std):
        return out
    step = _BLOCK * _CHUNK
    if rest and n <= step:
        # Both parts in one go: a second pass over so few values would double the time.
        x = uniform24(stream, whole + skipped + _BLOCK)
        made = np.empty(whole + _BLOCK, np.float32)
        _blocks32(np.concatenate((x[:whole], x[whole + skipped :])), mean, std, made)
        out[:whole] = made[:whole]
        out[n - _BLOCK :] = made[whole:]
    else:
        for start in range(0, whole, step):
            stop = min(start + step, whole)
            _blocks32(uniform24(stream, stop - start), mean, std, out[start:stop])
        if rest:
            stream.skip(skipped)
            tail = np.empty(_BLOCK, np.float32)
            _blocks32(uniform24(stream, _BLOCK), mean, std, tail)
            out[n - _BLOCK :] = tail
    if mean == 0.0:
        out += np.float32(0)  # a fused "+ mean" leaves no negative zero
    return out
