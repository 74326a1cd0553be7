"""Inputs and checks shared by the tests of layers-as-functions: activations, losses and so on."""

from __future__ import annotations

import numpy as np
import pytest

import facula
from tests.operators.compare import reference


def normal(*shape, seed=0, dtype=np.float64):
    """Fixed normal numbers, spread so that every branch of an activation is taken."""
    return (np.random.default_rng(seed).standard_normal(shape) * 2).astype(dtype)


def uniform(*shape, seed=0, dtype=np.float64):
    """Fixed numbers strictly between 0 and 1."""
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape).astype(dtype)


def refused(function, *arrays):
    """``function(library, *tensors)`` must raise the type PyTorch raises; both messages."""
    torch = reference()
    with pytest.raises(Exception) as theirs:  # which one is the question
        function(torch, *[torch.from_numpy(a) for a in arrays])
    with pytest.raises(type(theirs.value)) as ours:
        function(facula, *[facula.from_numpy(a) for a in arrays])._buffer()
    assert type(ours.value) is type(theirs.value)
    return str(ours.value), str(theirs.value)
