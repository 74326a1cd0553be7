"""Runs the same expression on facula and on PyTorch and describes what came out, for comparing."""

import re
import warnings

import numpy as np


def described(value) -> str:
    """A value as text: tensors rounded, with shape and dtype; no addresses, no module names."""
    if hasattr(value, "detach"):
        dense = value.to_dense() if getattr(value, "is_sparse", False) else value
        array = np.round(np.asarray(dense.detach().double().tolist()), 4) + 0.0
        text = f"{array.tolist()} {tuple(value.shape)} {value.dtype} {value.requires_grad}"
        return f"{text} sparse" if getattr(value, "is_sparse", False) else text
    if isinstance(value, (list, tuple)):
        return "(" + ", ".join(described(v) for v in value) + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k!r}: {described(v)}" for k, v in value.items()) + "}"
    if isinstance(value, float):
        return f"{value:.5g}"
    return re.sub(r"0x[0-9a-f]+|facula|torch", "_", repr(value))


def outcome(expression: str, lib, **names) -> str:
    """The value of an expression (with ``torch`` = lib), or the type of the error it raises."""
    scope = {"torch": lib, "np": np, "T": lib.tensor, "D": getattr(lib, "distributions", None)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lib.manual_seed(5)
        try:
            return described(eval(expression, {**scope, **names}))
        except Exception as error:
            return type(error).__name__


def assert_same(expression: str, ours, theirs, **names) -> None:
    """Both libraries give the same."""
    got, wanted = outcome(expression, ours, **names), outcome(expression, theirs, **names)
    assert got == wanted, f"{expression}\n  got  {got}\n  want {wanted}"
