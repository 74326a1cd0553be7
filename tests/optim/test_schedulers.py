"""Schedulers against PyTorch's to the last bit: values, state dicts, warnings, errors."""

from __future__ import annotations

import math
import warnings

import pytest

import facula


class Halving:
    """A callable object, whose attributes belong to the scheduler's state."""

    def __init__(self, base=0.5):
        self.base = base

    def __call__(self, epoch):
        return self.base**epoch


CASES = {
    "lambda": lambda s, o: s.LambdaLR(o, lambda e: 0.95**e),
    "lambda-list": lambda s, o: s.LambdaLR(o, [lambda e: 0.95**e, Halving()]),
    "multiplicative": lambda s, o: s.MultiplicativeLR(o, lambda e: 0.9 if e % 3 else 1.1),
    "step": lambda s, o: s.StepLR(o, 7, gamma=0.3),
    "multistep": lambda s, o: s.MultiStepLR(o, [3, 9, 9, 20], gamma=0.3),
    "constant": lambda s, o: s.ConstantLR(o, factor=0.3, total_iters=6),
    "constant-one": lambda s, o: s.ConstantLR(o, total_iters=1),
    "linear": lambda s, o: s.LinearLR(o, 0.1, 0.9, total_iters=11),
    "exponential": lambda s, o: s.ExponentialLR(o, 0.93),
    "polynomial": lambda s, o: s.PolynomialLR(o, 17, power=1.7),
    "cosine": lambda s, o: s.CosineAnnealingLR(o, 9, eta_min=0.003),
    "warm-restarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 4, 2, eta_min=0.001),
    "warm-restarts-even": lambda s, o: s.CosineAnnealingWarmRestarts(o, 6),
    "cyclic": lambda s, o: s.CyclicLR(o, 0.01, 0.3, step_size_up=5),
    "cyclic-two": lambda s, o: s.CyclicLR(
        o, [0.01, 0.02], [0.3, 0.4], step_size_up=4, step_size_down=3, mode="triangular2"
    ),
    "cyclic-range": lambda s, o: s.CyclicLR(o, 0.01, 0.3, 5, mode="exp_range", gamma=0.97),
    "cyclic-custom": lambda s, o: s.CyclicLR(
        o, 0.01, 0.3, 5, scale_fn=lambda x: 0.9**x, scale_mode="iterations", cycle_momentum=False
    ),
    "onecycle": lambda s, o: s.OneCycleLR(o, 0.5, total_steps=60),
    "onecycle-linear": lambda s, o: s.OneCycleLR(
        o, [0.5, 0.7], epochs=6, steps_per_epoch=10, anneal_strategy="linear", pct_start=0.4
    ),
    "onecycle-three": lambda s, o: s.OneCycleLR(
        o, 0.5, total_steps=60, three_phase=True, cycle_momentum=False
    ),
    "sequential": lambda s, o: s.SequentialLR(
        o,
        [s.ConstantLR(o, 0.1, 4), s.LinearLR(o, total_iters=6), s.ExponentialLR(o, 0.9)],
        [5, 14],
    ),
    "sequential-cosine": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.01, total_iters=5), s.CosineAnnealingLR(o, 30)], [5]
    ),
    "chained": lambda s, o: s.ChainedScheduler(
        [s.ConstantLR(o, 0.1, 4), s.ExponentialLR(o, 0.9), s.StepLR(o, 5)]
    ),
}


def make_optimizer(lib, name="SGD"):
    groups = [
        {"params": [lib.nn.Parameter(lib.zeros(2))]},
        {"params": [lib.nn.Parameter(lib.zeros(1))], "lr": 0.07},
    ]
    options = {"momentum": 0.9} if name == "SGD" else {}
    return getattr(lib.optim, name)(groups, lr=0.2, **options)


def group_state(optimizer):
    return [{k: v for k, v in g.items() if k != "params"} for g in optimizer.param_groups]


def run(lib, case, optimizer="SGD", steps=50):
    o = make_optimizer(lib, optimizer)
    scheduler = CASES[case](lib.optim.lr_scheduler, o)
    seen = [(scheduler.get_last_lr(), group_state(o))]
    for _ in range(steps):
        o.step()
        scheduler.step()
        seen.append((scheduler.get_last_lr(), group_state(o)))
    return scheduler, seen


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def comparable(state):
    """Torch's state dict may hold functions of its own."""
    return {
        k: [comparable(part) for part in v] if k == "_schedulers" else v
        for k, v in state.items()
        if not callable(v)
    }


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("case", CASES)
def test_values_equal_torch(torch, case, optimizer):
    ours, seen = run(facula, case, optimizer)
    theirs, expected = run(torch, case, optimizer)
    assert seen == expected
    assert comparable(ours.state_dict()) == comparable(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("case", CASES)
def test_state_dict_resumes(case):
    first, expected = run(facula, case, steps=40)
    half, _ = run(facula, case, steps=20)
    o = make_optimizer(facula)
    resumed = CASES[case](facula.optim.lr_scheduler, o)
    resumed.load_state_dict(half.state_dict())
    o.load_state_dict(half.optimizer.state_dict())
    for _ in range(20):
        o.step()
        resumed.step()
    assert (resumed.get_last_lr(), group_state(o)) == expected[-1]
    assert comparable(resumed.state_dict()) == comparable(first.state_dict())


@pytest.mark.parametrize(
    "case", ["step", "multistep", "constant", "linear", "exponential", "polynomial", "cosine"]
)
def test_jump_to_an_epoch_uses_the_closed_form(torch, case):
    results = []
    for lib in (facula, torch):
        o = make_optimizer(lib)
        scheduler = CASES[case](lib.optim.lr_scheduler, o)
        o.step()
        with pytest.warns(UserWarning, match="epoch parameter"):
            scheduler.step(5)
        results.append(scheduler.get_last_lr())
    assert results[0] == results[1]


def test_warm_restarts_take_fractions(torch):
    results = []
    for lib in (facula, torch):
        o = make_optimizer(lib)
        for mult in (1, 3):
            s = lib.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 3, mult)
            for epoch in (0.0, 0.5, 2.9, 3.0, 7.25, 30.5):
                s.step(epoch)
                results.append((lib.__name__, s.get_last_lr(), s.T_cur, s.T_i, s.last_epoch))
    half = len(results) // 2
    assert [r[1:] for r in results[:half]] == [r[1:] for r in results[half:]]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau(torch, mode, threshold_mode):
    results = []
    for lib in (facula, torch):
        o = make_optimizer(lib)
        s = lib.optim.lr_scheduler.ReduceLROnPlateau(
            o, mode, 0.5, 2, 1e-2, threshold_mode, cooldown=2, min_lr=[0.01, 0.02], eps=1e-3
        )
        seen = []
        for i in range(60):
            s.step(lib.tensor(math.sin(i / 5) + 0.05 * i).item())
            seen.append((s.get_last_lr(), s.best, s.num_bad_epochs, s.in_cooldown))
        results.append((seen, s.state_dict()))
    assert results[0] == results[1]


def test_plateau_accepts_tensors_and_grown_groups():
    o = make_optimizer(facula)
    s = facula.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0)
    o.add_param_group({"params": [facula.nn.Parameter(facula.ones(1))]})
    s.step(facula.tensor(1.0))
    s.step(facula.tensor(2.0))
    assert s.get_last_lr() == [0.2 * 0.1, 0.07 * 0.1, 0.2 * 0.1]


def test_tensor_lr_keeps_its_tensor(torch):
    results = []
    for lib in (facula, torch):
        lr = lib.tensor(0.2)
        o = lib.optim.SGD([lib.nn.Parameter(lib.zeros(1))], lr=lr)
        s = lib.optim.lr_scheduler.ExponentialLR(o, 0.5)
        o.step()
        s.step()
        assert o.param_groups[0]["lr"] is lr
        results.append((lr.item(), s.get_last_lr()[0].item(), s.base_lrs[0].item()))
    assert results[0] == results[1]


def test_warnings():
    s = facula.optim.lr_scheduler
    o = make_optimizer(facula)
    scheduler = s.StepLR(o, 1)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        scheduler.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        o = make_optimizer(facula)
        scheduler = s.StepLR(o, 1)
        o.step()
        scheduler.step()
        scheduler.step()
    o = make_optimizer(facula)
    scheduler = s.StepLR(o, 1)
    o.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden"):
        scheduler.step()


def test_a_step_replaced_before_the_scheduler_is_watched():
    o = make_optimizer(facula)
    calls = []
    original = o.step
    o.step = lambda *args: (calls.append(1), original(*args))
    scheduler = facula.optim.lr_scheduler.StepLR(o, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        o.step()
        scheduler.step()
    assert calls == [1]


def test_last_epoch_resumes(torch):
    results = []
    for lib in (facula, torch):
        o = make_optimizer(lib)
        with pytest.raises(KeyError, match="initial_lr"):
            lib.optim.lr_scheduler.StepLR(o, 3, last_epoch=4)
        for group in o.param_groups:
            group["initial_lr"] = 0.5
        seen = []
        for cls, args in (("StepLR", (3,)), ("CosineAnnealingLR", (10,)), ("LinearLR", ())):
            s = getattr(lib.optim.lr_scheduler, cls)(o, *args, last_epoch=4)
            o.step()
            s.step()
            seen.append(s.get_last_lr())
        results.append(seen)
    assert results[0] == results[1]


BAD = [
    (lambda s, o: s.StepLR(3, 1), TypeError),
    (lambda s, o: s.LambdaLR(o, [lambda e: 1.0]), ValueError),
    (lambda s, o: s.MultiplicativeLR(o, [1.0, 2.0]), TypeError),
    (lambda s, o: s.ConstantLR(o, factor=2.0), ValueError),
    (lambda s, o: s.LinearLR(o, start_factor=0), ValueError),
    (lambda s, o: s.LinearLR(o, end_factor=1.5), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 0), ValueError),
    (lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 1.5), ValueError),
    (lambda s, o: s.CyclicLR(o, 0.1, 1.0, mode="square"), ValueError),
    (lambda s, o: s.CyclicLR(o, [0.1], 1.0), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=-1), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, epochs=1.5, steps_per_epoch=2), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=10, pct_start=2), ValueError),
    (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=10, anneal_strategy="exp"), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, factor=1.0), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, mode="middle"), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, min_lr=[0.1]), ValueError),
    (lambda s, o: s.ReduceLROnPlateau(o, verbose=True), TypeError),
    (lambda s, o: s.SequentialLR(o, [], []), ValueError),
    (lambda s, o: s.SequentialLR(o, [s.StepLR(o, 1)], [1]), ValueError),
    (lambda s, o: s.ChainedScheduler([s.ReduceLROnPlateau(o)]), ValueError),
    (lambda s, o: s.ChainedScheduler([]), ValueError),
    (lambda s, o: s.LRScheduler(o), NotImplementedError),
]


@pytest.mark.parametrize("i", range(len(BAD)))
def test_errors(i):
    make, error = BAD[i]
    with pytest.raises(error):
        make(facula.optim.lr_scheduler, make_optimizer(facula))


@pytest.mark.parametrize("i", range(len(BAD)))
def test_errors_are_those_of_torch(torch, i):
    make, error = BAD[i]
    with pytest.raises(error):
        make(torch.optim.lr_scheduler, make_optimizer(torch))


def test_user_scheduler():
    class Falling(facula.optim.lr_scheduler._LRScheduler):
        def get_lr(self):
            return [base / (1 + self.last_epoch) for base in self.base_lrs]

    o = make_optimizer(facula)
    s = Falling(o)
    o.step()
    s.step()
    assert s.get_last_lr() == [0.1, 0.035]


# recorded from PyTorch 2.13: the first group's learning rate after these numbers of steps
RECORDED = {
    "lambda": {1: 0.19, 6: 0.14701837812499996, 23: 0.06147137354500472, 50: 0.01538899505534263},
    "lambda-list": {
        1: 0.19,
        6: 0.14701837812499996,
        23: 0.06147137354500472,
        50: 0.01538899505534263,
    },
    "multiplicative": {
        1: 0.18000000000000002,
        6: 0.15877620000000006,
        23: 0.07222024257321634,
        50: 0.025559848724656282,
    },
    "step": {1: 0.2, 6: 0.2, 23: 0.005399999999999999, 50: 4.373999999999999e-05},
    "multistep": {1: 0.2, 6: 0.06, 23: 0.0016199999999999997, 50: 0.0016199999999999997},
    "constant": {1: 0.06, 6: 0.2, 23: 0.2, 50: 0.2},
    "constant-one": {1: 0.2, 6: 0.2, 23: 0.2, 50: 0.2},
    "linear": {
        1: 0.03454545454545455,
        6: 0.1072727272727273,
        23: 0.18000000000000002,
        50: 0.18000000000000002,
    },
    "exponential": {
        1: 0.18600000000000003,
        6: 0.12939803668980004,
        23: 0.03768233554052431,
        50: 0.005311013720274578,
    },
    "polynomial": {1: 0.18041423445197077, 6: 0.09541889745897005, 23: 0.0, 50: 0.0},
    "cosine": {
        1: 0.194059723147412,
        6: 0.05225000000000003,
        23: 0.0843956544998074,
        50: 0.11860434550019336,
    },
    "warm-restarts": {
        1: 0.17085712472806147,
        6: 0.17085712472806147,
        23: 0.045220761814549607,
        50: 0.045220761814549607,
    },
    "warm-restarts-even": {
        1: 0.1866025403784439,
        6: 0.2,
        23: 0.01339745962155613,
        50: 0.15000000000000002,
    },
    "cyclic": {1: 0.06800000000000005, 6: 0.24199999999999994, 23: 0.18399999999999989, 50: 0.01},
    "cyclic-two": {
        1: 0.08249999999999996,
        6: 0.1066666666666666,
        23: 0.02812499999999999,
        50: 0.010566406249999999,
    },
    "cyclic-range": {
        1: 0.06626000000000004,
        6: 0.2032495051435279,
        23: 0.09635731609550495,
        50: 0.01,
    },
    "cyclic-custom": {
        1: 0.06220000000000004,
        6: 0.13329431199999997,
        23: 0.025421512328195353,
        50: 0.01,
    },
    "onecycle": {
        1: 0.02408645607586357,
        6: 0.15302279461363077,
        23: 0.47524231600673683,
        50: 0.05454391121447502,
    },
    "onecycle-linear": {1: 0.0408695652173913, 6: 0.1452173913043478, 23: 0.5, 50: 0.1250015},
    "onecycle-three": {
        1: 0.02408645607586357,
        6: 0.15302279461363077,
        23: 0.36697720538636924,
        50: 0.00574363286364084,
    },
    "sequential": {
        1: 0.020000000000000004,
        6: 0.08888888888888889,
        23: 0.07748409780000004,
        50: 0.004505679908987841,
    },
    "sequential-cosine": {
        1: 0.0416,
        6: 0.19945218953682733,
        23: 0.06909830056250527,
        50: 0.10000000000000198,
    },
    "chained": {
        1: 0.018000000000000006,
        6: 0.010628820000000006,
        23: 1.7725876239305024e-06,
        50: 1.0307550414640249e-13,
    },
}


@pytest.mark.parametrize("case", sorted(RECORDED))
def test_recorded_values(case):
    _, seen = run(facula, case, steps=max(RECORDED[case]))
    assert {n: seen[n][0][0] for n in RECORDED[case]} == RECORDED[case]
