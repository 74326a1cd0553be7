"""Activations and softmax against PyTorch: values, gradients of both orders, names, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula
from facula.runtime.plans import count
from tests.operators.compare import check
from tests.operators.families import normal, refused

PLAIN = [
    "relu",
    "relu6",
    "hardtanh",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "softplus",
    "logsigmoid",
    "gelu",
    "silu",
    "mish",
    "softsign",
    "tanhshrink",
    "hardswish",
    "hardshrink",
    "softshrink",
    "glu",
]
CASES = {
    "threshold": lambda F, x: F.threshold(x, 0.5, 2.0),
    "elu alpha": lambda F, x: F.elu(x, 0.7),
    "celu alpha": lambda F, x: F.celu(x, 2.0),
    "leaky slope": lambda F, x: F.leaky_relu(x, 0.2),
    "softplus beta": lambda F, x: F.softplus(x, 2.0, 3.0),
    "hardtanh limits": lambda F, x: F.hardtanh(x, -2.0, 0.5),
    "gelu tanh": lambda F, x: F.gelu(x, approximate="tanh"),
    "glu first": lambda F, x: F.glu(x, 0),
    "softmax": lambda F, x: F.softmax(x, 1),
    "softmax first": lambda F, x: F.softmax(x, 0),
    "log_softmax": lambda F, x: F.log_softmax(x, -1),
    "softmin": lambda F, x: F.softmin(x, 1),
    "rrelu evaluation": lambda F, x: F.rrelu(x, 0.1, 0.4),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_activations(name, dtype):
    def run(library, x):
        return getattr(library.nn.functional, name)(x)

    check(
        run,
        normal(4, 6, dtype=dtype),
        second=dtype is np.float64,
        tolerance=3e-5 if dtype is np.float32 else 1e-9,
    )


@pytest.mark.parametrize("name", [name for name in PLAIN if name != "glu"])
def test_second_derivatives_where_gradients_are_negative(name):
    def run(library, x, w):
        y = getattr(library.nn.functional, name)(x) * w
        return (y + x) ** 2

    check(run, normal(4, 6), normal(4, 6, seed=1), second=True, tolerance=1e-7)


@pytest.mark.parametrize("name", PLAIN)
def test_activations_of_16_bits_are_rounded_once(name):
    def run(library, x):
        return getattr(library.nn.functional, name)(x.to(library.float16))

    check(run, normal(4, 6, dtype=np.float32), grad=False)


@pytest.mark.parametrize(
    "name", ["relu", "relu6", "leaky_relu", "elu", "hardshrink", "hardswish", "silu"]
)
def test_edges(name):
    edges = np.array([-25.0, -6, -3, -1, -0.5, 0, 0.5, 1, 3, 6, 25, np.nan])
    check(lambda library, x: getattr(library.nn.functional, name)(x), edges)


@pytest.mark.parametrize("name", CASES)
def test_options(name):
    check(
        lambda library, x: CASES[name](library.nn.functional, x),
        normal(4, 6),
        second=True,
        tolerance=1e-7,
    )


def test_hardsigmoid():
    check(lambda library, x: library.nn.functional.hardsigmoid(x), normal(4, 6), tolerance=1e-7)


@pytest.mark.parametrize("shape,slopes", [((4, 3), 3), ((4, 3), 1), ((2, 3, 2), 3), ((5,), 1)])
def test_prelu(shape, slopes):
    check(
        lambda library, x, w: library.prelu(x, w),
        normal(*shape),
        normal(slopes, seed=1),
        second=True,
    )


def test_softmax_in_another_dtype_and_without_dimensions():
    check(
        lambda library, x: library.softmax(x, 1, dtype=library.float64),
        normal(2, 3, dtype=np.float32),
        names=False,
    )
    check(lambda library, x: library.log_softmax(x, 0), np.array(2.0))
    check(lambda library, x: library.softmax(x, 0), np.zeros((0, 3)))


def test_softmax_of_large_numbers_stays_finite():
    x = facula.tensor([[1000.0, 0.0], [-1000.0, 0.0]])
    assert facula.softmax(x, 1).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert facula.log_softmax(x, 1).tolist() == [[0.0, -1000.0], [-1000.0, 0.0]]


def test_softmax_warns_when_the_dimension_is_left_out():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        facula.nn.functional.softmax(facula.ones(2, 2))


def test_in_place_forms_write_their_input():
    functional = facula.nn.functional
    forms = [
        functional.relu_,
        functional.leaky_relu_,
        lambda x: functional.relu(x, inplace=True),
        lambda x: functional.elu(x, 1.0, True),
        lambda x: functional.hardtanh(x, 0.0, 1.0, inplace=True),
    ]
    for run in forms:
        x = facula.tensor([-1.0, 0.5])
        expected = run(x.clone()).tolist()
        assert run(x) is x
        assert x.tolist() == expected
    leaf = facula.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf Variable"):
        functional.relu_(leaf)


REFUSED = {
    "softmax of integers": lambda library: library.softmax(library.arange(3), 0),
    "softmax dimension": lambda library: library.softmax(library.ones(3), 2),
    "glu of an odd size": lambda library: library.nn.functional.glu(library.ones(3, 5)),
    "relu of bools": lambda library: library.relu(library.ones(2) > 0),
    "gelu approximation": lambda library: library.nn.functional.gelu(
        library.ones(2), approximate="x"
    ),
    "prelu channels": lambda library: library.prelu(library.ones(2, 4), library.ones(3)),
    "softshrink limit": lambda library: library.nn.functional.softshrink(library.ones(2), -1.0),
    "celu alpha": lambda library: library.celu(library.ones(2), 0.0),
    "silu of integers": lambda library: library.nn.functional.silu(library.arange(3)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours, theirs = refused(lambda library: REFUSED[name](library))
    assert ours[:30] == theirs[:30]


def test_a_changing_slope_is_one_program():
    x = facula.randn(3)
    for _ in range(2):  # the first run also computes what earlier tests left pending
        facula.nn.functional.leaky_relu(x, 0.1).tolist()
    plans = count()
    for slope in (0.2, 0.0, 1.0):
        facula.nn.functional.leaky_relu(x, slope).tolist()
    assert count() == plans
