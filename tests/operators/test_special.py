"""torch.special, complex numbers and the remaining mathematics against PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference

RNG = np.random.default_rng(7)
INF, NAN = math.inf, math.nan
ANY = np.concatenate([RNG.normal(size=30) * 3, [0.25, -0.25, 1.0, -1.0]])
POSITIVE = np.abs(RNG.normal(size=30)) * 4 + 0.05
UNIT = RNG.uniform(0.01, 0.99, 30)
EDGES = np.array([0.0, -0.0, INF, -INF, NAN, 1.0, -1.0, 2.0, -2.0, 30.0, -30.0])

# name -> (domain, whether PyTorch has a second derivative, edge values)
UNARY = {
    "erf": (ANY, True, EDGES),
    "erfc": (ANY, True, EDGES),
    "erfcx": (ANY, True, EDGES),
    "erfinv": (UNIT * 2 - 1, True, np.array([0.0, 1.0, -1.0, 2.0, NAN])),
    "expit": (ANY, True, EDGES),
    "logit": (UNIT, False, np.array([0.0, 1.0, 0.5])),
    "log1p": (POSITIVE, True, np.array([0.0, -1.0, INF, NAN])),
    "expm1": (ANY, True, EDGES),
    "exp2": (ANY, True, EDGES),
    "gammaln": (np.concatenate([POSITIVE, -POSITIVE]), True, EDGES),
    "digamma": (np.concatenate([POSITIVE, -POSITIVE]), True, EDGES),
    "psi": (POSITIVE, True, EDGES),
    "i0": (ANY, True, EDGES[[0, 5, 6, 7, 9]]),
    "i0e": (ANY, True, EDGES),
    "i1": (ANY, True, EDGES[[0, 5, 6, 7, 9]]),
    "i1e": (ANY, True, EDGES),
    "entr": (POSITIVE, True, EDGES),
    "ndtr": (ANY, True, EDGES),
    "ndtri": (UNIT, True, np.array([0.0, 1.0, 0.5, 2.0, -1.0, NAN, 1e-30])),
    "log_ndtr": (ANY, True, EDGES),
    "sinc": (ANY, True, EDGES[[0, 1, 5, 7]]),
    "modified_bessel_i0": (ANY, False, EDGES[[0, 5]]),
    "modified_bessel_i1": (ANY, False, EDGES[[0, 5]]),
}


@pytest.mark.parametrize("name", UNARY)
def test_unary(name):
    domain, second, edges = UNARY[name]

    def function(t, x):
        return getattr(t.special, name)(x)

    check(function, domain, second=second, names=name not in ("ndtr", "log1p"), tolerance=1e-9)
    check(function, domain.astype(np.float32), grad=False, tolerance=1e-5)
    check(function, edges, grad=False, tolerance=1e-9)
    check(function, np.array([1, 2]), grad=False, tolerance=1e-5)


@pytest.mark.parametrize("name", ["bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1"])
def test_bessel(name):
    """PyTorch's have seven digits in places; exact values are in the next test."""
    x = np.concatenate([RNG.uniform(1, 10, 20) * 10.0**k for k in (-6, -3, -2, 0, 1, 2)])
    x = x if "y" in name else np.concatenate([x, -x])
    check(lambda t, x: getattr(t.special, name)(x), x, grad=False, tolerance=5e-6)
    check(lambda t, x: getattr(t.special, name)(x), EDGES, grad=False, tolerance=5e-6)


# (x, J0, J1, Y0, Y1, exp(-x) I0, exp(-x) I1), computed with 40 digits.
BESSEL = [
    (1e-7, 0.9999999999999975, 4.9999999999999935e-8, -10.334902679420648,
     -6366197.7236763464, 0.9999999000000075, 4.999999500000031e-8),
    (0.003, 0.99999775000126562, 0.0014999983125006328, -3.7720096638205665,
     -212.21272627568978, 0.99700673876474969, 0.0014955084257007766),
    (0.5, 0.9384698072408129, 0.24226845767487389, -0.44451873350670656,
     -1.4714723926702431, 0.64503527044915007, 0.1564208031848717),
    (2.25, 0.082749851288734037, 0.54837835664696016, 0.52006476245727827,
     0.027192057738017138, 0.2874319388973915, 0.21121661600759038),
    (9.75, -0.22733329951184828, 0.10483850125849751, 0.11631637041489998,
     0.23357731487353174, 0.12950841904956063, 0.12267556366210158),
    (24.5, 0.023697433734067902, -0.15897841181932808, -0.15942871774975043,
     -0.026954655331885411, 0.081019598855076892, 0.079348528847267699),
    (25.5, 0.14406215754684786, -0.062048536491484102, -0.064859765498783491,
     -0.1453610587230494, 0.07939852454797062, 0.077825789091938575),
    (31.25, 0.082399204142698617, -0.11522838548383533, -0.11653154405557193,
     -0.084273763424642681, 0.071655743043074391, 0.070499769975894373),
    (150.125, 0.0073505212998278794, -0.064679388521626458, -0.064703510745939604,
     -0.0075660584619863122, 0.032587149959453431, 0.032478434615753757),
]  # fmt: skip


def test_bessel_exactly():
    table = np.array(BESSEL)
    x = facula.from_numpy(table[:, 0].copy())
    names = ("bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "i0e", "i1e")
    for column, name in enumerate(names, 1):
        ours = getattr(facula.special, name)(x).numpy()
        np.testing.assert_allclose(ours, table[:, column], rtol=1e-13, atol=1e-15, err_msg=name)


BINARY = {
    "xlogy": (lambda t, a, b: t.special.xlogy(a, b), ANY[:30], POSITIVE),
    "xlog1py": (lambda t, a, b: t.special.xlog1py(a, b), ANY[:30], POSITIVE),
    "xlog1py_number": (lambda t, a: t.special.xlog1py(2.0, a), POSITIVE),
    "zeta": (lambda t, a, b: t.special.zeta(a.detach(), b), POSITIVE + 1.1, POSITIVE),
    "zeta_number": (lambda t, b: t.special.zeta(3.0, b), POSITIVE),
    "gammainc": (
        lambda t, a, b: t.special.gammainc(a.detach(), b),
        POSITIVE,
        POSITIVE[::-1].copy(),
    ),
    "gammaincc": (lambda t, a, b: t.igammac(a.detach(), b), POSITIVE, POSITIVE[::-1].copy()),
    "polygamma_0": (lambda t, a: t.polygamma(0, a), POSITIVE),
    "polygamma_1": (lambda t, a: t.polygamma(1, a), np.concatenate([POSITIVE, -POSITIVE])),
    "polygamma_2": (lambda t, a: a.polygamma(2), POSITIVE),
    "polygamma_5": (lambda t, a: t.special.polygamma(5, a), POSITIVE),
    "mvlgamma": (lambda t, a: t.mvlgamma(a, 3), POSITIVE + 2),
    "multigammaln": (lambda t, a: t.special.multigammaln(a, 1), POSITIVE + 2),
    "logsumexp": (lambda t, a: t.special.logsumexp(a, 0), ANY),
    "softmax": (lambda t, a: t.special.softmax(a, 0), ANY),
    "log_softmax": (lambda t, a: t.special.log_softmax(a, 0), ANY),
    "ldexp": (lambda t, a, b: t.ldexp(a, b), ANY[:30], POSITIVE),
    "frexp": (lambda t, a: t.frexp(a), ANY),
    "logaddexp2": (lambda t, a, b: t.logaddexp2(a, b), ANY[:30], POSITIVE),
}


@pytest.mark.parametrize("name", BINARY)
def test_binary(name):
    function, *inputs = BINARY[name]
    check(function, *inputs, tolerance=1e-9, names=name not in ("polygamma_0", "xlog1py_number"))


def test_incomplete_gamma_edges():
    a = np.array([0.0, 1, 0, 1, -1, 2, INF, 1, INF, 1e4, 1e4, 0.01])
    x = np.array([0.0, 0, 1, INF, 1, -1, 1, NAN, INF, 1e4, 1.1e4, 30.0])
    check(lambda t, a, x: t.igamma(a, x), a, x, grad=False, tolerance=1e-10)
    check(lambda t, a, x: t.igammac(a, x), a, x, grad=False, tolerance=1e-10)


def test_zeta_edges():
    x, q = np.array([1.0, 2, 0.5, 3, 3, 2.5]), np.array([1.0, 0, 1, -1, -1.5, -1.5])
    check(lambda t, x, q: t.special.zeta(x, q), x, q, grad=False)


def test_erf_float32_is_right_to_the_last_bit():
    x = np.linspace(-5, 5, 20001, dtype=np.float32)
    ours = np.asarray(facula.erf(facula.from_numpy(x)).numpy(), np.float64)
    exact = np.array([math.erf(v) for v in x])
    error = np.abs(ours - exact) / np.spacing(np.abs(exact).astype(np.float32))
    assert error.max() < 1.0


def test_lgamma_near_its_zeros():
    d = np.array([-9e-7, -1e-7, 1e-9, 5e-8, 1e-6])
    euler, half_zeta2, third_zeta3 = 0.5772156649015329, math.pi**2 / 12, 0.40068563438653143
    for zero, slope, bend in ((1.0, -euler, half_zeta2), (2.0, 1 - euler, half_zeta2 - 0.5)):
        exact = d + zero - zero  # what the sum holds after rounding
        cubic = -third_zeta3 if zero == 1 else 1 / 3 - third_zeta3
        expected = exact * (slope + exact * (bend + exact * cubic))
        ours = facula.lgamma(facula.from_numpy(d + zero)).numpy()
        np.testing.assert_allclose(ours, expected, rtol=4e-15)


# Complex numbers --------------------------------------------------------------------------------

Z = RNG.normal(size=(3, 2)) + 1j * RNG.normal(size=(3, 2))
PARTS = {
    "real": (lambda t, z: t.real(z), Z),
    "imag": (lambda t, z: t.imag(z), Z),
    "attributes": (lambda t, z: z.real * z.imag, Z),
    "conj": (lambda t, z: t.conj(z) * z, Z),
    "conj_physical": (lambda t, z: t.conj_physical(z), Z),
    "angle": (lambda t, z: t.angle(z), Z),
    "angle_real": (lambda t, x: t.angle(x), ANY),
    "abs": (lambda t, z: z.abs(), Z),
    "view_as_real": (lambda t, z: t.view_as_real(z), Z),
    "view_as_complex": (lambda t, x: t.view_as_complex(x), RNG.normal(size=(3, 2))),
    "complex": (lambda t, a, b: t.complex(a, b), ANY[:3], ANY[3:6]),
    "polar": (lambda t, a, b: t.polar(a, b), POSITIVE[:3], ANY[:3]),
}


@pytest.mark.parametrize("name", PARTS)
def test_complex(name):
    function, *inputs = PARTS[name]
    check(function, *inputs, names=name not in ("real", "imag", "attributes", "conj"))


# Integers, comparisons, types -------------------------------------------------------------------


def test_integers():
    a, b = np.array([-12, 0, 5, 0, 21]), np.array([18, 0, 0, 7, -14])
    check(lambda t, a, b: t.gcd(a, b), a, b, grad=False)
    check(lambda t, a, b: t.lcm(a, b), a, b, grad=False)
    check(lambda t, a, b: t.ldexp(a, b), np.array([1, 2, 3]), np.array([3, -1, 0]), grad=False)


QUESTIONS = {
    "equal": lambda t: t.equal(t.ones(2), t.ones(2)),
    "equal_shape": lambda t: t.equal(t.ones(2), t.ones(3)),
    "equal_nan": lambda t: t.equal(t.tensor([NAN]), t.tensor([NAN])),
    "equal_dtype": lambda t: t.equal(t.ones(2), t.ones(2, dtype=t.float64)),
    "equal_number": lambda t: t.equal(t.ones(2), 1),
    "allclose": lambda t: t.allclose(t.ones(2), t.ones(2) + 1e-6),
    "allclose_far": lambda t: t.ones(2).allclose(t.ones(2) + 1e-3),
    "allclose_nan": lambda t: t.allclose(t.tensor([NAN]), t.tensor([NAN]), equal_nan=True),
    "allclose_dtype": lambda t: t.allclose(t.ones(2), t.ones(2, dtype=t.float64)),
    "is_nonzero": lambda t: t.is_nonzero(t.tensor([[0.5]])),
    "is_nonzero_two": lambda t: t.is_nonzero(t.ones(2)),
    "is_nonzero_none": lambda t: t.is_nonzero(t.ones(0)),
    "numel": lambda t: t.numel(t.ones(2, 3)),
    "is_tensor": lambda t: (t.is_tensor(t.ones(2)), t.is_tensor(1)),
    "is_floating_point": lambda t: t.is_floating_point(t.ones(2)),
    "is_floating_point_number": lambda t: t.is_floating_point(1.0),
    "is_complex": lambda t: t.is_complex(t.ones(2)),
    "can_cast": lambda t: (t.can_cast(t.float32, t.int32), t.can_cast(t.int32, t.float32)),
    "promote": lambda t: str(t.promote_types(t.int32, t.float16)),
    "result_type": lambda t: str(t.result_type(t.ones(2, dtype=t.int64), 1.5)),
    "result_type_numbers": lambda t: str(t.result_type(1, 2)),
    "gcd_float": lambda t: t.gcd(t.ones(2), t.ones(2)),
    "frexp_int": lambda t: t.frexp(t.ones(2, dtype=t.int64)),
    "imag_real": lambda t: t.imag(t.ones(2)),
    "view_as_real_real": lambda t: t.view_as_real(t.ones(2)),
    "view_as_complex_shape": lambda t: t.view_as_complex(t.ones(3)),
    "complex_dtypes": lambda t: t.complex(t.ones(2), t.ones(2, dtype=t.float64)),
    "polygamma_negative": lambda t: t.polygamma(-1, t.ones(2)),
    "mvlgamma_0": lambda t: t.mvlgamma(t.ones(2), 0),
    "erfcx_half": lambda t: t.special.erfcx(t.ones(2, dtype=t.float16)),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_answers_and_errors(name):
    torch = reference()
    answers = []
    for library in (facula, torch):
        try:
            answers.append(QUESTIONS[name](library))
        except Exception as error:
            answers.append((type(error).__name__, str(error)))
    assert answers[0] == answers[1]
