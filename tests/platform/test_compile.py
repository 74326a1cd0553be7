"""torch.compile beside PyTorch's: what it returns, checks and leaves as it is."""

import copy
import pickle

import pytest

import facula
from facula import nn


def scenario(torch):
    seen = []
    net = torch.nn.Sequential(torch.nn.Linear(2, 3))
    compiled = torch.compile(net, backend="eager")
    seen.append(type(compiled).__name__)
    seen.append(list(compiled.state_dict()))
    seen.append([name for name, _ in compiled.named_parameters()])
    seen.append(repr(compiled))
    seen.append((compiled._orig_mod is net, compiled.training))
    compiled.eval()
    seen.append((net.training, compiled.training))
    compiled.train()
    compiled.note = 3
    seen.append((net.note, compiled.note))
    calls = []
    net.register_forward_hook(lambda module, args, out: calls.append("inner"))
    compiled.register_forward_hook(lambda module, args, out: calls.append("outer"))
    out = compiled(torch.ones(4, 2))
    seen.append((tuple(out.shape), calls, out.requires_grad))
    out.sum().backward()
    seen.append(net[0].weight.grad.tolist())
    seen.append(torch.compile(net, disable=True) is net)
    seen.append(net[0].compile(backend="eager"))
    other = copy.deepcopy(compiled)
    seen.append((type(other).__name__, other._orig_mod is net, list(other.state_dict())))

    @torch.compile(backend="eager", fullgraph=True, dynamic=False)
    def double(x):
        return x * 2

    seen.append((double.__name__, double(torch.ones(2)).tolist()))
    for wrong in ({"mode": "no"}, {"mode": "max-autotune", "options": {"a": 1}}):
        try:
            torch.compile(net, **wrong)
        except RuntimeError as error:
            seen.append(str(error))
    try:
        torch.compile(3)
    except AssertionError as error:
        seen.append(str(error))
    return seen


def test_as_pytorch():
    torch = pytest.importorskip("torch")
    assert scenario(facula) == scenario(torch)


def test_without_pytorch():
    seen = scenario(facula)
    assert seen[0] == "OptimizedModule" and seen[1] == ["_orig_mod.0.weight", "_orig_mod.0.bias"]


def test_a_compiled_module_is_pickled_with_what_it_wraps():
    compiled = facula.compile(nn.Linear(2, 2))
    again = pickle.loads(pickle.dumps(compiled))
    assert again(facula.ones(2)).tolist() == compiled(facula.ones(2)).tolist()
    assert facula.compile(compiled) is compiled


def test_unknown_backends_are_refused():
    with pytest.raises(RuntimeError, match="Invalid backend: 'nope'"):
        facula.compile(nn.Linear(1, 1), backend="nope")
    for backend in facula.compiler.list_backends():
        facula.compile(nn.Linear(1, 1), backend=backend)
    facula.compile(nn.Linear(1, 1), backend=lambda graph, inputs: graph)


def test_numpy_functions():
    import numpy as np

    doubled = facula.compiler.wrap_numpy(lambda a: np.add(a, a))
    assert doubled(facula.ones(2)).tolist() == [2.0, 2.0]
    assert facula.compiler.nested_compile_region()(doubled) is doubled
    assert facula._dynamo.OptimizedModule is type(facula.compile(nn.Linear(1, 1)))
