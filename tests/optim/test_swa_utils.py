"""Weight averaging against PyTorch's: averages, schedules and batch-norm statistics."""

from __future__ import annotations

import numpy as np
import pytest

import facula


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def make_model(lib, seed=0):
    rng = np.random.default_rng(seed)
    model = lib.nn.Sequential(lib.nn.Linear(3, 2), lib.nn.BatchNorm1d(2))
    set_weights(lib, model, rng)
    return model


def set_weights(lib, model, rng):
    with lib.no_grad():
        for p in model.parameters():
            p.copy_(lib.tensor(rng.standard_normal(tuple(p.shape)).astype("f4").tolist()))


KINDS = {
    "swa": lambda u: {},
    "ema": lambda u: {"multi_avg_fn": u.get_ema_multi_avg_fn(0.9)},
    "ema-single": lambda u: {"avg_fn": u.get_ema_avg_fn(0.9)},
    "swa-single": lambda u: {"avg_fn": u.get_swa_avg_fn()},
    "swa-buffers": lambda u: {"use_buffers": True},
    "user": lambda u: {"avg_fn": lambda a, b, n: 0.3 * a + 0.7 * b},
}


@pytest.mark.parametrize("kind", KINDS)
def test_averages_agree_with_torch(torch, kind):
    results = []
    for lib in (facula, torch):
        model = make_model(lib)
        average = lib.optim.swa_utils.AveragedModel(model, **KINDS[kind](lib.optim.swa_utils))
        rng = np.random.default_rng(3)
        for i in range(5):
            set_weights(lib, model, rng)
            model(lib.ones(4, 3) * float(i))
            average.update_parameters(model)
        results.append({k: np.asarray(v.tolist()) for k, v in average.state_dict().items()})
    ours, theirs = results
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=1e-5, atol=1e-6)


def test_the_average_of_two_models():
    model = facula.nn.Linear(1, 1)
    average = facula.optim.swa_utils.AveragedModel(model)
    for value in (1.0, 3.0, 8.0):
        facula.nn.init.constant_(model.weight, value)
        average.update_parameters(model)
    assert average.module.weight.item() == pytest.approx(4.0)
    assert int(average.n_averaged) == 3


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 5])
def test_swalr(torch, strategy, epochs):
    results = []
    for lib in (facula, torch):
        o = lib.optim.SGD([lib.nn.Parameter(lib.zeros(1))], lr=0.3)
        s = lib.optim.swa_utils.SWALR(o, 0.05, epochs, strategy)
        seen = []
        for _ in range(8):
            o.step()
            s.step()
            seen.append(s.get_last_lr())
        results.append((seen, s.state_dict()))
    assert results[0] == results[1]


def test_update_bn(torch):
    results = []
    for lib in (facula, torch):
        model = make_model(lib)
        rng = np.random.default_rng(5)
        batches = [lib.tensor(rng.standard_normal((6, 3)).astype("f4").tolist()) for _ in range(4)]
        lib.optim.swa_utils.update_bn([(b, None) for b in batches], model.eval())
        assert not model.training and model[1].momentum == 0.1
        results.append([np.asarray(b.tolist()) for b in model[1].buffers()])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_errors():
    utils = facula.optim.swa_utils
    with pytest.raises(ValueError, match="Invalid decay value"):
        utils.get_ema_avg_fn(1.5)
    o = facula.optim.SGD([facula.nn.Parameter(facula.zeros(1))], lr=0.3)
    with pytest.raises(ValueError, match="anneal_strategy"):
        utils.SWALR(o, 0.1, anneal_strategy="exp")
    with pytest.raises(ValueError, match="anneal_epochs"):
        utils.SWALR(o, 0.1, anneal_epochs=-1)
