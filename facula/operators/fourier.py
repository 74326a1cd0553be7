"""Discrete Fourier transforms: torch.fft under the prefix ``fft_``."""

from __future__ import annotations

import numpy as np

from facula.autograd.handle import wrap
from facula.autograd.tools import tools
from facula.base import dtypes
from facula.base.dtypes import COMPLEX, FLOAT
from facula.graph.primitives import fourier as p
from facula.graph.spec import spec
from facula.operators import kit
from facula.operators.basic import cast, conj, real_part
from facula.operators.joining import cat
from facula.operators.operator import operator
from facula.operators.rearranging import roll
from facula.operators.slicing import narrow
from facula.runtime.value import Value


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# The three transforms ---------------------------------------------------------------------------


@operator(
    name="FftC2C",
    derivative={"input": lambda g, axes, scale, forward: _c2c(g, axes, scale, not forward)},
)
def _c2c(input, axes: tuple, scale: str, forward: bool):
    return kit.bind(p.c2c, input, axes=axes, scale=scale, forward=forward)


def _r2c_grad(g, input, axes, scale, onesided):
    if onesided:
        g = _resized(g, axes[-1], _shape(input)[axes[-1]])
    return real_part(_c2c(g, axes, scale, False))


@operator(name="FftR2C", derivative={"input": _r2c_grad})
def _r2c(input, axes: tuple, scale: str, onesided: bool):
    return kit.bind(p.r2c, input, axes=axes, scale=scale, onesided=onesided)


def _c2r_grad(g, axes, scale, size):
    """What was left out of the input counted too: the inner frequencies stand for two."""
    half = _r2c(g, axes, scale, True)
    last = axes[-1]
    doubled = size - _shape(half)[last]
    if doubled <= 0:
        return half
    rest = _shape(half)[last] - 1 - doubled
    parts = [narrow(half, last, 0, 1), narrow(half, last, 1, doubled) * 2]
    if rest:
        parts.append(narrow(half, last, 1 + doubled, rest))
    return cat(parts, last)


@operator(name="FftC2R", derivative={"input": _c2r_grad})
def _c2r(input, axes: tuple, scale: str, size: int):
    return kit.bind(p.c2r, input, axes=axes, scale=scale, size=size)


# Arguments --------------------------------------------------------------------------------------


def _resized(x, axis, n):
    """Cut, or filled up with zeros, to n points along an axis."""
    shape = _shape(x)
    if shape[axis] == n:
        return x
    if shape[axis] > n:
        return narrow(x, axis, 0, n)
    missing = (*shape[:axis], n - shape[axis], *shape[axis + 1 :])
    return cat([x, tools.zeros(spec(missing, _dtype(x)))], axis)


_SCALES = {
    (None, True): "none", (None, False): "n", ("backward", True): "none", ("backward", False): "n",
    ("ortho", True): "sqrt", ("ortho", False): "sqrt", ("forward", True): "n",
    ("forward", False): "none",
}  # fmt: skip


def _scale(norm, forward):
    found = _SCALES.get((norm, forward))
    if found is None:
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    return found


def _floating(x):
    """Integers become default floats; 16-bit floats are refused, as PyTorch does on CPUs."""
    own = _dtype(x)
    if own.category < FLOAT:
        return cast(x, dtypes.default_float())
    if own in (dtypes.float16, dtypes.bfloat16):
        raise RuntimeError(f"Unsupported dtype {own.legacy}")
    return x


def _as_complex(x):
    x = _floating(x)
    return x if _dtype(x).category == COMPLEX else cast(x, _dtype(x).to_complex())


def _as_real(name, x):
    if _dtype(x).category == COMPLEX:
        raise RuntimeError(f"{name} expects a real input tensor, but got {_dtype(x).legacy}")
    return _floating(x)


def _points(n):
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    return n


def _axis(x, dim):
    if not _shape(x):
        raise IndexError("Dimension specified as -1 but tensor has no dimensions")
    return kit.axis_of(dim, len(_shape(x)))


def _axes_and_sizes(x, s, dim):
    """The transformed axes, and the number of points along each (None: as many as there are)."""
    ndim = len(_shape(x))
    if isinstance(dim, int):
        dim = (dim,)
    if isinstance(s, int):
        s = (s,)
    if s is not None and dim is not None and len(s) != len(dim):
        raise RuntimeError("When given, dim and shape arguments must have the same length")
    if dim is None:
        if s is not None and len(s) > ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
        dim = range(ndim) if s is None else range(ndim - len(s), ndim)
    axes = tuple([kit.axis_of(d, ndim) for d in dim])
    if len(set(axes)) != len(axes):
        raise RuntimeError("FFT dims must be unique")
    sizes = [None if s is None or n == -1 else n for n in (axes if s is None else s)]
    return axes, sizes


def _fill_up(x, axes, sizes):
    for axis, n in zip(axes, sizes, strict=True):
        if n is not None:
            x = _resized(x, axis, _points(n))
    for axis in axes:
        _points(_shape(x)[axis])
    return x


# One dimension ----------------------------------------------------------------------------------


def _one(input, n, dim, norm, forward):
    x = _floating(input)
    axis = _axis(x, dim)
    x = _resized(x, axis, _points(_shape(x)[axis] if n is None else n))
    scale = _scale(norm, forward)
    if _dtype(x).category == COMPLEX:
        return _c2c(x, (axis,), scale, forward)
    out = _r2c(x, (axis,), scale, False)
    return out if forward else conj(out)


def fft_fft(input, n=None, dim=-1, norm=None):
    """The discrete Fourier transform along one dimension.

    >>> import facula as torch
    >>> torch.fft.fft(torch.tensor([1.0, 0.0, 0.0, 0.0]))
    tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j])
    """
    return _one(input, n, dim, norm, True)


def fft_ifft(input, n=None, dim=-1, norm=None):
    """The inverse of ``fft``."""
    return _one(input, n, dim, norm, False)


def fft_rfft(input, n=None, dim=-1, norm=None):
    """The first half of the transform of real numbers; the other half mirrors it."""
    x = _as_real("rfft", input)
    axis = _axis(x, dim)
    x = _resized(x, axis, _points(_shape(x)[axis] if n is None else n))
    return _r2c(x, (axis,), _scale(norm, True), True)


def fft_irfft(input, n=None, dim=-1, norm=None):
    """The inverse of ``rfft``; ``n`` points, by default the even number that fits."""
    return _to_real(_as_complex(input), n, dim, _scale(norm, False))


def _to_real(x, n, dim, scale):
    axis = _axis(x, dim)
    n = _points(2 * (_shape(x)[axis] - 1) if n is None else n)
    return _c2r(_resized(x, axis, n // 2 + 1), (axis,), scale, n)


def fft_hfft(input, n=None, dim=-1, norm=None):
    """The transform of a signal that mirrors its conjugate, given by its first half: real."""
    return _to_real(conj(_as_complex(input)), n, dim, _scale(norm, True))


def fft_ihfft(input, n=None, dim=-1, norm=None):
    """The inverse of ``hfft``."""
    x = _as_real("ihfft", input)
    axis = _axis(x, dim)
    x = _resized(x, axis, _points(_shape(x)[axis] if n is None else n))
    return conj(_r2c(x, (axis,), _scale(norm, False), True))


# Several dimensions -----------------------------------------------------------------------------


def _several(input, s, dim, norm, forward):
    x = _as_complex(input)
    axes, sizes = _axes_and_sizes(x, s, dim)
    if not axes:
        return x
    return _c2c(_fill_up(x, axes, sizes), axes, _scale(norm, forward), forward)


def fft_fftn(input, s=None, dim=None, norm=None):
    """The transform along several dimensions (all by default)."""
    return _several(input, s, dim, norm, True)


def fft_ifftn(input, s=None, dim=None, norm=None):
    """The inverse of ``fftn``."""
    return _several(input, s, dim, norm, False)


def fft_rfftn(input, s=None, dim=None, norm=None):
    """``fftn`` of real numbers: of the last dimension only the first half."""
    x = _as_real("rfftn", input)
    axes, sizes = _axes_and_sizes(x, s, dim)
    if not axes:
        raise RuntimeError("rfftn must transform at least one axis")
    return _r2c(_fill_up(x, axes, sizes), axes, _scale(norm, True), True)


def _last_size(x, axes, sizes, name):
    if not axes:
        raise RuntimeError(f"{name} must transform at least one axis")
    n = sizes[-1] if sizes[-1] is not None else 2 * (_shape(x)[axes[-1]] - 1)
    return _points(n), [*sizes[:-1], n // 2 + 1]


def fft_irfftn(input, s=None, dim=None, norm=None):
    """The inverse of ``rfftn``."""
    x = _as_complex(input)
    axes, sizes = _axes_and_sizes(x, s, dim)
    n, sizes = _last_size(x, axes, sizes, "irfftn")
    return _c2r(_fill_up(x, axes, sizes), axes, _scale(norm, False), n)


def fft_hfftn(input, s=None, dim=None, norm=None):
    """``hfft`` along the last dimension and ``fft`` along the others."""
    x = _as_complex(input)
    axes, sizes = _axes_and_sizes(x, s, dim)
    n, sizes = _last_size(x, axes, sizes, "hfftn")
    return _c2r(_fill_up(conj(x), axes, sizes), axes, _scale(norm, True), n)


def fft_ihfftn(input, s=None, dim=None, norm=None):
    """The inverse of ``hfftn``."""
    x = _as_real("ihfftn", input)
    axes, sizes = _axes_and_sizes(x, s, dim)
    if not axes:
        raise RuntimeError("ihfftn must transform at least one axis")
    return conj(_r2c(_fill_up(x, axes, sizes), axes, _scale(norm, False), True))


def fft_fft2(input, s=None, dim=(-2, -1), norm=None):
    """The transform along two dimensions."""
    return fft_fftn(input, s, dim, norm)


def fft_ifft2(input, s=None, dim=(-2, -1), norm=None):
    """The inverse of ``fft2``."""
    return fft_ifftn(input, s, dim, norm)


def fft_rfft2(input, s=None, dim=(-2, -1), norm=None):
    """``fft2`` of real numbers: of the last dimension only the first half."""
    return fft_rfftn(input, s, dim, norm)


def fft_irfft2(input, s=None, dim=(-2, -1), norm=None):
    """The inverse of ``rfft2``."""
    return fft_irfftn(input, s, dim, norm)


def fft_hfft2(input, s=None, dim=(-2, -1), norm=None):
    """``hfftn`` along two dimensions."""
    return fft_hfftn(input, s, dim, norm)


def fft_ihfft2(input, s=None, dim=(-2, -1), norm=None):
    """The inverse of ``hfft2``."""
    return fft_ihfftn(input, s, dim, norm)


# Frequencies ------------------------------------------------------------------------------------


def made(array, dtype=None, requires_grad=False):
    """A computed array as a new tensor, by default of the default floating dtype."""
    own = dtype or dtypes.default_float()
    found = wrap(Value(spec(array.shape, own), np.ascontiguousarray(array.astype(own.numpy))))
    return found.requires_grad_() if requires_grad else found


def fft_fftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of ``fft``'s results, in cycles per unit of the spacing ``d``."""
    return made(np.fft.fftfreq(n, 1.0) * (1 / d), dtype, requires_grad)


def fft_rfftfreq(n, d=1.0, *, out=None, dtype=None, layout=None, device=None, requires_grad=False):
    """The frequencies of ``rfft``'s results."""
    return made(np.fft.rfftfreq(n, 1.0) * (1 / d), dtype, requires_grad)


def _shifts(input, dim, amount):
    ndim = len(_shape(input))
    dims = range(ndim) if dim is None else ((dim,) if isinstance(dim, int) else dim)
    axes = [kit.axis_of(d, ndim) for d in dims]
    return [amount(_shape(input)[a]) for a in axes], axes


def fft_fftshift(input, dim=None):
    """Results reordered so that frequency 0 stands in the middle."""
    return roll(input, *_shifts(input, dim, lambda n: n // 2))


def fft_ifftshift(input, dim=None):
    """The inverse of ``fftshift``."""
    return roll(input, *_shifts(input, dim, lambda n: (n + 1) // 2))


NAMESPACES: dict[str, list[str]] = {}
