"""Two honest worst cases: a program that never repeats, and shapes that change every step."""

from __future__ import annotations

import itertools
import random

from rows import Row

WORDS, WIDTH = 50, 32


def _tree(draw: random.Random, leaves: int):
    """A random binary tree whose leaves are word numbers."""
    if leaves == 1:
        return draw.randrange(WORDS)
    left = draw.randrange(1, leaves)
    return _tree(draw, left), _tree(draw, leaves - left)


def _build_tree(kit):
    t = kit.t
    nn = t.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(WORDS, WIDTH)
            self.combine = nn.Linear(2 * WIDTH, WIDTH)
            self.head = nn.Linear(WIDTH, 5)

        def meaning(self, tree):
            if isinstance(tree, int):
                return self.words(t.tensor([tree]))
            left, right = self.meaning(tree[0]), self.meaning(tree[1])
            return t.tanh(self.combine(t.cat([left, right], 1)))

        def forward(self, tree):
            return self.head(self.meaning(tree))

    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = t.optim.SGD(net.parameters(), lr=0.05)
    seeds = itertools.count()

    def step():
        draw = random.Random(next(seeds))
        tree, label = _tree(draw, draw.randrange(12, 25)), draw.randrange(5)
        optimizer.zero_grad()
        loss = criterion(net(tree), t.tensor([label]))
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def _build_shapes(kit):
    t = kit.t
    nn = t.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(1000, WIDTH)
            self.conv = nn.Conv1d(WIDTH, 64, 3, padding=1)
            self.head = nn.Linear(64, 2)

        def forward(self, x):
            x = self.words(x).transpose(1, 2)
            return self.head(t.relu(self.conv(x)).amax(2))

    net = Net()
    criterion = nn.CrossEntropyLoss()
    optimizer = t.optim.SGD(net.parameters(), lr=0.05)
    steps = itertools.count()

    def step():
        length = 10 + next(steps) * 37 % 997  # a new one each time, for 997 steps
        texts, labels = t.randint(0, 1000, (8, length)), t.randint(0, 2, (8,))
        optimizer.zero_grad()
        loss = criterion(net(texts), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


ROWS = [
    Row(
        "tree", "tree-shaped network (12 to 24 leaves), another tree every step", "worst cases",
        _build_tree, goal=0.5, steps=10, flops=0, checks=5,
    ),
    Row(
        "shapes", "text classifier, another length every step (10 to 1006), batch 8",
        "worst cases", _build_shapes, steps=10, flops=0, checks=5,
    ),
]  # fmt: skip
