"""The loop around the networks: what stands in every PyTorch tutorial."""

from __future__ import annotations

import itertools
from collections.abc import Callable


def training(kit, network, criterion: Callable, optimizer, batches) -> Callable[[], float]:
    """A step that goes round the batches and reads the loss."""
    kit.begin(network, batches)
    network = kit.model(network)

    def train(inputs, labels):
        optimizer.zero_grad()
        loss = criterion(network(inputs), labels)
        loss.backward()
        optimizer.step()
        return loss

    train = kit.step(train)
    feed = itertools.cycle(batches)

    def step():
        inputs, labels = next(feed)
        return train(inputs, labels).item()

    return step


def inference(kit, network, batches) -> Callable[[], object]:
    """A step that computes the network's outputs as an array, without gradients."""
    kit.begin(network, batches)
    network.eval()
    network = kit.step(kit.model(network))
    feed = itertools.cycle(batches)

    def step():
        inputs, _ = next(feed)
        with kit.t.no_grad():
            return network(inputs).numpy()

    return step


def classified(t, count: int, shape: tuple[int, ...], classes: int = 10) -> list:
    """``count`` batches of random inputs with random labels."""
    return [(t.randn(*shape), t.randint(0, classes, (shape[0],))) for _ in range(count)]
