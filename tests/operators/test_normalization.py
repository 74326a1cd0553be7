"""Batch, layer, group, instance and other normalisations against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import check, reference
from tests.operators.families import normal, refused, uniform

SHAPES = [(5, 3), (4, 3, 5), (2, 3, 4, 5)]
FUNCTIONS = {
    "batch": lambda F, x, w, b: F.batch_norm(x, None, None, w, b, True),
    "batch without weights": lambda F, x, w, b: F.batch_norm(x, None, None, training=True),
    "batch evaluation": lambda F, x, w, b: F.batch_norm(
        x, w.detach() * 0.5, b.detach() ** 2, w, b, False, eps=1e-3
    ),
    "group": lambda F, x, w, b: F.group_norm(x, 1, w, b),
    "layer": lambda F, x, w, b: F.layer_norm(x, x.shape[1:]),
    "layer all": lambda F, x, w, b: F.layer_norm(x, x.shape),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_per_channel(name, shape, dtype):
    inputs = (
        normal(*shape, dtype=dtype),
        normal(3, seed=1, dtype=dtype),
        normal(3, seed=2, dtype=dtype),
    )
    check(
        lambda library, *a: FUNCTIONS[name](library.nn.functional, *a),
        *inputs,
        second=dtype is np.float64,
        tolerance=2e-4 if dtype is np.float32 else 1e-8,
    )


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_instance_and_group(shape):
    inputs = normal(*shape), normal(3, seed=1), normal(3, seed=2)

    def instance(library, x, w, b):
        return library.nn.functional.instance_norm(x, None, None, w, b)

    def group(library, x, w, b):
        return library.nn.functional.group_norm(x, 3, w, b)

    check(instance, *inputs, second=True, tolerance=1e-8)
    check(group, *inputs, second=True, tolerance=1e-8)


@pytest.mark.parametrize("eps", [None, 1e-2])
def test_last_dimension(eps):
    inputs = normal(2, 3, 4), normal(4, seed=1), normal(4, seed=2)

    def layer(library, x, w, b):
        return library.nn.functional.layer_norm(x, (4,), w, b)

    def rms(library, x, w, b):
        return library.nn.functional.rms_norm(x, (4,), w, eps)

    check(layer, *inputs, second=True, tolerance=1e-8)
    check(rms, *inputs, second=True, tolerance=1e-8)


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_running_statistics_move_in_place(name):
    torch = reference()
    x, found = normal(4, 3, 5, dtype=np.float32), []
    for library in (facula, torch):
        mean, var = library.zeros(3), library.ones(3)
        function = getattr(library.nn.functional, name)
        for momentum in (0.1, 0.3):
            function(library.from_numpy(x), mean, var, None, None, True, momentum, 1e-5)
        found.append((mean.tolist(), var.tolist()))
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_large_mean_loses_no_digits():
    x = facula.tensor([[1e4 + 1.0, 1e4 + 3.0]])
    assert facula.nn.functional.layer_norm(x, (2,), eps=0.0).tolist() == [[-1.0, 1.0]]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_local_response_norm(size):
    def run(library, x):
        return library.nn.functional.local_response_norm(x, size, 0.1, 0.6, 2.0)

    check(run, normal(2, 4, 3), second=True)
    check(run, normal(2, 4, 3, 3), second=True)


@pytest.mark.parametrize("p,dim", [(2.0, 1), (1.0, 0), (3.0, -1), (float("inf"), 1)])
def test_normalize(p, dim):
    check(lambda library, x: library.nn.functional.normalize(x, p, dim), normal(3, 4))


def test_normalize_of_zeros():
    check(lambda library, x: library.nn.functional.normalize(x), np.zeros((2, 3)))


def test_mixed_precision():
    def run(library, x, w, b):
        return library.nn.functional.batch_norm(x.half(), w.detach(), w.detach() ** 2, w, b)

    check(
        run,
        normal(2, 3, 4, dtype=np.float32),
        uniform(3, dtype=np.float32),
        uniform(3, dtype=np.float32),
        grad=False,
    )


REFUSED = {
    "one value": lambda F, t: F.batch_norm(t.ones(1, 4), None, None, training=True),
    "running mean": lambda F, t: F.batch_norm(t.ones(2, 4), t.ones(3), t.ones(3)),
    "missing mean": lambda F, t: F.batch_norm(t.ones(2, 4), None, None),
    "weight": lambda F, t: F.batch_norm(t.ones(2, 4), None, None, t.ones(5), training=True),
    "instance of one": lambda F, t: F.instance_norm(t.ones(2, 4, 1)),
    "layer shape": lambda F, t: F.layer_norm(t.ones(2, 4), (3,)),
    "layer weight": lambda F, t: F.layer_norm(t.ones(2, 4), (4,), t.ones(3)),
    "layer of integers": lambda F, t: F.layer_norm(t.arange(4), (4,)),
    "groups": lambda F, t: F.group_norm(t.ones(2, 4), 3),
    "group weight": lambda F, t: F.group_norm(t.ones(2, 4), 2, t.ones(3)),
    "lrn rank": lambda F, t: F.local_response_norm(t.ones(2, 4), 2),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    ours, theirs = refused(lambda library: REFUSED[name](library.nn.functional, library))
    assert ours[:30] == theirs[:30]


def test_the_message_for_a_single_value_per_channel():
    with pytest.raises(ValueError, match=r"got input size torch.Size\(\[1, 4\]\)"):
        facula.nn.functional.batch_norm(facula.ones(1, 4), None, None, training=True)
