"""Layers in a row: LeNet, multilayer perceptrons, logistic regression.

Each is written as a user would write it. Beside it stands a description by layers, from which
peers that speak another language build the same network with the same weights.
"""

from __future__ import annotations

from itertools import pairwise

from rows import Row

from families.training import classified, training

LENET = [
    ("conv", 5), ("relu",), ("pool", 2), ("conv", 5), ("relu",), ("pool", 2), ("flatten",),
    ("linear",), ("relu",), ("linear",), ("relu",), ("linear",),
]  # fmt: skip


def lenet(t):
    """The network of the CIFAR-10 tutorial."""
    nn, F = t.nn, t.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 6, 5)
            self.pool = nn.MaxPool2d(2, 2)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = x.view(-1, 16 * 5 * 5)
            x = F.relu(self.fc1(x))
            x = F.relu(self.fc2(x))
            return self.fc3(x)

    return Net()


def _lenet_row(batch: int, **goals) -> Row:
    def build(kit):
        t = kit.t
        net = lenet(t)
        optimizer = t.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
        batches = classified(t, 8, (batch, 3, 32, 32))
        return training(kit, net, t.nn.CrossEntropyLoss(), optimizer, batches)

    update = {"optimizer": "sgd", "lr": 0.001, "momentum": 0.9}
    return Row(
        f"lenet-{batch}",
        f"LeNet, CIFAR-10, batch {batch}, SGD with momentum",
        "small networks",
        build,
        capture=True,
        compiled=batch in (4, 512),
        peer=("chain", {"layers": LENET, "loss": "cross entropy", **update}),
        **goals,
    )


def _mlp(t, widths: tuple[int, ...], last: tuple = ()):
    layers = []
    for i, (a, b) in enumerate(pairwise(widths)):
        layers += [t.nn.ReLU()] if i else []
        layers.append(t.nn.Linear(a, b))
    return t.nn.Sequential(*layers, *last)


def _mlp_row(name: str, title: str, widths: tuple[int, ...], batch: int, **options) -> Row:
    def build(kit):
        t = kit.t
        net = _mlp(t, widths)
        optimizer = t.optim.SGD(net.parameters(), lr=0.01)
        batches = classified(t, 4, (batch, widths[0]), widths[-1])
        return training(kit, net, t.nn.CrossEntropyLoss(), optimizer, batches)

    layers = [("linear",), ("relu",)] * (len(widths) - 2) + [("linear",)]
    peer = {"layers": layers, "loss": "cross entropy", "optimizer": "sgd", "lr": 0.01}
    return Row(name, title, "small networks", build, capture=True, peer=("chain", peer), **options)


def _build_nielsen(kit):
    t = kit.t
    nn = t.nn
    net = nn.Sequential(nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid())
    optimizer = t.optim.SGD(net.parameters(), lr=3.0)
    wanted = t.eye(10)
    batches = [(t.rand(10, 784), wanted[t.randint(0, 10, (10,))]) for _ in range(8)]

    def quadratic(outputs, targets):
        return ((outputs - targets) ** 2).sum(1).mean() / 2

    return training(kit, net, quadratic, optimizer, batches)


def _build_logistic(kit):
    t = kit.t
    net = t.nn.Sequential(t.nn.Linear(2, 1), t.nn.Sigmoid())
    optimizer = t.optim.SGD(net.parameters(), lr=0.1)
    points = t.randn(100, 2)
    labels = (points.sum(1, keepdim=True) > 0).float()
    return training(kit, net, t.nn.BCELoss(), optimizer, [(points, labels)])


ROWS = [
    _lenet_row(4, goal=5.0, capture_goal=9.0),
    _lenet_row(1),
    _lenet_row(64),
    _lenet_row(512, goal=3.0),
    _mlp_row(
        "mlp-784", "MLP 784-100-10, batch 10, SGD", (784, 100, 10), 10,
        goal=6.0, capture_goal=10.0, compiled=True,
    ),
    Row(
        "nielsen", "784-30-10, sigmoids, quadratic loss, batch 10, SGD", "small networks",
        _build_nielsen, goal=4.0, capture_goal=10.0, capture=True,
        peer=("chain", {
            "layers": [("linear",), ("sigmoid",), ("linear",), ("sigmoid",)],
            "loss": "quadratic", "optimizer": "sgd", "lr": 3.0,
        }),
    ),
    Row(
        "logistic", "logistic regression, 100 points, full batch, SGD", "small networks",
        _build_logistic, goal=3.0, capture_goal=10.0, capture=True,
        peer=("chain", {
            "layers": [("linear",), ("sigmoid",)],
            "loss": "binary", "optimizer": "sgd", "lr": 0.1,
        }),
    ),
    *[
        _mlp_row(f"mlp-{w}", f"MLP {w}-{w}-{w}-{w}, batch 64, SGD", (w, w, w, w), 64)
        for w in (30, 128, 512, 1024, 2048, 4096)
    ],
]  # fmt: skip
