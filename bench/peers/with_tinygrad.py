"""The rows in tinygrad: a TinyJit of the whole step, in PyTorch's layouts. It needs clang."""

from __future__ import annotations

import numpy as np
from tinygrad import Context, Tensor, TinyJit
from tinygrad.nn.optim import SGD

from peers.layouts import feed

LOSSES = {
    "cross entropy": lambda out, y: out.sparse_categorical_crossentropy(y),
    "quadratic": lambda out, y: ((out - y) ** 2).sum(1).mean() / 2,
    "binary": lambda out, y: -(y * out.log() + (1 - y) * (1 - out).log()).mean(),
}


def chain(parameters, batches, layers, loss, optimizer, lr, momentum=0.0):
    """Layers in a row."""
    weights = [Tensor(np.array(p)).realize() for p in parameters]
    update = SGD(weights, lr=lr, momentum=momentum)

    def forward(x):
        given = iter(weights)
        for kind, *options in layers:
            if kind == "conv":
                x = x.conv2d(next(given), next(given))
            elif kind == "linear":
                x = x.linear(next(given).T, next(given))
            elif kind == "pool":
                x = x.max_pool2d((options[0], options[0]))
            elif kind == "flatten":
                x = x.flatten(1)
            else:
                x = getattr(x, kind)()
        return x

    @TinyJit
    def train(x, y):
        update.zero_grad()
        value = LOSSES[loss](forward(x), y).backward()
        return value.realize(*update.schedule_step())

    turn = feed(batches, lambda array: Tensor(np.array(array)).realize())

    def step():
        with Context(TRAINING=1):
            return train(*next(turn)).item()

    return step
