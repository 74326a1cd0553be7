"""Differences and integrals of sampled functions, and covariance."""

from __future__ import annotations

import warnings

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.base.dtypes import BOOL, COMPLEX, FLOAT
from facula.operators import kit
from facula.operators.basic import conj, identity, imag_part, real_part
from facula.operators.comparison import logical_xor
from facula.operators.complex_numbers import complex as make_complex
from facula.operators.contraction import matmul
from facula.operators.joining import cat
from facula.operators.movement import _view, squeeze, transpose, unsqueeze
from facula.operators.pointwise import clamp
from facula.operators.reduction import mean
from facula.operators.reduction import sum as sum_
from facula.operators.scans import cumsum
from facula.operators.slicing import narrow
from facula.operators.strided import diagonal
from facula.operators.transcendental import sqrt


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


# Differences ------------------------------------------------------------------------------------


def diff(input, n=1, dim=-1, prepend=None, append=None):
    """Differences of neighbours along a dimension, ``n`` times over.

    >>> import facula as torch
    >>> torch.diff(torch.tensor([1, 2, 4, 7]))
    tensor([1, 2, 3])
    """
    if not _shape(input):
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    axis = kit.axis_of(dim, len(_shape(input)))
    parts = [x for x in (prepend, input, append) if x is not None]
    if any(len(_shape(x)) != len(_shape(input)) for x in parts):
        raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    x = cat(parts, axis) if len(parts) > 1 else input
    if n == 0:
        return identity(input)
    for _ in range(min(n, _shape(x)[axis])):
        count = _shape(x)[axis] - 1
        late, early = narrow(x, axis, 1, count), narrow(x, axis, 0, count)
        x = logical_xor(late, early) if _dtype(x).category == BOOL else late - early
    return x


def _neighbours(x, dim):
    """Elements 1, 2, ... and 0, 1, ... along a dimension."""
    if not _shape(x):
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    count = max(_shape(x)[dim] - 1, 0)
    start = min(1, _shape(x)[dim])
    return narrow(x, dim, start, count), narrow(x, dim, 0, count)


def _widths(y, x, dim, name):
    """Distances between the sample points, shaped to multiply with y along ``dim``."""
    axis = kit.axis_of(dim, len(_shape(y)))
    if len(_shape(x)) == 1:
        if _shape(x)[0] != _shape(y)[axis]:
            raise RuntimeError(f"{name}: There must be one `x` value for each sample point")
        late, early = _neighbours(x, 0)
        shape = [1] * len(_shape(y))
        shape[axis] = _shape(late)[0]
        return _view(late - early, tuple(shape))
    late, early = _neighbours(x, axis - len(_shape(y)) + len(_shape(x)))
    return late - early


def trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integral of samples by the trapezoidal rule, at points ``x`` or ``dx`` apart."""
    if x is not None and dx is not None:
        raise TypeError("trapezoid() received an invalid combination of arguments: x and dx")
    late, early = _neighbours(y, dim)
    if x is not None:
        return sum_((late + early) * _widths(y, x, dim, "trapezoid"), dim) / 2.0
    return sum_(late + early, dim) * ((1 if dx is None else dx) / 2.0)


trapz = trapezoid


def cumulative_trapezoid(y, x=None, *, dx=None, dim=-1):
    """Integrals up to each sample point by the trapezoidal rule."""
    late, early = _neighbours(y, dim)
    if x is not None:
        return cumsum((late + early) * (_widths(y, x, dim, "cumulative_trapezoid") / 2.0), dim)
    return cumsum(late + early, dim) * ((1 if dx is None else dx) / 2.0)


# Gradients of sampled functions -----------------------------------------------------------------


def gradient(input, *, spacing=None, dim=None, edge_order=1):
    """Estimates of a sampled function's partial derivatives, one tensor for each dimension.

    ``spacing`` is the distance of the samples (one number, or one for each dimension), or the
    coordinates along each dimension as tensors.
    """
    if edge_order not in (1, 2):
        raise RuntimeError("torch.gradient only supports edge_order=1 and edge_order=2.")
    ndim = len(_shape(input))
    dims = range(ndim) if dim is None else ((dim,) if isinstance(dim, int) else dim)
    axes = [kit.axis_of(d, ndim) for d in dims]
    if len(set(axes)) != len(axes):
        twice = next(a for a in axes if axes.count(a) > 1)
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    if spacing is None or isinstance(spacing, (int, float, complex)):
        steps = [1 if spacing is None else spacing] * len(axes)
    elif isinstance(spacing, TensorBase):
        steps = [spacing]
    else:
        steps = list(spacing)
    _check_steps(steps, axes, dim, ndim)
    if _dtype(input).category < FLOAT:
        # Integer samples: the differences are halved, which needs real numbers.
        input = input * 1.0
    found = []
    for axis, step in zip(axes, steps, strict=True):
        if _shape(input)[axis] < edge_order + 1:
            raise RuntimeError(
                "torch.gradient expected each dimension size to be at least edge_order+1"
            )
        found.append(_slope(input, axis, step, edge_order))
    return tuple(found)


def _check_steps(steps, axes, dim, ndim):
    if len(steps) == len(axes):
        return
    if dim is None:
        raise RuntimeError(
            "torch.gradient expected spacing to be unspecified, a scalar, or a list of length "
            f"equal to 'self.dim() = {ndim}', since dim argument was not given, but got a list of "
            f"length {len(steps)}"
        )
    raise RuntimeError(
        "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim "
        "arguments to have the same length, but got a spacing argument of length "
        f"{len(steps)} and a dim argument of length {len(axes)}."
    )


def _slope(x, axis, step, edge_order):
    n = _shape(x)[axis]

    def at(start, count=1):
        return narrow(x, axis, start, count)

    if isinstance(step, TensorBase):
        return _uneven_slope(x, axis, step, edge_order, at)
    middle = [] if n < 3 else [(at(2, n - 2) - at(0, n - 2)) / (2 * step)]
    if edge_order == 1:
        first, last = (at(1) - at(0)) / step, (at(n - 1) - at(n - 2)) / step
    else:
        first = (at(0) * -1.5 + at(1) * 2 - at(2) * 0.5) / step
        last = (at(n - 3) * 0.5 - at(n - 2) * 2 + at(n - 1) * 1.5) / step
    return cat([first, *middle, last], axis)


def _uneven_slope(x, axis, points, edge_order, at):
    """The derivative of the parabola through three neighbours."""
    n = _shape(x)[axis]
    shape = [1] * len(_shape(x))
    shape[axis] = n - 1
    widths = _view(diff(points), tuple(shape))

    def width(start, count=1):
        return narrow(widths, axis, start, count)

    middle = []
    if n >= 3:
        left, right = width(0, n - 2), width(1, n - 2)
        middle.append(
            at(0, n - 2) * (-right / (left * (left + right)))
            + at(1, n - 2) * ((right - left) / (left * right))
            + at(2, n - 2) * (left / (right * (left + right)))
        )
    if edge_order == 1:
        first = (at(1) - at(0)) / width(0)
        last = (at(n - 1) - at(n - 2)) / width(n - 2)
        return cat([first, *middle, last], axis)
    a, b = width(0), width(1)
    first = (
        at(0) * (-(2 * a + b) / (a * (a + b)))
        + at(1) * ((a + b) / (a * b))
        - at(2) * (a / (b * (a + b)))
    )
    a, b = width(n - 3), width(n - 2)
    last = (
        at(n - 3) * (b / (a * (a + b)))
        - at(n - 2) * ((a + b) / (a * b))
        + at(n - 1) * ((2 * b + a) / (b * (a + b)))
    )
    return cat([first, *middle, last], axis)


# Covariance -------------------------------------------------------------------------------------


def _weights(x, fweights, aweights):
    """The product of repetition counts and importances, or None."""
    count = _shape(x)[1]
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is not None and (len(_shape(w)) > 1 or w._value.spec.numel != count):
            raise RuntimeError(
                f"cov(): expected {name} to have one element for each column of input"
            )
        if w is not None and name == "fweights" and _dtype(w).category >= FLOAT:
            raise RuntimeError(
                "cov(): expected fweights to have integral dtype but got fweights with "
                f"{_dtype(w).legacy} dtype"
            )
        if w is not None and modes.trace is None and (w._buffer() < 0).any():
            raise RuntimeError(f"cov(): {name} cannot be negative")
    if fweights is None:
        return aweights
    return fweights if aweights is None else fweights * aweights


def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables (rows) from observations (columns)."""
    if len(_shape(input)) > 2:
        raise RuntimeError(
            "cov(): expected input to have two or fewer dimensions but got an input with "
            f"{len(_shape(input))} dimensions"
        )
    if _dtype(input).category == BOOL:
        raise RuntimeError("cov(): bool dtype is not supported for input")
    x = input if len(_shape(input)) == 2 else _view(input, (1, input._value.spec.numel))
    if _dtype(x).category < FLOAT:
        x = x * 1.0
    w = _weights(x, fweights, aweights)
    if w is None:
        count = _shape(x)[1]
        centre = mean(x, 1, True) if count else sum_(x, 1, True) / 0.0
        freedom = max(count - correction, 0)
        if count - correction <= 0:
            warnings.warn("cov(): degrees of freedom is <= 0", UserWarning, stacklevel=2)
        weighted = x - centre
    else:
        total = sum_(w)
        centre = sum_(x * w, 1, True) / total
        if aweights is None or correction == 0:
            freedom = total - correction
        else:
            freedom = total - correction * sum_(w * aweights) / total
        freedom = clamp(freedom, min=0)
        weighted = (x - centre) * w
    out = matmul(weighted, conj(transpose(x - centre, 0, 1)))
    return squeeze(out / (freedom if isinstance(freedom, TensorBase) else float(freedom)))


def corrcoef(input):
    """The matrix of Pearson's correlation coefficients of variables (rows)."""
    if len(_shape(input)) > 2:
        raise RuntimeError(
            "corrcoef(): expected input to have two or fewer dimensions but got an input with "
            f"{len(_shape(input))} dimensions"
        )
    c = cov(input)
    if not _shape(c):
        return c / c
    d = diagonal(c)
    spread = sqrt(real_part(d) if _dtype(d).category == COMPLEX else d)
    c = c / unsqueeze(spread, 1) / unsqueeze(spread, 0)
    if _dtype(c).category == COMPLEX:
        return make_complex(clamp(real_part(c), -1, 1), clamp(imag_part(c), -1, 1))
    return clamp(c, -1, 1)


NAMESPACES = {
    "torch": [
        "diff", "trapezoid", "trapz", "cumulative_trapezoid", "gradient", "cov", "corrcoef",
    ],
    "method": ["diff", "cov", "corrcoef"],
}  # fmt: skip
