"""Random programs of views, indexing and in-place writes, with all gradients, beside PyTorch."""

from __future__ import annotations

import random
import warnings

import pytest

import facula

torch = pytest.importorskip("torch")


def _row(lib, x, r):
    return x[r.randrange(-x.shape[0], x.shape[0])]


def _column(lib, x, r):
    return x[..., r.randrange(x.shape[-1])]


def _slice(lib, x, r):
    return x[r.randint(0, 2) : r.choice([None, 2, 3]) : r.choice([None, 2])]


def _rows(lib, x, r):
    return x[lib.tensor([r.randrange(x.shape[0]) for _ in range(3)])]


def _turned(lib, x, r):
    return x.t() if x.dim() == 2 else x.unsqueeze(0)


def _set_row(lib, x, r):
    x[r.randrange(x.shape[0])] = r.choice([1.5, x[0] * 2, x[0].sum()])


def _set_rows(lib, x, r):
    x[lib.tensor([0, x.shape[0] - 1])] = r.choice([2.5, x[:1] * 3])


def _set_mask(lib, x, r):
    x[x > 3] = r.choice([0.5, x.sum()])


def _set_column(lib, x, r):
    x[..., 0] = r.choice([4.0, x[..., -1] * 2])


def _scale(lib, x, r):
    x.mul_(1.5)


OPERATIONS = [
    _row, _column, _slice, _rows, _turned, _set_row, _set_rows, _set_mask, _set_column, _scale,
    lambda lib, x, r: x[x > 2],
    lambda lib, x, r: x + x,
    lambda lib, x, r: x.reshape(-1).clone(),
    lambda lib, x, r: x.detach() if r.random() < 0.3 else None,
    lambda lib, x, r: x.clone(),
]  # fmt: skip


def run(lib, seed):
    """What can be seen after the program: errors, all tensors, and the leaf's gradient."""
    r = random.Random(seed)
    leaf = lib.arange(12.0).reshape(3, 4).clone().requires_grad_()
    pool = [leaf * 1.0, lib.arange(12.0).reshape(3, 4) * 0.5]
    seen = []
    for _ in range(r.randint(3, 12)):
        x = pool[r.randrange(len(pool))]
        operation = r.choice(OPERATIONS)
        if r.random() < 0.1:
            seen.append(x.sum().item())
        try:
            made = operation(lib, x, r)
        except (IndexError, RuntimeError) as error:
            seen.append(type(error).__name__)
            continue
        if made is not None and made.numel() > 0:
            pool.append(made)
    seen.append([(p.tolist(), p.requires_grad, tuple(p.shape)) for p in pool])
    terms = [(p.double() * (i + 1) * 0.01).sum() for i, p in enumerate(pool) if p.requires_grad]
    if terms:
        (grad,) = lib.autograd.grad(sum(terms), leaf, allow_unused=True)
        seen.append(None if grad is None else grad.tolist())
    return seen


def same(a, b):
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float):
        return b == pytest.approx(a, rel=1e-4, abs=1e-3)
    return a == b


@pytest.mark.parametrize("start", range(0, 200, 20))
def test_programs(start):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(start, start + 20):
            assert same(run(facula, seed), run(torch, seed)), f"seed {seed}"
