"""Which engine runs a program: by sightings and work, and what happens without the native one."""

import warnings

import numpy as np
import pytest

import facula as torch
from facula.base.flags import flags
from facula.engines import registry
from facula.runtime import plans, tiers


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(flags, "engine", "")
    monkeypatch.setattr(tiers._state, "native_works", True)
    plans.forget()
    yield
    plans.forget()


def engines_of(function, times):
    """The engine of the program that ``function`` runs, after each of its runs."""
    found = []
    for _ in range(times):
        function()
        (plan,) = plans.known()
        found.append(plan.engine)
    return found


def test_a_small_program_is_interpreted_first_and_then_compiled():
    x = torch.tensor([1.0, 2.0])
    assert engines_of(lambda: (x * 3).exp().tolist(), 3) == ["reference", "native", "native"]


def test_a_large_program_is_compiled_at_once():
    x = torch.tensor(np.ones((700, 700), np.float32))
    x.tolist()
    assert engines_of(lambda: (x @ x @ x).sum().item(), 1) == ["native"]


def test_training_jobs_compile_at_once():
    x = torch.tensor([1.0, 2.0])
    with tiers.compiling_at_once():
        assert engines_of(lambda: (x * 5).exp().tolist(), 1) == ["native"]


@pytest.mark.parametrize("name", ["reference", "native"])
def test_the_flag_decides(name, monkeypatch):
    monkeypatch.setattr(flags, "engine", name)
    x = torch.tensor([1.0, 2.0])
    assert engines_of(lambda: (x * 7).exp().tolist(), 2) == [name, name]


def test_without_llvm_numpy_serves_and_says_so_once(monkeypatch):
    def unavailable(name):
        if name == "native":
            raise registry.Unavailable("llvmlite cannot be used (no such file)")
        return registry.engine(name)

    monkeypatch.setattr(tiers, "engine", unavailable)
    x = torch.tensor([1.0, 2.0])
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert engines_of(lambda: (x * 9).exp().tolist(), 3) == ["reference"] * 3
    assert [str(w.message) for w in seen] == [
        "facula computes with NumPy, which is slower: llvmlite cannot be used (no such file)"
    ]
