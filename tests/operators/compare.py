"""Runs the same function on facula and on PyTorch and compares results and gradients."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import facula

TOLERANCE = {
    "float16": 2e-3,
    "float32": 2e-5,
    "complex64": 2e-5,
    "float64": 1e-10,
    "complex128": 1e-10,
}


def reference():
    """PyTorch, or skip."""
    return pytest.importorskip("torch")


def tensors_of(library, inputs, grad):
    """NumPy arrays as tensors of a library (floating ones requiring gradients); the rest as is."""
    found = []
    for x in inputs:
        if isinstance(x, np.ndarray):
            x = library.tensor(x.tolist(), dtype=getattr(library, x.dtype.name)).reshape(x.shape)
            if grad and x.dtype in (
                library.float32,
                library.float64,
                library.complex64,
                library.complex128,
            ):
                x.requires_grad_()
        found.append(x)
    return found


def outputs_of(result):
    """All tensors in a result, in order; plain values stay."""
    return (
        [y for x in result for y in outputs_of(x)]
        if isinstance(result, (tuple, list))
        else [result]
    )


def numbers(x):
    """A tensor's values as a NumPy array; Python values as they are."""
    return np.asarray(x.detach().tolist()) if hasattr(x, "detach") else np.asarray(x)


def weights(x):
    """Fixed weights of a tensor's shape, so that a gradient test sees every element differently."""
    n = int(np.prod(x.shape))
    return (np.cos(np.arange(n) * 1.7) + 0.3).reshape(tuple(x.shape))


def total(library, outputs):
    """A real number that depends on every differentiable output."""
    terms = []
    for x in outputs:
        if not getattr(x, "requires_grad", False):
            continue
        real = {"torch.complex64": library.float32, "torch.complex128": library.float64}
        parts = [x.real, x.imag] if x.dtype in (library.complex64, library.complex128) else [x]
        for i, part in enumerate(parts):
            own = real.get(str(x.dtype), x.dtype)
            w = library.tensor((weights(x) + i).tolist(), dtype=own)
            terms.append((part * w.reshape(tuple(x.shape))).sum())
    return sum(terms) if terms else None


def close(ours, theirs, tolerance, what):
    a, b = numbers(ours), numbers(theirs)
    assert a.shape == b.shape, f"{what}: shape {a.shape}, PyTorch {b.shape}"
    if hasattr(theirs, "dtype"):
        assert str(ours.dtype) == str(theirs.dtype), f"{what}: {ours.dtype}, PyTorch {theirs.dtype}"
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=what)


def check(function, *inputs, grad=True, second=False, tolerance=None, names=True, outputs=None):
    """``function(library, *tensors)`` must give what PyTorch gives: values, dtypes, gradients.

    ``names``: compare the printed grad_fn; ``second``: also compare gradients of gradients.
    ``outputs``: turns the result into what is compared (to remove signs that are free).
    """
    torch = reference()
    runs = []
    for library in (facula, torch):
        given = tensors_of(library, inputs, grad)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch says which of its functions are deprecated
            result = function(library, *given)
        found = outputs_of(result if outputs is None else outputs(result))
        runs.append((library, given, found))
    (_, _, ours), (_, _, theirs) = runs
    assert len(ours) == len(theirs)
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if not hasattr(b, "dtype"):
            assert a == b
            continue
        limit = tolerance or TOLERANCE.get(str(b.dtype)[6:], 0)
        close(a, b, limit, f"output {i}")
        if names and grad:
            own, other = type(a.grad_fn).__name__, type(b.grad_fn).__name__
            assert own == other, f"output {i}: {own}, PyTorch {other}"
    if grad:
        _check_gradients(runs, tolerance, second)


def _check_gradients(runs, tolerance, second):
    found = []
    for library, given, outs in runs:
        leaves = [x for x in given if getattr(x, "requires_grad", False)]
        objective = total(library, outs)
        if objective is None or not leaves:
            return
        grads = library.autograd.grad(objective, leaves, create_graph=second, allow_unused=True)
        seconds = [None] * len(leaves)  # a gradient that depends on nothing has none of its own
        if second:
            again = total(library, [g for g in grads if g is not None])
            if again is not None:
                seconds = library.autograd.grad(again, leaves, allow_unused=True)
        found.append((grads, seconds))
    for order, (ours, theirs) in enumerate(zip(*found, strict=True), 1):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if b is None or a is None:
                other = a if b is None else b
                assert other is None or not numbers(other).any(), f"gradient {i} is missing"
                continue
            limit = tolerance or TOLERANCE.get(str(b.dtype)[6:], 0) * 10
            close(a, b, limit, f"order {order} gradient of input {i}")
