"""Error and gamma functions that NumPy lacks, vectorised, for the reference engine."""

from __future__ import annotations

import math

import numpy as np

_BLOCK = 16384  # elements worked on at a time, so that intermediate results stay in the cache


def blockwise(function):
    """Apply a function of float64 blocks to arrays of any shape and float type."""

    def apply(x):
        x = np.asarray(x)
        flat = np.ascontiguousarray(x).reshape(-1)
        out = np.empty(flat.shape, x.dtype)
        for i in range(0, flat.size, _BLOCK):
            out[i : i + _BLOCK] = function(flat[i : i + _BLOCK].astype(np.float64))
        return out.reshape(x.shape)

    return apply


def horner(x, coefficients):
    """The polynomial with these coefficients (highest power first)."""
    total = np.full_like(x, coefficients[0])
    for c in coefficients[1:]:
        total *= x
        total += c
    return total


# Error functions --------------------------------------------------------------------------------

# erf(x) / x on [0, 4] as a rational function of x^2: a least-squares fit, relative error 3e-9.
_ERF32_P = (6.806739276124e-06, 4.118508741379e-04, 4.234877903033e-03, 5.578123293298e-02,
            1.930491367806e-01, 1.128379168250e00)  # fmt: skip
_ERF32_Q = (2.614172037091e-07, 7.267696142711e-05, 1.423702848792e-03, 1.631349818434e-02,
            1.175738581194e-01, 5.044187517861e-01, 1.0)  # fmt: skip

# W. J. Cody, "Rational Chebyshev approximations for the error function" (1969); the highest power
# first.
CODY_A = (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2,
      3.77485237685302021e2, 3.20937758913846947e3)  # fmt: skip
CODY_B = (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
      2.84423683343917062e3)  # fmt: skip
CODY_C = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0,
      6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2,
      1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3)  # fmt: skip
CODY_D = (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
      1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3,
      3.43936767414372164e3, 1.23033935480374942e3)  # fmt: skip
CODY_P = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
      1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4)  # fmt: skip
CODY_Q = (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1,
      6.05183413124413191e-2, 2.33520497626869185e-3)  # fmt: skip


def _erf_near(x):
    """erf for |x| <= 0.46875."""
    u = x * x
    return x * (horner(u, CODY_A) / horner(u, CODY_B))


def _erfcx_middle(x):
    """exp(x^2) erfc(x) for 0.46875 <= x <= 4."""
    return horner(x, CODY_C) / horner(x, CODY_D)


def _erfcx_far(x):
    """exp(x^2) erfc(x) for x >= 4."""
    u = 1 / (x * x)
    return (1 / math.sqrt(math.pi) - u * (horner(u, CODY_P) / horner(u, CODY_Q))) / x


def _minus_square_exp(x):
    """exp(-x^2): the square is split, so that its rounding does not reach the exponent."""
    high = np.trunc(x * 16) / 16
    return np.exp(-high * high) * np.exp(-(x - high) * (x + high))


def _positive_erfcx(x):
    """exp(x^2) erfc(x) for x >= 0.46875."""
    out = _erfcx_middle(np.minimum(x, 4.0))
    far = x > 4
    if far.any():
        out[far] = _erfcx_far(x[far])
    return out


def _erf64(x):
    out = _erf_near(np.clip(x, -0.46875, 0.46875))
    outer = np.abs(x) > 0.46875
    if outer.any():
        y = np.minimum(np.abs(x[outer]), 6.0)
        out[outer] = np.copysign(1 - _positive_erfcx(y) * _minus_square_exp(y), x[outer])
    out[np.isnan(x)] = np.nan
    return out


def _erf32(x):
    x = np.clip(x, -4.0, 4.0)
    u = x * x
    x *= horner(u, _ERF32_P)
    x /= horner(u, _ERF32_Q)
    return x


_wide_erf, _single_erf = blockwise(_erf64), blockwise(_erf32)


def erf(x):
    """The error function; a shorter formula where the result has 24 bits at most."""
    return _wide_erf(x) if x.dtype == np.float64 else _single_erf(x)


@blockwise
def erfc(x):
    """1 - erf(x), accurate where it is small."""
    out = 1 - _erf_near(np.clip(x, -0.46875, 0.46875))
    outer = np.abs(x) > 0.46875
    if outer.any():
        y = np.minimum(np.abs(x[outer]), 28.0)
        value = _positive_erfcx(y) * _minus_square_exp(y)
        out[outer] = np.where(x[outer] > 0, value, 2 - value)
    out[np.isnan(x)] = np.nan
    return out


@blockwise
def erfcx(x):
    """exp(x^2) erfc(x)."""
    near = np.clip(x, -0.46875, 0.46875)
    out = np.exp(near * near) * (1 - _erf_near(near))
    outer = np.abs(x) > 0.46875
    if outer.any():
        y = np.abs(x[outer])
        value = _positive_erfcx(y)
        square = np.minimum(y, 27.0)
        mirrored = 2 / _minus_square_exp(square) - value
        mirrored[y > 26.7] = np.inf
        out[outer] = np.where(x[outer] > 0, value, mirrored)
    out[np.isnan(x)] = np.nan
    return out


# Giles, "Approximating the erfinv function" (2012), single precision.
GILES_NEAR = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
               -0.00125372503, -0.00417768164, 0.246640727, 1.50140941)  # fmt: skip
GILES_FAR = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
              -0.0076224613, 0.00943887047, 1.00167406, 2.83297682)  # fmt: skip


@blockwise
def erfinv(x):
    """Inverse of erf: Giles' rational start, then two Newton steps."""
    w = -np.log1p(-x * x)
    near = horner(w - 2.5, GILES_NEAR)
    far = horner(np.sqrt(w) - 3.0, GILES_FAR)
    y = np.where(w < 5, near, far) * x
    for _ in range(2):
        tail = np.sign(x) * (1 - np.abs(x) - erfc(np.abs(y)))
        error = np.where(np.abs(x) < 0.5, erf(y) - x, tail)
        y = y - error / (2 / math.sqrt(math.pi) * np.exp(-y * y))
    y = np.where(np.abs(x) == 1, np.copysign(np.inf, x), y)
    return np.where(np.abs(x) > 1, np.nan, y)


@blockwise
def log_ndtr(x):
    """Logarithm of the normal distribution function."""
    scaled = x * -math.sqrt(0.5)
    left = np.log(erfcx(np.maximum(scaled, 0)) / 2) - scaled * scaled
    right = np.log1p(-erfc(np.minimum(scaled, 1e3) * -1) / 2)
    return np.where(x < -1, left, right)


@blockwise
def ndtri(p):
    """Inverse of the normal distribution function: a rough start, then Newton on its logarithm."""
    inside = (p > 0) & (p < 1)
    small = np.where(inside, np.minimum(p, 1 - p), 0.25)
    goal = np.log(small)
    t = np.sqrt(-2 * goal)
    x = (2.30753 + 0.27061 * t) / (1 + (0.99229 + 0.04481 * t) * t) - t  # Abramowitz-Stegun 26.2.22
    for _ in range(5):
        slope = math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5))
        x = x - (log_ndtr(x) - goal) / slope
    out = np.where(p > 0.5, -x, x)
    out = np.where(
        np.abs(p - 0.5) < 0.25, math.sqrt(2) * erfinv(np.clip(2 * p - 1, -0.5, 0.5)), out
    )
    out = np.where(p == 0, -np.inf, np.where(p == 1, np.inf, out))
    return np.where(inside | (p == 0) | (p == 1), out, np.nan)


# Gamma functions --------------------------------------------------------------------------------

# lgamma(1 + t) / (t (t - 1)) on [0, 1] as a polynomial in t - 1/2: Chebyshev interpolation in 60
# digits, error 1e-21.
LGAMMA = (
    -1.46703272646938497e-6, 2.2803582432149964e-6, -1.16537486252082248e-6,
    1.82670745707958595e-6, -4.58235998110176864e-6, 7.17868844216048811e-6,
    -1.0551471717084069e-5, 1.66125481554901306e-5, -2.64136042091737908e-5,
    4.17985295477934521e-5, -6.63117818386331705e-5, 1.05620898579718054e-4,
    -1.68894478052055638e-4, 2.71277337000791045e-4, -4.37995112116944073e-4,
    7.11522244336237509e-4, -1.16441447443144288e-3, 1.92291614080466334e-3,
    -3.21207407718695887e-3, 5.44645784453919578e-3, -9.42562244846990297e-3,
    1.67970986311870089e-2, -3.13084875010109982e-2, 6.29114010745649381e-2,
    -1.45959895914306082e-1, 4.83128950540980889e-1,
)  # fmt: skip


def _lgamma_1_to_2(t):
    """lgamma(1 + t) for t in [0, 1], right to the last bits at both zeros."""
    return t * (t - 1) * horner(t - 0.5, LGAMMA)


# Terms of log gamma: B(2k) / (2k (2k - 1))
STIRLING = (
    -3617 / 122400, 1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12,
)  # fmt: skip


def stirling_rest(x):
    """lgamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2) for x >= 8."""
    u = 1 / (x * x)
    return horner(u, STIRLING) / x


def _lgamma_positive(x):
    """lgamma for x >= 0."""
    below_one, small = x < 1, x < 8
    y = np.where(small, x, 2.0)
    shift = np.ones_like(y)
    for _ in range(5):
        big = y >= 3
        y = np.where(big, y - 1, y)
        shift = np.where(big, shift * y, shift)
    two = (y >= 2) & ~below_one
    t = np.where(below_one, y, np.where(two, y - 2, y - 1))
    near = _lgamma_1_to_2(t)
    near = np.where(below_one, near - np.log(np.where(below_one, y, 1)), near)
    near = np.where(two, near + np.log1p(np.where(two, t, 0)), near) + np.log(shift)
    far_x = np.where(small, 8.0, x)
    far = (far_x - 0.5) * np.log(far_x) - far_x + 0.5 * math.log(2 * math.pi) + stirling_rest(far_x)
    far = np.where(np.isinf(x), np.inf, far)
    return np.where(small, near, far)


@blockwise
def lgamma(x):
    """log |gamma(x)|: a polynomial on [1, 2], recurrence up to 8, Stirling, reflection below 0."""
    size = np.abs(x)
    out = _lgamma_positive(size)
    negative = (x < 0) & (size != np.inf)
    if negative.any():
        y = size[negative]
        sine = np.abs(np.sin(math.pi * (y - np.rint(y))))
        # gamma(-y) gamma(y) = -pi / (y sin(pi y))
        out[negative] = np.log(math.pi / (sine * y)) - out[negative]
        out[(x < 0) & (x == np.floor(x))] = np.inf
    out[np.isnan(x)] = np.nan
    return out


DIGAMMA = (-3617 / 8160, 1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12)


@blockwise
def digamma(x):
    """psi(x): reflection for x < 0, recurrence up to 10, then the asymptotic series."""
    negative = x < 0
    pole = negative & (x == np.floor(x))
    y = np.where(negative, 1 - x, x)
    total = np.zeros_like(y)
    for _ in range(10):
        small = y < 10
        total = total - np.where(small, 1 / np.where(small, y, 1), 0)
        y = np.where(small, y + 1, y)
    u = 1 / (y * y)
    total = total + np.log(y) - 0.5 / y - u * horner(u, DIGAMMA)
    fraction = x - np.rint(x)
    total = np.where(
        negative, total - math.pi / np.tan(math.pi * np.where(pole, 0.5, fraction)), total
    )
    total = np.where(pole, np.nan, total)
    return np.where(x == 0, np.copysign(np.inf, -x), total)
