"""What all optimizers share: groups, hooks, state dicts, pickling, and checks of options."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from oracle import gradients, maker, parameters, plain, set_grads, start_values, train

import facula


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


BAD = [
    ("SGD", {"lr": -1.0}, "Invalid learning rate: -1.0"),
    ("SGD", {"momentum": -0.5}, "Invalid momentum value: -0.5"),
    ("SGD", {"weight_decay": -0.5}, "Invalid weight_decay value: -0.5"),
    ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
    ("Adam", {"lr": -1.0}, "Invalid learning rate: -1.0"),
    ("Adam", {"eps": -1.0}, "Invalid epsilon value: -1.0"),
    ("Adam", {"betas": (1.0, 0.9)}, "Invalid beta parameter at index 0: 1.0"),
    ("AdamW", {"betas": (0.9, 1.5)}, "Invalid beta parameter at index 1: 1.5"),
    ("Adam", {"betas": (0, 0.5)}, "betas must be either both floats or both Tensors"),
    ("RMSprop", {"alpha": -1}, "Invalid alpha value: -1"),
    ("Adadelta", {"rho": 1.1}, "Invalid rho value: 1.1"),
    ("Adagrad", {"lr_decay": -0.5}, "Invalid lr_decay value: -0.5"),
    ("Rprop", {"etas": (1.0, 0.5)}, "Invalid eta values: 1.0, 0.5"),
    ("NAdam", {"momentum_decay": -1}, "Invalid momentum_decay value: -1"),
    ("SparseAdam", {"lr": 0.0}, "Invalid learning rate: 0.0"),
    ("Muon", {"momentum": -1}, "momentum should be >= 0 but is: -1"),
]


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_bad_options(name, options, message):
    params = [facula.nn.Parameter(facula.ones(2, 2))]
    with pytest.raises(ValueError) as ours:
        getattr(facula.optim, name)(params, **options)
    assert str(ours.value) == message


@pytest.mark.parametrize(("name", "options", "message"), BAD)
def test_bad_options_read_as_in_torch(torch, name, options, message):
    with pytest.raises(ValueError) as theirs:
        getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(2, 2))], **options)
    assert str(theirs.value) == message


def test_bad_parameters():
    p = facula.nn.Parameter(facula.ones(2))
    optim = facula.optim
    with pytest.raises(ValueError, match="empty parameter list"):
        optim.SGD([])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        optim.SGD(p)
    with pytest.raises(TypeError, match="can only optimize Tensors"):
        optim.SGD([1.0])
    with pytest.raises(TypeError, match="ordered collections"):
        optim.SGD([{"params": {p}}])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([p * 2])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [p]}, {"params": [p]}])
    with pytest.raises(ValueError, match="with/without names"):
        optim.SGD([("a", p), facula.nn.Parameter(facula.ones(1))])
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])
    with pytest.raises(RuntimeError, match="`fused` and `foreach`"):
        optim.Adam([p], fused=True, foreach=True)


def test_named_parameters():
    optimizer = facula.optim.SGD(facula.nn.Linear(2, 1).named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["weight", "bias"]


def test_zero_grad():
    params = parameters(facula, start_values())
    optimizer = facula.optim.SGD(params)
    set_grads(facula, params, gradients(1)[0])
    kept = params[0].grad
    optimizer.zero_grad(set_to_none=False)
    assert params[0].grad is kept
    assert all(float(p.grad.abs().sum()) == 0.0 for p in params)
    optimizer.zero_grad()
    assert all(p.grad is None for p in params)


def test_closure_runs_with_gradients_on():
    w = facula.nn.Parameter(facula.tensor([2.0]))
    optimizer = facula.optim.SGD([w], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (w * w).sum()
        loss.backward()
        return loss

    with facula.no_grad():
        assert float(optimizer.step(closure)) == 4.0
    assert w.item() == 1.0


def test_hooks_run_in_order():
    params = parameters(facula, start_values())
    optimizer = facula.optim.SGD(params, lr=0.1)
    calls = []
    handles = [
        optimizer.register_step_pre_hook(lambda o, args, kwargs: calls.append("before")),
        optimizer.register_step_post_hook(lambda o, args, kwargs: calls.append(args[0] is o)),
        facula.optim.optimizer.register_optimizer_step_pre_hook(
            lambda o, args, kwargs: calls.append("global")
        ),
    ]
    optimizer.step()
    assert calls == ["global", "before", True]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(calls) == 3
    optimizer.register_state_dict_post_hook(lambda o, state: {**state, "extra": 1})
    assert optimizer.state_dict()["extra"] == 1
    optimizer.register_load_state_dict_post_hook(lambda o: calls.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert calls[-1] == "loaded"


def test_hooks_of_a_subclass_run_once():
    class Loud(facula.optim.SGD):
        def step(self, closure=None):
            return super().step(closure)

    optimizer = Loud(parameters(facula, start_values()))
    calls = []
    optimizer.register_step_pre_hook(lambda *_: calls.append(1))
    optimizer.step()
    assert calls == [1]


def test_load_state_dict_checks_sizes():
    optimizer, _, _ = train(facula, maker("SGD", {}), steps=1)
    p = facula.nn.Parameter(facula.ones(1))
    with pytest.raises(ValueError, match="doesn't match the size"):
        facula.optim.SGD([p]).load_state_dict(optimizer.state_dict())
    two = facula.optim.SGD([{"params": [p]}, {"params": [facula.nn.Parameter(facula.ones(1))]}])
    with pytest.raises(ValueError, match="different number of parameter groups"):
        two.load_state_dict(optimizer.state_dict())


def test_pickle_and_deepcopy_keep_the_state():
    optimizer, _, _ = train(facula, maker("Adam", {"lr": 0.1}), steps=3)
    for again in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        theirs, ours = plain(again.state_dict()), plain(optimizer.state_dict())
        np.testing.assert_equal(theirs["state"], ours["state"])
        set_grads(facula, again.param_groups[0]["params"], gradients(1)[0])
        again.step()
        assert again.state_dict()["state"][0]["step"].item() == 4.0
        assert optimizer.state_dict()["state"][0]["step"].item() == 3.0


def test_user_optimizer():
    class Fixed(facula.optim.Optimizer):
        def __init__(self, params, lr=facula.optim.optimizer.required):
            super().__init__(params, {"lr": lr})

        @facula.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad, alpha=-group["lr"])
                    self.state[p]["count"] = self.state[p].get("count", 0) + 1

    w = facula.nn.Parameter(facula.tensor([1.0]))
    w.grad = facula.tensor([0.5])
    optimizer = Fixed([w], lr=2.0)
    optimizer.step()
    assert w.item() == 0.0
    assert optimizer.state_dict()["state"] == {0: {"count": 1}}
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Fixed([w])
    with pytest.raises(NotImplementedError):
        facula.optim.Optimizer([w], {}).step()
