"""Pruning that fails leaves the layer as it was; pruned layers travel through pickle."""

from __future__ import annotations

import pickle

import pytest

import facula as torch
from facula.nn.utils import prune


class Failing(prune.BasePruningMethod):
    """A method whose mask cannot be made."""

    def compute_mask(self, t, default_mask):
        raise ValueError("no mask")


@pytest.mark.parametrize("before", [False, True])
def test_a_failure_changes_nothing(before):
    layer = torch.nn.Linear(3, 2)
    if before:
        prune.l1_unstructured(layer, "weight", 0.5)
    state = {k: v.clone() for k, v in layer.state_dict().items()}
    with pytest.raises(ValueError, match="no mask"):
        Failing.apply(layer, "weight")
    assert list(layer.state_dict()) == list(state)
    assert all((v == state[k]).all() for k, v in layer.state_dict().items())
    assert layer(torch.ones(3)).shape == (2,)


def test_a_pruned_layer_is_pickled():
    layer = torch.nn.Linear(3, 2)
    prune.l1_unstructured(layer, "weight", 0.5)
    again = pickle.loads(pickle.dumps(layer))
    assert (again.weight == layer.weight).all() and (again.weight == 0).sum().item() == 3


def test_a_result_is_pickled_without_its_graph():
    y = torch.ones(2, requires_grad=True) * 2
    again = pickle.loads(pickle.dumps(y))
    assert again.tolist() == [2.0, 2.0] and again.is_leaf and again.requires_grad
