"""A schedule never makes a new program: lr may pass 0, 1 and other hyper-parameters' values."""

from __future__ import annotations

import pytest

import facula as torch
from facula.runtime import plans

S = torch.optim.lr_scheduler
SCHEDULES = {
    "LambdaLR": lambda o: S.LambdaLR(o, lambda i: [0.0, 1.0, 9.0, 0.3][i % 4]),
    "MultiplicativeLR": lambda o: S.MultiplicativeLR(o, lambda i: [0.5, 2.0][i % 2]),
    "StepLR": lambda o: S.StepLR(o, 10, 0.9),
    "MultiStepLR": lambda o: S.MultiStepLR(o, [10, 20, 500], 0.1),
    "ConstantLR": lambda o: S.ConstantLR(o, 0.5, 20),
    "LinearLR": lambda o: S.LinearLR(o, 0.1, 1.0, 50),
    "ExponentialLR": lambda o: S.ExponentialLR(o, 0.99),
    "PolynomialLR": lambda o: S.PolynomialLR(o, 900, 2.0),
    "CosineAnnealingLR": lambda o: S.CosineAnnealingLR(o, 100, 0.0),
    "CosineAnnealingWarmRestarts": lambda o: S.CosineAnnealingWarmRestarts(o, 50),
    "CyclicLR": lambda o: S.CyclicLR(o, 0.0, 1.0, 20, cycle_momentum=False),
    "OneCycleLR": lambda o: S.OneCycleLR(o, 1.0, 1100),
    "SequentialLR": lambda o: S.SequentialLR(
        o, [S.LinearLR(o, 0.1, 1.0, 20), S.ExponentialLR(o, 0.99)], [20]
    ),
    "ChainedScheduler": lambda o: S.ChainedScheduler(
        [S.ExponentialLR(o, 0.99), S.ConstantLR(o, 0.1, 5)]
    ),
}


def train(schedule, optimizer, w, x, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        loss = ((x @ w) ** 2).mean()
        loss.backward()
        optimizer.step()
        loss.item()
        schedule.step()


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_thousand_steps_are_one_program(name):
    torch.manual_seed(0)
    w = torch.nn.Parameter(torch.randn(3, 1) * 1e-3)
    x = torch.randn(5, 3) * 1e-3
    optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9, weight_decay=0.3)
    schedule = SCHEDULES[name](optimizer)
    train(schedule, optimizer, w, x, 3)
    before = plans.count()
    train(schedule, optimizer, w, x, 1000)
    assert plans.count() == before


@pytest.mark.parametrize(
    "cls", ["Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adamax", "NAdam"]
)
def test_adaptive_optimizers_under_a_schedule(cls):
    w = torch.nn.Parameter(torch.ones(3, 1))
    x = torch.ones(5, 3) * 1e-3
    optimizer = getattr(torch.optim, cls)([w], lr=0.1)
    schedule = S.LambdaLR(optimizer, lambda i: [0.0, 10.0, 9.0, 9.99, 0.01][i % 5])
    train(schedule, optimizer, w, x, 4)
    before = plans.count()
    train(schedule, optimizer, w, x, 300)
    assert plans.count() == before


def test_reduce_on_plateau():
    w = torch.nn.Parameter(torch.ones(3, 1))
    x = torch.ones(5, 3)
    optimizer = torch.optim.SGD([w], lr=0.01)
    schedule = S.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    counts = []
    for _ in range(200):
        optimizer.zero_grad()
        loss = ((x @ w) ** 2).mean()
        loss.backward()
        optimizer.step()
        schedule.step(1.0)
        counts.append(plans.count())
    assert counts[-1] == counts[3]
    assert optimizer.param_groups[0]["lr"] < 0.01
