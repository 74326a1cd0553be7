"""Special functions that are rarely needed, for the reference engine: accurate rather than fast."""

from __future__ import annotations

import math

import numpy as np

from facula.graph.primitives.special import blockwise, horner, lgamma, stirling_rest

# Modified Bessel functions ----------------------------------------------------------------------

_ANGLES = np.pi * np.arange(33) / 32
_WEIGHTS = np.where((np.arange(33) == 0) | (np.arange(33) == 32), 0.5, 1.0) / 32


def _scaled_bessel_i(order, x):
    """exp(-x) I_order(x) for x >= 0 and order 0 or 1.

    Up to 30 by the trapezoidal rule for (1/pi) int exp(x cos t) cos(order t) dt, whose error falls
    faster than exponentially; beyond by the asymptotic series (DLMF 10.40.1).
    """
    near = np.minimum(x, 30.0)
    cosines = np.cos(_ANGLES)
    factors = _WEIGHTS * np.cos(order * _ANGLES)
    out = np.exp(near[:, None] * (cosines - 1)) @ factors
    if order == 1:
        out = np.where(x < 2, np.exp(-near) * _small_bessel_i1(np.minimum(x, 2.0)), out)
    far = x > 30
    if far.any():
        out[far] = _asymptotic_i(order, x[far])
    return out


def _small_bessel_i1(x):
    """The power series, which has no cancellation."""
    term = x / 2
    total = term.copy()
    for k in range(1, 20):
        term = term * (x * x / 4) / (k * (k + 1))
        total += term
    return total


def _asymptotic_i(order, x):
    term = np.ones_like(x)
    total = term.copy()
    for k in range(1, 22):
        term = term * -(4 * order * order - (2 * k - 1) ** 2) / (8 * k * x)
        total += term
    return total / np.sqrt(2 * math.pi * x)


def _modified(order, scaled):
    @blockwise
    def function(x):
        size = np.abs(x)
        out = _scaled_bessel_i(order, np.where(np.isfinite(size), size, 0.0))
        out = np.where(np.isinf(size), 0.0 if scaled else np.nan, out)
        out = np.where(np.isnan(x), np.nan, out)
        if not scaled:
            # Two factors, so that the exponential does not overflow before the result does.
            half = np.exp(size / 2)
            out = out * half * half
        return np.copysign(out, x) if order == 1 else out

    return function


i0, i0e, i1, i1e = _modified(0, False), _modified(0, True), _modified(1, False), _modified(1, True)

# Bessel functions -------------------------------------------------------------------------------

_EULER = 0.5772156649015329


def _near_bessel(x):
    """(J0, J1, Y0, Y1) for 0 < x <= 25: Miller's recurrence downwards, Neumann's series for Y."""
    start = 90
    above, here = np.zeros_like(x), np.full_like(x, 1e-250)
    norm, y0, y1 = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for k in range(start, -1, -1):  # here = J_k up to a common factor
        if k and k % 2 == 0:
            sign = -1.0 if (k // 2) % 2 == 0 else 1.0
            y0 += sign * here / (k // 2)
            norm += 2 * here
        elif k > 1:
            half = k // 2
            sign = 1.0 if half % 2 == 0 else -1.0
            y1 += sign * here * k / (half * (half + 1))
        if k == 1:
            first = here
        if k == 0:
            norm += here
            break
        above, here = here, 2 * k / x * here - above
    j0, j1 = here / norm, first / norm
    y0, y1 = y0 / norm, y1 / norm
    log = np.log(x / 2) + _EULER
    return (
        j0,
        j1,
        2 / math.pi * log * j0 + 4 / math.pi * y0,
        2 / math.pi * ((log - 1) * j1 - j0 / x) - 2 / math.pi * y1,
    )


def _tiny_bessel(x):
    """The first terms of the power series, for x < 1e-2."""
    u = x * x / 4
    log = np.log(x / 2) + _EULER
    j0 = 1 - u + u * u / 4 - u * u * u / 36
    j1 = x / 2 * (1 - u / 2 + u * u / 12)
    y0 = 2 / math.pi * (log * j0 + u - 3 * u * u / 8)
    y1 = 2 / math.pi * (log * j1 - 1 / x - x / 4 * (1 - 5 * u / 4))
    return j0, j1, y0, y1


def _far_bessel(order, x):
    """(J, Y) by Hankel's expansion (DLMF 10.17.3) for x > 25."""
    term = np.ones_like(x)
    parts = [np.ones_like(x), np.zeros_like(x)]
    for k in range(1, 26):
        term = term * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * x)
        parts[k % 2] += term * (1 if (k // 2) % 2 == 0 else -1)
    # Angle x - order pi / 2 - pi / 4, without rounding it.
    s, c = np.sin(x), np.cos(x)
    cosine, sine = ((c + s), (s - c)) if order == 0 else ((s - c), (-c - s))
    scale = np.sqrt(1 / (math.pi * x))
    p, q = parts
    return scale * (cosine * p - sine * q), scale * (sine * p + cosine * q)


def _bessel(order, second):
    @blockwise
    def function(x):
        size = np.abs(x)
        finite = np.isfinite(size) & (size > 0)
        near = np.clip(np.where(finite, size, 1.0), 1e-2, 25.0)
        place = order + 2 * second
        out = _near_bessel(near)[place]
        tiny = size < 1e-2
        out = np.where(tiny, _tiny_bessel(np.where(finite & tiny, size, 1e-3))[place], out)
        far = finite & (size > 25)
        if far.any():
            out[far] = _far_bessel(order, size[far])[second]
        if second:
            return np.where(x == 0, -np.inf, np.where((x > 0) & finite, out, np.nan))
        out = np.where(x == 0, 1.0 - order, np.where(finite, out, np.nan))
        return out * np.where(np.signbit(x), -1.0, 1.0) if order == 1 else out

    return function


bessel_j0, bessel_j1 = _bessel(0, 0), _bessel(1, 0)
bessel_y0, bessel_y1 = _bessel(0, 1), _bessel(1, 1)

# Zeta and polygamma -----------------------------------------------------------------------------

# 1 / (B_2k / (2k)!) for the Euler-Maclaurin remainder.
_MACLAURIN = (12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9,
              7.47242496e10, -2.950130727918164224e12, 1.1646782814350067249e14,
              -4.5979787224074726105e15, 1.8152105401943546773e17,
              -7.1661652561756670113e18)  # fmt: skip


def zeta(x, q):
    """Hurwitz zeta: the first terms, then the Euler-Maclaurin formula (DLMF 25.11.28)."""
    own = np.result_type(x, q)
    x, q = np.broadcast_arrays(x.astype(np.float64), q.astype(np.float64))
    total, base = np.zeros(x.shape), q.copy()
    lowest = np.min(q, initial=0.0, where=np.isfinite(q))
    for i in range(max(9, int(min(10 - lowest, 20000)))):
        step = (base < 9) | (i < 9)
        total = total + np.where(step, np.power(np.where(step, base, 1.0), -x), 0.0)
        base = np.where(step, base + 1, base)
    total = total + np.power(base, 1 - x) / (x - 1) + 0.5 * np.power(base, -x)
    factor, power = x, np.power(base, -x) / base
    for k, denominator in enumerate(_MACLAURIN):
        total = total + factor * power / denominator
        factor = factor * (x + 2 * k + 1) * (x + 2 * k + 2)
        power = power / (base * base)
    pole = (q <= 0) & (q == np.floor(q))
    out = np.where(pole, np.inf, np.where((q <= 0) & (x != np.floor(x)), np.nan, total))
    out = np.where(x == 1, np.inf, np.where(x < 1, np.nan, out))
    return out.astype(own)


def polygamma(n, x):
    """The n-th derivative of digamma, n >= 1."""
    own = x.dtype
    x = x.astype(np.float64)
    if n == 1:
        # psi'(1 - x) + psi'(x) = (pi / sin(pi x))^2
        mirrored = x < 0.5
        y = np.where(mirrored, 1 - x, x)
        value = zeta(np.float64(2), y)
        sine = np.sin(math.pi * (x - np.rint(x)))
        return np.where(mirrored, (math.pi / sine) ** 2 - value, value).astype(own)
    sign = 1.0 if n % 2 else -1.0
    return (sign * math.factorial(n) * zeta(np.float64(n + 1), x)).astype(own)


# Incomplete gamma functions ---------------------------------------------------------------------


def _gamma_prefix(a, x):
    """x^a exp(-x) / gamma(a + 1) without losing digits for large a."""
    small = a < 10
    s = np.where(small, a, 1.0)
    direct = np.exp(s * np.log(x) - x - lgamma(s + 1))
    b = np.where(small, 10.0, a)
    mu = (x - b) / b
    # log1p(mu) - mu loses digits near 0: there by its series.
    near = np.abs(mu) < 0.1
    m = np.where(near, mu, 0.0)
    series = m * m * horner(m, [(-1.0) ** (k + 1) / k for k in range(20, 1, -1)])
    bent = np.where(near, series, np.log1p(np.where(near, 0.5, mu)) - np.where(near, 0.5, mu))
    far = np.exp(b * bent - stirling_rest(b)) / np.sqrt(2 * math.pi * b)
    return np.where(small, direct, far)


def _lower_series(a, x):
    """P(a, x) for x < a + 1 (DLMF 8.11.4)."""
    term, total = np.ones_like(a), np.ones_like(a)
    for k in range(1, 20000):
        term = term * x / (a + k)
        total = total + term
        if not (term > total * 1e-17).any():
            break
    return total * _gamma_prefix(a, x)


def _upper_fraction(a, x):
    """Q(a, x) for x >= a + 1: Legendre's continued fraction by Lentz's method (DLMF 8.9.2)."""
    b = x + 1 - a
    c = np.full_like(a, 1e300)
    d = 1 / b
    h = d.copy()
    for k in range(1, 20000):
        an = -k * (k - a)
        b = b + 2
        d = an * d + b
        d = 1 / np.where(np.abs(d) < 1e-300, 1e-300, d)
        c = b + an / c
        c = np.where(np.abs(c) < 1e-300, 1e-300, c)
        step = d * c
        # A step of one rounding error, repeated while other elements go on, would add up.
        moving = np.abs(step - 1) > 2.3e-16
        if not moving.any():
            break
        h = np.where(moving, h * step, h)
    return h * a * _gamma_prefix(a, x)


def _incomplete(upper):
    def function(a, x):
        own = np.result_type(a, x)
        a, x = np.broadcast_arrays(a.astype(np.float64), x.astype(np.float64))
        plain = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
        a1, x1 = np.where(plain, a, 1.0), np.where(plain, x, 1.0)
        below = x1 < a1 + 1
        low = _lower_series(np.where(below, a1, 1.0), np.where(below, x1, 1.0))
        high = _upper_fraction(np.where(below, 1.0, a1), np.where(below, 3.0, x1))
        lower = np.where(below, low, 1 - high)
        out = np.where(below, 1 - low, high) if upper else lower
        ends = [
            (x == 0) & (a > 0), (a == 0) & (x > 0), np.isinf(a) & np.isfinite(x) & (x >= 0),
            np.isinf(x) & np.isfinite(a) & (a >= 0),
        ]  # fmt: skip
        at_ends = [0.0, 1.0, 0.0, 1.0]
        edge = np.select(ends, [1 - v if upper else v for v in at_ends], np.nan)
        return np.where(plain, out, edge).astype(own)

    return function


igamma, igammac = _incomplete(False), _incomplete(True)
