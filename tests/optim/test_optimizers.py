"""Every optimizer against PyTorch: values, state, state dicts, errors; recorded values without."""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pytest
from oracle import gradients, maker, parameters, plain, set_grads, start_values, train

import facula

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 1, "momentum": 0.5, "maximize": True, "fused": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.8, 0.99), "eps": 1e-3}),
    ("Adam", {"lr": 0.05, "amsgrad": True, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.05, "maximize": True, "foreach": True}),
    ("Adam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.05}),
    ("AdamW", {"lr": 0.05, "weight_decay": 0.3, "amsgrad": True}),
    ("Adamax", {"lr": 0.05}),
    ("Adamax", {"lr": 0.05, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.05}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "momentum_decay": 0.01}),
    ("NAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.05}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "betas": (0.9, 0.9)}),
    ("RAdam", {"lr": 0.05, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RMSprop", {}),
    ("RMSprop", {"centered": True, "eps": 1e-3}),
    ("RMSprop", {"momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"momentum": 0.5, "centered": True, "eps": 1e-2, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adagrad", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.5, "eps": (1e-5, 0.01), "d": 1.5, "weight_decay": 0.1}),
    ("ASGD", {}),
    ("ASGD", {"lr": 0.1, "t0": 5, "lambd": 0.01, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.1, "t0": 0, "alpha": 0.5, "maximize": True}),
    ("Rprop", {}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2), "maximize": True}),
]
IDS = [f"{name}-{'-'.join(options) or 'defaults'}" for name, options in CASES]


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def assert_same(ours, theirs, rtol=2e-6, atol=2e-6):
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def assert_same_state(ours, theirs):
    ours, theirs = plain(ours), plain(theirs)
    assert list(ours["state"]) == list(theirs["state"])
    for key, entry in theirs["state"].items():
        assert list(ours["state"][key]) == list(entry)
        for name, value in entry.items():
            np.testing.assert_allclose(ours["state"][key][name], value, rtol=5e-6, atol=2e-6)
    assert ours["param_groups"] == theirs["param_groups"]


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_thirty_steps_agree_with_torch(torch, name, options):
    mine, _, values = train(facula, maker(name, options))
    theirs, _, expected = train(torch, maker(name, options))
    assert_same(values, expected)
    assert_same_state(mine.state_dict(), theirs.state_dict())
    assert mine.defaults == theirs.defaults
    assert repr(mine) == repr(theirs)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_float64_agrees_to_double_precision(torch, name, options):
    _, _, values = train(facula, maker(name, options), dtype=facula.float64)
    _, _, expected = train(torch, maker(name, options), dtype=torch.float64)
    # ASGD's eta and NAdam's product of momenta are read back in float32 there
    loose = 1e-6 if name in ("ASGD", "NAdam") else 1e-12
    assert_same(values, expected, rtol=loose, atol=loose)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_state_goes_to_torch_and_back(torch, name, options):
    """Train there, go on here; train here, go on there: as if nothing had happened."""
    _, _, expected = train(torch, maker(name, options), steps=20)
    all_grads = gradients(20)
    for first, second in ((torch, facula), (facula, torch)):
        optimizer, params, _ = train(first, maker(name, options), grads=all_grads[:10])
        moved = parameters(second, [np.asarray(p.detach().tolist(), "f4") for p in params])
        continued = maker(name, options)(second, moved)
        continued.load_state_dict(translate(optimizer.state_dict(), first, second))
        for grads in all_grads[10:]:
            set_grads(second, moved, grads)
            continued.step()
        assert_same([p.detach().numpy() for p in moved], expected, rtol=1e-5, atol=1e-5)


def translate(value, source, target):
    if isinstance(value, source.Tensor):
        return target.tensor(value.tolist(), dtype=target.float32)
    if isinstance(value, dict):
        return {k: translate(v, source, target) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(translate(v, source, target) for v in value)
    return value


@pytest.mark.parametrize("name", sorted({name for name, _ in CASES}))
def test_parameters_that_sometimes_lack_a_gradient(torch, name):
    grads = gradients(12)
    for i, step in enumerate(grads):
        if i in (0, 1, 5):
            step[1] = None
        if i % 3 == 2:
            step[0] = step[3] = None
    options = {"momentum": 0.9, "dampening": 0.5, "lr": 0.1} if name == "SGD" else {}
    mine, _, values = train(facula, maker(name, options), grads=grads)
    theirs, _, expected = train(torch, maker(name, options), grads=grads)
    assert_same(values, expected)
    assert_same_state(mine.state_dict(), theirs.state_dict())


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "RAdam"])
def test_tensor_learning_rate(torch, name):
    def make(lib, params):
        return getattr(lib.optim, name)(params, lr=lib.tensor(0.05))

    _, _, values = train(facula, make)
    _, _, expected = train(torch, make)
    assert_same(values, expected)


def test_groups_with_their_own_options(torch):
    def make(lib, params):
        groups = [{"params": params[:2], "lr": 0.3}, {"params": params[2:], "momentum": 0.5}]
        return lib.optim.SGD(groups, lr=0.1, weight_decay=0.01)

    mine, _, values = train(facula, make)
    theirs, _, expected = train(torch, make)
    assert_same(values, expected)
    assert_same_state(mine.state_dict(), theirs.state_dict())


@pytest.mark.parametrize(
    ("name", "options", "key", "values"),
    [
        ("SGD", {"lr": 0.1, "momentum": 0.9}, "lr", [0.0, 1.0, 0.9, 0.5]),
        ("SGD", {"lr": 0.1, "momentum": 0.9}, "momentum", [0.0, 0.5, 0.0, 1.0]),
        ("SGD", {"lr": 0.1}, "momentum", [0.0, 0.5, 0.0, 0.9]),
        ("SGD", {"lr": 0.1}, "weight_decay", [0.0, 0.1, 0.0, 0.3]),
        ("AdamW", {"lr": 0.1}, "weight_decay", [0.0, 0.1, 0.0, 1.0]),
        ("Adam", {"lr": 0.1}, "betas", [(0.5, 0.9), (0.9, 0.99), (0.0, 0.9), (0.3, 0.8)]),
        ("RMSprop", {"momentum": 0.9}, "momentum", [0.5, 0.0, 0.3, 0.0]),
    ],
)
def test_options_may_change_between_steps(torch, name, options, key, values):
    results = []
    for lib in (facula, torch):
        params = parameters(lib, start_values())
        optimizer = getattr(lib.optim, name)(params, **options)
        for grads, value in zip(gradients(12), values * 3):
            optimizer.param_groups[0][key] = value
            set_grads(lib, params, grads)
            optimizer.step()
        results.append([p.detach().numpy() for p in params])
    assert_same(*results)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {"lr": 1.0, "momentum": 0.9}),
        ("SGD", {"weight_decay": 0.5}),
        ("Adam", {}),
        ("AdamW", {}),
        ("NAdam", {}),
        ("RMSprop", {"centered": True}),
        ("Adagrad", {"lr_decay": 0.1}),
        ("Adadelta", {}),
        ("Adamax", {}),
        ("Rprop", {}),
    ],
)
def test_a_schedule_never_changes_the_program(monkeypatch, name, options):
    """Whatever the numbers are, the rule is called with the same structure, once per step."""
    seen = []
    params = parameters(facula, start_values())
    optimizer = getattr(facula.optim, name)(params, **options)
    rule = sys.modules[type(optimizer)._update.__module__]._RULE
    recorded = rule.recorded

    def spy(cohort, lists, numbers, structure):
        shapes = [[tuple(t.shape) for t in tensors] for tensors in lists]
        seen.append((shapes, [type(n) for n in numbers], structure))
        return recorded(cohort, lists, numbers, structure)

    monkeypatch.setattr(rule, "recorded", spy)
    group = optimizer.param_groups[0]
    steps = 0
    for value in (0.0, 1, 0.9, 0.5, 0, 1e-3, 1.0) * 3:
        group["lr"] = value
        if "weight_decay" in options:
            group["weight_decay"] = value
        if "betas" in group:
            group["betas"] = (value * 0.5, 0.9)
        set_grads(facula, params, gradients(1)[0])
        optimizer.step()
        steps += 1
    assert len(seen) == steps
    assert all(entry == seen[0] for entry in seen)


def test_state_can_be_cleared_replaced_and_written_to(torch):
    results = []
    for lib in (facula, torch):
        params = parameters(lib, start_values())
        optimizer = lib.optim.Adam(params, lr=0.1)
        for i, grads in enumerate(gradients(10)):
            set_grads(lib, params, grads)
            optimizer.step()
            if i == 2:
                optimizer.state.clear()
            if i == 4:
                for state in optimizer.state.values():
                    state["step"] = lib.tensor(50.0)
            if i == 6:
                for state in optimizer.state.values():
                    state["exp_avg"] = lib.zeros_like(state["exp_avg"])
            if i == 8:
                optimizer.state[params[0]]["exp_avg_sq"].fill_(2.0)
        results.append([p.detach().numpy() for p in params])
    assert_same(*results)


def test_a_write_to_a_step_tensor_counts():
    params = parameters(facula, start_values())
    optimizer = facula.optim.Adam(params)
    set_grads(facula, params, gradients(1)[0])
    optimizer.step()
    optimizer.state[params[0]]["step"].fill_(7.0)
    set_grads(facula, params, gradients(1)[0])
    optimizer.step()
    assert optimizer.state_dict()["state"][0]["step"].item() == 8.0


def test_saved_step_counts_are_separate_tensors():
    """PyTorch adds to each parameter's count in place, so a shared one would run away there."""
    optimizer, _, _ = train(facula, maker("Adam", {}), steps=3)
    state = optimizer.state_dict()["state"]
    assert len({id(entry["step"]) for entry in state.values()}) == len(state)
    assert all(entry["step"].item() == 3.0 for entry in state.values())


@pytest.mark.parametrize("line_search", [None, "strong_wolfe"])
def test_lbfgs_on_a_curved_valley(torch, line_search):
    results = []
    for lib in (facula, torch):
        w = lib.nn.Parameter(lib.tensor([-1.5, 2.0], dtype=lib.float64))
        lr = 0.05 if line_search is None else 1
        optimizer = lib.optim.LBFGS([w], lr=lr, history_size=5, line_search_fn=line_search)
        losses = []

        def closure(w=w, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
            loss.backward()
            return loss

        for _ in range(3):
            losses.append(optimizer.step(closure).item())
        state = optimizer.state[w]
        results.append((losses, w.detach().numpy(), state["func_evals"], state["n_iter"]))
    (mine, w, *counts), (theirs, expected, *expected_counts) = results
    np.testing.assert_allclose(mine, theirs, rtol=1e-5)
    np.testing.assert_allclose(w, expected, rtol=1e-5)
    assert counts == expected_counts


def test_lbfgs_finds_the_minimum():
    w = facula.nn.Parameter(facula.tensor([-1.5, 2.0]))
    optimizer = facula.optim.LBFGS([w], max_iter=60, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = (1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2
        loss.backward()
        return loss

    optimizer.step(closure)
    np.testing.assert_allclose(w.detach().numpy(), [1.0, 1.0], atol=1e-3)
    with pytest.raises(ValueError, match="per-parameter options"):
        facula.optim.LBFGS([{"params": [w]}, {"params": [facula.nn.Parameter(w.detach())]}])


def test_muon(torch):
    shapes = [(4, 3), (3, 5)]
    for options in ({}, {"lr": 0.1, "nesterov": False}, {"adjust_lr_fn": "match_rms_adamw"}):
        ran = [
            train(
                lib,
                maker("Muon", options),
                values=start_values(shapes=shapes),
                grads=gradients(5, shapes=shapes),
            )[2]
            for lib in (facula, torch)
        ]
        # the iteration runs in bfloat16, which leaves two to three digits
        assert_same(*ran, rtol=0.03, atol=0.01)


@pytest.mark.skipif(not hasattr(facula, "sparse_coo_tensor"), reason="needs sparse tensors")
@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
@pytest.mark.parametrize(("name", "options"), [("SparseAdam", {}), ("SGD", {}), ("Adagrad", {})])
def test_sparse_gradients(torch, name, options):
    results = []
    for lib in (facula, torch):
        w = lib.nn.Parameter(lib.ones(5, 2))
        optimizer = getattr(lib.optim, name)([w], lr=0.1, **options)
        for i in range(6):
            rows = lib.tensor([[i % 5, 3, 3]])
            values = lib.tensor([[1.0, -2.0], [0.5, i - 2.0], [0.25, 1.0]])
            w.grad = lib.sparse_coo_tensor(rows, values, (5, 2))
            optimizer.step()
        results.append([w.detach().numpy()])
    assert_same(*results)


def test_sparse_adam_rejects_dense_gradients():
    w = facula.nn.Parameter(facula.ones(3))
    w.grad = facula.ones(3)
    with pytest.raises(RuntimeError, match="does not support dense gradients"):
        facula.optim.SparseAdam([w]).step()


def test_differentiable_step_keeps_the_graph(torch):
    results = []
    for lib in (facula, torch):
        lr = lib.tensor(0.1, requires_grad=True)
        w = lib.tensor([1.0, 2.0], requires_grad=True).clone()
        optimizer = lib.optim.SGD([w], lr=lr, differentiable=True)
        w.grad = lib.tensor([3.0, 4.0])
        optimizer.step()
        (w * w).sum().backward()
        results.append([lr.grad.numpy()])
    assert_same(*results)


@pytest.mark.skipif(not hasattr(facula, "view_as_real"), reason="needs complex views")
@pytest.mark.parametrize("name", ["SGD", "Adam", "RMSprop", "Adagrad"])
def test_complex_parameters_are_pairs_of_real_ones(torch, name):
    results = []
    for lib in (facula, torch):
        w = lib.nn.Parameter(lib.tensor([1 + 2j, -0.5j]))
        optimizer = getattr(lib.optim, name)([w], lr=0.1)
        for i in range(4):
            w.grad = lib.tensor([0.5 + i * 1j, 1.0 - 1j])
            optimizer.step()
        results.append([w.detach().numpy()])
    assert_same(*results)


# --- recorded from PyTorch 2.13 on the first two weights of start_values(), after 5 steps -------
RECORDED = {
    "ASGD": [-0.1353963017463684, -2.312138557434082],
    "Adadelta": [-0.1332518309354782, -2.3189449310302734],
    "Adafactor": [-0.13745459914207458, -2.297426462173462],
    "Adagrad": [-0.13681234419345856, -2.310483932495117],
    "Adam": [-0.13347266614437103, -2.322160482406616],
    "AdamW": [-0.1334659904241562, -2.3220436573028564],
    "Adamax": [-0.13461801409721375, -2.3200254440307617],
    "NAdam": [-0.13335168361663818, -2.3214004039764404],
    "RAdam": [-0.13313700258731842, -2.3231399059295654],
    "RMSprop": [-0.17917007207870483, -2.1792500019073486],
    "Rprop": [-0.1396048665046692, -2.2898306846618652],
    "SGD": [-0.13243407011032104, -2.323742628097534],
}


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_recorded_values(name):
    _, _, values = train(facula, maker(name, {}), steps=5)
    got = [values[0].reshape(-1)[1], values[1][0]]
    np.testing.assert_allclose(got, RECORDED[name], rtol=1e-6)


def test_a_schedule_does_not_change_the_number_of_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(
            facula,
            maker("SGD", {"momentum": 0.9}),
            prepare=lambda lib, o: lib.optim.lr_scheduler.LambdaLR(o, lambda e: float(e % 2)),
        )
