"""Orthogonal polynomials of torch.special: their degree may differ from element to element.

They have no derivative, as in PyTorch; NumPy computes them at once.
"""

from __future__ import annotations

import numpy as np

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.operators.positions import array_of, computed
from facula.operators.rename import renamed


def _common(given):
    """The dtype of the result: that of the operands, or the default for whole numbers."""
    own = given[0]._value.spec.dtype
    for other in given[1:]:
        own = dtypes.promote_types(own, other._value.spec.dtype)
    return own if own.category >= dtypes.FLOAT else dtypes.default_float()


def _array(x):
    return np.asarray(array_of(x) if isinstance(x, TensorBase) else x)


def _by_steps(result, x, degrees, first, following):
    """Fill in the polynomials of the degrees that are not negative, from low ones to high ones."""
    before, now = np.ones_like(x), np.asarray(first(x), x.dtype)
    k, top = 0, degrees.max(initial=-1)
    needed = np.broadcast_to(degrees >= 0, result.shape)
    while k <= top and (k < 2 or not np.all(np.isnan(before + 0 * result)[needed])):
        np.copyto(result, before, where=degrees == k)
        k += 1
        before, now = now, np.asarray(following(x, k, before, now), x.dtype)
    np.copyto(result, np.nan, where=degrees >= k)  # it has overflowed before


def _polynomial(name, doc, first, following, inside=None):
    """A function of x and degree n: 1 for n = 0, ``first(x)`` for 1, 0 for negative ones.

    ``following(x, k, p, q)`` is the polynomial of degree k + 1 from those of k - 1 and k;
    ``inside(x, n)``, where there is such a formula, that of a high degree for ``|x| < 1``.
    """

    def function(input, n):
        given = [a for a in (input, n) if isinstance(a, TensorBase)]
        if not given:
            raise TypeError(f"{name}(): one of the arguments must be a Tensor")
        own = _common(given)
        x = _array(input).astype(own.numpy)
        degrees = np.trunc(_array(n).astype(np.float64))
        degrees = np.where(np.isfinite(degrees), degrees, -1)
        result = np.zeros(np.broadcast_shapes(x.shape, degrees.shape), own.numpy)
        with np.errstate(all="ignore"):
            far = np.zeros(result.shape, np.bool_)
            if inside is not None:
                far = (degrees > 6) & (np.abs(x) < 1)
                np.copyto(result, inside(x, degrees), where=far)
            _by_steps(result, x, np.where(far, -1, degrees), first, following)
        return computed(result, own)

    return renamed(function, f"special_{name}", doc)


def _chebyshev(x, k, before, now):
    return 2 * x * now - before


def _shifted(first):
    return lambda x: first(2 * x - 1)


def _shifted_chebyshev(x, k, before, now):
    return (4 * x - 2) * now - before


def _cosines(x, n):
    return np.cos(n * np.arccos(x))


def _sines(x, n):
    angle = np.arccos(x)
    return np.sin((n + 1) * angle) / np.sin(angle)


def _half_cosines(x, n):
    angle = np.arccos(x)
    return np.cos((n + 0.5) * angle) / np.cos(angle / 2)


def _half_sines(x, n):
    angle = np.arccos(x)
    return np.sin((n + 0.5) * angle) / np.sin(angle / 2)


_KINDS = {
    "t": (lambda x: x, "of the first kind", _cosines),
    "u": (lambda x: 2 * x, "of the second kind", _sines),
    "v": (lambda x: 2 * x - 1, "of the third kind", _half_cosines),
    "w": (lambda x: 2 * x + 1, "of the fourth kind", _half_sines),
}


def _chebyshev_pair(kind):
    """The polynomials of one kind: plain, and shifted to [0, 1]."""
    first, text, inside = _KINDS[kind]
    name = f"chebyshev_polynomial_{kind}"
    doc = f"Chebyshev's polynomial {text} of degree ``n``"
    plain = _polynomial(name, f"{doc}.", first, _chebyshev, inside)
    moved = f"{doc} at ``2 * input - 1``."

    return plain, _polynomial(f"shifted_{name}", moved, _shifted(first), _shifted_chebyshev)


special_chebyshev_polynomial_t, special_shifted_chebyshev_polynomial_t = _chebyshev_pair("t")
special_chebyshev_polynomial_u, special_shifted_chebyshev_polynomial_u = _chebyshev_pair("u")
special_chebyshev_polynomial_v, special_shifted_chebyshev_polynomial_v = _chebyshev_pair("v")
special_chebyshev_polynomial_w, special_shifted_chebyshev_polynomial_w = _chebyshev_pair("w")

special_hermite_polynomial_h = _polynomial(
    "hermite_polynomial_h",
    "Hermite's polynomial of degree ``n``, as physicists define it.",
    lambda x: 2 * x,
    lambda x, k, before, now: 2 * x * now - 2 * k * before,
)
special_hermite_polynomial_he = _polynomial(
    "hermite_polynomial_he",
    "Hermite's polynomial of degree ``n``, as probabilists define it.",
    lambda x: x,
    lambda x, k, before, now: x * now - k * before,
)
special_laguerre_polynomial_l = _polynomial(
    "laguerre_polynomial_l",
    "Laguerre's polynomial of degree ``n``.",
    lambda x: 1 - x,
    lambda x, k, before, now: ((2 * k + 1 - x) * now - k * before) / (k + 1),
)
special_legendre_polynomial_p = _polynomial(
    "legendre_polynomial_p",
    "Legendre's polynomial of degree ``n``.",
    lambda x: x,
    lambda x, k, before, now: ((2 * k + 1) * x * now - k * before) / (k + 1),
)
