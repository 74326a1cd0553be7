"""Captured training gives the numbers of the same training uncaptured, bit for bit."""

import numpy as np
import pytest

import facula as torch
import facula.nn.functional as F
from facula import nn

STEPS = 50


def conv_net():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(36, 5),
    )  # fmt: skip


def plain_net():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, 5))


def batches(steps=STEPS, sizes=(6,)):
    generator = torch.Generator().manual_seed(7)
    for i in range(steps):
        n = sizes[i % len(sizes)]
        yield (
            torch.randn(n, 1, 8, 8, generator=generator),
            torch.randint(0, 5, (n,), generator=generator),
        )


def history(make, optimize, captured, schedule=None, order="first", none=True, sizes=(6,)):
    """Losses, final parameters, buffers, gradients, optimizer state and generator state."""
    torch.manual_seed(3)
    net = make()
    optimizer = optimize(net.parameters())
    scheduler = schedule(optimizer) if schedule else None

    def step(x, y):
        if order == "first":
            optimizer.zero_grad(set_to_none=none)
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        if order == "last":
            optimizer.zero_grad(set_to_none=none)
        return loss

    if captured:
        step = torch.capture(step)
    losses = []
    for x, y in batches(sizes=sizes):
        losses.append(step(x, y).item())
        if scheduler:
            scheduler.step()
    grads = [None if p.grad is None else p.grad.tolist() for p in net.parameters()]
    if captured:
        assert step._replays
    return (
        losses,
        {k: v.tolist() for k, v in net.state_dict().items()},
        grads,
        {
            i: {k: v.tolist() if isinstance(v, torch.Tensor) else v for k, v in s.items()}
            for i, s in optimizer.state_dict()["state"].items()
        },
        torch.get_rng_state().tolist(),
    )


def same(make, optimize, **settings):
    assert history(make, optimize, True, **settings) == history(make, optimize, False, **settings)


both = pytest.mark.parametrize("engine", ["reference", "native"], indirect=True)


def sgd(params):
    return torch.optim.SGD(params, lr=0.05, momentum=0.9)


OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": sgd,
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "dampening": lambda p: torch.optim.SGD(
        p, lr=0.05, momentum=0.9, dampening=0.2, weight_decay=0.01
    ),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "amsgrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.01),
    "nadam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "radam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "adamax": lambda p: torch.optim.Adamax(p),
    "asgd": lambda p: torch.optim.ASGD(p, t0=10),
    "rprop": lambda p: torch.optim.Rprop(p),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers(name):
    same(plain_net, OPTIMIZERS[name])


@pytest.mark.parametrize("order", ["first", "last"])
@pytest.mark.parametrize("none", [True, False])
@both
def test_batch_norm_and_dropout_with_either_order_of_zero_grad(order, none):
    same(conv_net, sgd, order=order, none=none)


@both
def test_learning_rate_schedules():
    def schedule(optimizer):
        return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=STEPS + 1)

    same(plain_net, sgd, schedule=schedule)
    same(plain_net, lambda p: torch.optim.AdamW(p, lr=0.01), schedule=schedule)


def test_groups_with_options_of_their_own():
    def optimize(params):
        params = list(params)
        groups = [{"params": params[:2]}, {"params": params[2:], "lr": 0.2, "momentum": 0.5}]
        return torch.optim.SGD(groups, lr=0.01, momentum=0.9)

    same(plain_net, optimize)


def test_changing_batch_sizes():
    same(conv_net, sgd, sizes=(6, 6, 4))


def test_losses_are_those_of_pytorch():
    theirs = pytest.importorskip("torch")
    torch.manual_seed(3)
    net = plain_net()
    other = theirs.nn.Sequential(
        theirs.nn.Flatten(), theirs.nn.Linear(64, 16), theirs.nn.Tanh(), theirs.nn.Linear(16, 5)
    )
    other.load_state_dict(
        {k: theirs.tensor(np.array(v.tolist(), np.float32)) for k, v in net.state_dict().items()}
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    their_optimizer = theirs.optim.Adam(other.parameters(), lr=0.01)

    @torch.capture
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    for x, y in batches(20):
        their_optimizer.zero_grad()
        a, b = theirs.tensor(x.numpy()), theirs.tensor(y.numpy())
        loss = theirs.nn.functional.cross_entropy(other(a), b)
        loss.backward()
        their_optimizer.step()
        assert step(x, y).item() == pytest.approx(loss.item(), rel=1e-4)


@both
def test_train_and_eval_of_one_network():
    def run(captured):
        torch.manual_seed(0)
        net = conv_net()
        optimizer = sgd(net.parameters())

        def train(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        def evaluate(x):
            with torch.no_grad():
                return net(x).argmax(1)

        if captured:
            train, evaluate = torch.capture(train), torch.capture(evaluate)
        seen = []
        for i, (x, y) in enumerate(batches()):
            net.train()
            seen.append(train(x, y).item())
            if i % 3 == 0:
                net.eval()
                seen.append(evaluate(x).tolist())
            if i % 7 == 0:  # the same function in the other mode
                seen.append(train(x, y).item())
        return seen

    assert run(True) == run(False)


@both
def test_gradients_accumulate_over_calls():
    def run(captured):
        torch.manual_seed(0)
        net = plain_net()
        optimizer = sgd(net.parameters())

        def backward(x, y):
            loss = F.cross_entropy(net(x), y) / 2
            loss.backward()
            return loss

        if captured:
            backward = torch.capture(backward)
        seen = []
        for i, (x, y) in enumerate(batches()):
            seen.append(backward(x, y).item())
            if i % 2:
                seen.append([p.grad.tolist() for p in net.parameters()])
                optimizer.step()
                optimizer.zero_grad()
        return seen

    assert run(True) == run(False)


def test_clipping_and_autocast_inside():
    def run(captured):
        torch.manual_seed(0)
        net = plain_net()
        optimizer = sgd(net.parameters())

        def step(x, y):
            optimizer.zero_grad()
            with torch.autocast("cpu"):
                loss = F.cross_entropy(net(x), y)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            return {"loss": loss, "norm": norm, "what": ("step", 3)}

        if captured:
            step = torch.capture(step)
        seen = []
        for x, y in batches():
            out = step(x, y)
            seen.append((out["loss"].item(), out["norm"].item(), out["what"]))
        return seen

    assert run(True) == run(False)


def test_an_optimizer_of_ones_own():
    class Halving(torch.optim.Optimizer):
        def __init__(self, params, rate):
            super().__init__(params, {"rate": rate})

        @torch.no_grad()
        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    p.add_(p.grad, alpha=-group["rate"])

    def run(captured):
        torch.manual_seed(0)
        net = plain_net()
        optimizer = Halving(net.parameters(), 0.1)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x), y)
            loss.backward()
            optimizer.step()
            return loss

        if captured:
            step = torch.capture(step)
        seen = []
        for i, (x, y) in enumerate(batches(30)):
            optimizer.param_groups[0]["rate"] = 0.1 if i < 15 else 0.01
            seen.append(step(x, y).item())
        return seen

    assert run(True) == run(False)
