"""Dropout and random activations: the same masks as PyTorch after the same seed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula
from tests.operators.compare import reference
from tests.operators.families import normal, refused

FORMS = {
    "dropout": ((5, 7), {}),
    "alpha_dropout": ((5, 7), {}),
    "dropout1d": ((5, 7, 3), {}),
    "dropout2d": ((5, 7, 3, 2), {}),
    "dropout3d": ((5, 7, 3, 2, 2), {}),
    "feature_alpha_dropout": ((5, 7, 3, 2), {}),
    "dropout1d unbatched": ((7, 3), {}),
    "dropout3d unbatched": ((7, 3, 2, 2), {}),
}


def both(run, x):
    """Results, gradients and generator states of facula and PyTorch after the same seed."""
    torch = reference()
    found = []
    for library in (facula, torch):
        library.manual_seed(7)
        given = library.tensor(x.tolist(), dtype=getattr(library, x.dtype.name), requires_grad=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = run(library, given)
        (grad,) = library.autograd.grad(out.sum(), given)
        found.append((out.tolist(), grad.tolist(), library.get_rng_state().tolist()))
    return found


@pytest.mark.parametrize("p", [0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("name", FORMS)
def test_masks_are_those_of_pytorch(name, dtype, p):
    shape, options = FORMS[name]

    def run(library, x):
        return getattr(library.nn.functional, name.split()[0])(x, p, training=True, **options)

    ours, theirs = both(run, normal(*shape, dtype=dtype))
    assert ours == theirs


@pytest.mark.parametrize(
    "view", [lambda x: x.t(), lambda x: x[:, ::2], lambda x: x.expand(3, 5, 7)]
)
def test_masks_follow_memory(view):
    ours, theirs = both(lambda library, x: library.nn.functional.dropout(view(x)), normal(5, 7))
    assert ours == theirs


def test_rrelu():
    ours, theirs = both(
        lambda library, x: library.nn.functional.rrelu(x, 0.1, 0.4, True), normal(5, 7)
    )
    assert ours == theirs


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_softmax(hard):
    def run(library, x):
        return library.nn.functional.gumbel_softmax(x, 0.7, hard, dim=1)

    (out, grad, state), (their_out, their_grad, their_state) = both(run, normal(5, 7))
    np.testing.assert_allclose(out, their_out, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(grad, their_grad, rtol=1e-6, atol=1e-12)
    assert state == their_state


def test_nothing_is_drawn_when_nothing_is_dropped():
    functional = facula.nn.functional
    x = facula.ones(3)
    before = facula.get_rng_state().tolist()
    assert functional.dropout(x, 0.5, training=False) is x
    assert functional.dropout(x, 0.0) is x
    assert functional.dropout(facula.ones(0)).shape == (0,)
    assert facula.get_rng_state().tolist() == before


def test_in_place():
    x = facula.ones(100)
    assert facula.nn.functional.dropout(x, 0.5, inplace=True) is x
    assert sorted(set(x.tolist())) == [0.0, 2.0]


def test_a_changing_probability_is_not_part_of_the_program():
    from facula.runtime.plans import count

    x = facula.ones(50)
    for p in (0.1, 0.2):
        facula.nn.functional.dropout(x, p).tolist()
    plans = count()
    for p in (0.3, 0.4, 0.9):
        facula.nn.functional.dropout(x, p).tolist()
    assert count() == plans


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_probabilities_are_checked(p):
    ours, theirs = refused(lambda library: library.nn.functional.dropout(library.ones(2), p))
    assert ours == theirs


def test_ranks_are_checked():
    ours, theirs = refused(
        lambda library: library.nn.functional.dropout1d(library.ones(2, 2, 2, 2))
    )
    assert ours == theirs
    with pytest.warns(UserWarning, match="Received a 5-D input to dropout2d"):
        facula.nn.functional.dropout2d(facula.ones(2, 2, 2, 2, 2))
