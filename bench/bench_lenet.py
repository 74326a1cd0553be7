"""LeNet on CIFAR-10 shapes, batch 4, SGD with momentum: one step, and the Python in it.

"Python" is the step without the engine's time: recording forward, backward and optimizer, finding
the plan, and reading the loss. The goal is 0.15 ms.
"""

from __future__ import annotations

import time

from common import interleaved, machine, optional, report

import facula
from facula.runtime import plans


def make(t):
    """(step function, loss of the last step) of a LeNet of library ``t``."""
    nn, F = t.nn, t.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
            self.pool = nn.MaxPool2d(2, 2)
            self.fc1, self.fc2, self.fc3 = (
                nn.Linear(400, 120),
                nn.Linear(120, 84),
                nn.Linear(84, 10),
            )

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = x.view(-1, 400)
            x = F.relu(self.fc1(x))
            x = F.relu(self.fc2(x))
            return self.fc3(x)

    t.manual_seed(0)
    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = t.optim.SGD(net.parameters(), lr=0.001, momentum=0.9)
    images, labels = t.randn(4, 3, 32, 32), t.randint(0, 10, (4,))

    def step():
        optimizer.zero_grad()
        loss = criterion(net(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


class EngineTime:
    """Adds up the time spent in executables."""

    def __init__(self):
        self.total = 0.0
        self._methods = plans.Plan.run, plans.Plan.run_over

    def _timed(self, method):
        def run(*args):
            start = time.perf_counter()
            try:
                return method(*args)
            finally:
                self.total += time.perf_counter() - start

        return run

    def __enter__(self):
        plans.Plan.run, plans.Plan.run_over = map(self._timed, self._methods)
        return self

    def __exit__(self, *exc):
        plans.Plan.run, plans.Plan.run_over = self._methods


def python_cost(step, times: int = 200, rounds: int = 7) -> float:
    """Median seconds of Python in one step."""
    found = []
    for _ in range(rounds):
        with EngineTime() as engine:
            start = time.perf_counter()
            for _ in range(times):
                step()
            found.append((time.perf_counter() - start - engine.total) / times)
    return sorted(found)[rounds // 2]


def main() -> None:
    print(f"LeNet, batch 4, one training step ({machine()})")
    torch = optional("torch")
    ours = make(facula)
    functions = {"facula": ours}
    if torch:
        functions["torch"] = make(torch)
        for i in range(5):
            a, b = ours(), functions["torch"]()
            assert abs(a - b) < 1e-4, f"losses differ at step {i}: {a} and {b}"
    for _ in range(20):
        ours()
    programs = plans.count()
    found = interleaved(functions, 40)
    python = python_cost(ours)
    assert plans.count() == programs, "a repeated step made a new program"
    report(
        [
            (
                "step",
                found["facula"] * 1e3,
                found.get("torch", 0) * 1e3 or None,
                "ms",
            ),
            ("Python in a step", python * 1e3, None, "ms"),
        ]
    )


if __name__ == "__main__":
    main()
