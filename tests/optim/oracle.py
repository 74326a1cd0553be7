"""What the optimizer tests share: the same problem in facula and in any torch-like library."""

from __future__ import annotations

import numpy as np

SHAPES = [(4, 3), (3,), (2, 1, 2), ()]


def start_values(seed: int = 0, shapes=None) -> list[np.ndarray]:
    """The first values of the parameters."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(s).astype(np.float32) for s in shapes or SHAPES]


def gradients(steps: int, seed: int = 1, shapes=None) -> list[list[np.ndarray]]:
    """Gradients of every step; some vanish, so that epsilons and signs are exercised."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(steps):
        step = [rng.standard_normal(s).astype(np.float32) for s in shapes or SHAPES]
        step[0].reshape(-1)[0] = 0.0
        result.append(step)
    return result


def parameters(lib, values, dtype=None):
    """The values as leaf parameters of ``lib`` (facula or torch)."""
    return [lib.nn.Parameter(lib.tensor(v.tolist(), dtype=dtype or lib.float32)) for v in values]


def set_grads(lib, params, grads) -> None:
    """Give each parameter its gradient; None leaves it without one."""
    for p, g in zip(params, grads):
        p.grad = None if g is None else lib.tensor(g.tolist(), dtype=p.dtype)


def train(lib, make, steps: int = 30, prepare=None, dtype=None, values=None, grads=None):
    """Run an optimizer; returns it, its parameters and their values as arrays."""
    params = parameters(lib, start_values() if values is None else values, dtype)
    optimizer = make(lib, params)
    scheduler = prepare(lib, optimizer) if prepare else None
    for step in gradients(steps) if grads is None else grads:
        set_grads(lib, params, step)
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return optimizer, params, [p.detach().numpy() for p in params]


def maker(name, options):
    """A function that makes the named optimizer of a library."""
    return lambda lib, params: getattr(lib.optim, name)(params, **options)


def plain(value):
    """State as arrays and numbers, so that two libraries can be compared."""
    if hasattr(value, "detach"):
        return np.asarray(value.detach().tolist())
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    return value
