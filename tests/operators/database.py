"""PyTorch's own database of operators (names, sample arguments, errors) as a source of tests."""

from __future__ import annotations

import sys
import types
import unittest
import warnings

import numpy as np
import torch

import facula


def load() -> list:
    """The database, or an empty list where this PyTorch does not ship it."""
    if "expecttest" not in sys.modules:  # wanted by the module, not by the database
        stub = types.ModuleType("expecttest")
        stub.TestCase = unittest.TestCase
        sys.modules["expecttest"] = stub
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from torch.testing._internal.common_methods_invocations import op_db
        except ImportError:
            return []
    return list(op_db)


def path_of(root, dotted: str):
    """The object that a dotted name leads to, or None."""
    for part in dotted.split("."):
        try:
            root = getattr(root, part, None)
        except ImportError:
            return None
        if root is None:
            return None
    return root


def counterpart(entry):
    """facula's function for an entry of the database, or None where it has none."""
    function = entry.op
    if isinstance(function, types.FunctionType) and function.__name__ == "<lambda>":
        return retargeted(function)
    name = entry.name
    if name.startswith("__"):
        return getattr(facula.Tensor, name, None)
    found = path_of(facula, name)
    return found if callable(found) else path_of(facula.Tensor, name)


def retargeted(function):
    """The same Python function with ``torch`` meaning facula."""
    names = {**function.__globals__, "torch": facula}
    made = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, function.__closure__
    )
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def converted(x):
    """PyTorch's values in arguments as facula's."""
    if isinstance(x, torch.Tensor):
        return tensor(x)
    if isinstance(x, torch.dtype):
        return getattr(facula, str(x)[6:])
    if isinstance(x, torch.memory_format):
        return getattr(facula, str(x)[6:])
    if isinstance(x, torch.device):
        return str(x)
    if isinstance(x, torch.Size):
        return facula.Size(x)
    if isinstance(x, slice):
        return slice(converted(x.start), converted(x.stop), converted(x.step))
    if isinstance(x, dict):
        return {k: converted(v) for k, v in x.items()}
    if isinstance(x, (tuple, list)):
        return type(x)(converted(v) for v in x)
    return x


def tensor(x):
    """A tensor with the same values, dtype and need for a gradient."""
    made = facula.tensor(array(x), dtype=getattr(facula, str(x.dtype)[6:]))
    if x.requires_grad:
        made.requires_grad_()
    return made


def array(x) -> np.ndarray:
    """The numbers of a tensor of either library."""
    if isinstance(x, torch.Tensor):
        x = x.detach().resolve_conj().resolve_neg().clone()
        return (x.float() if x.dtype is torch.bfloat16 else x).numpy(force=True).copy()
    return np.asarray(x._buffer())


def flat(x) -> list:
    """All values in a result, in order."""
    if isinstance(x, dict):
        x = list(x.values())
    if isinstance(x, (tuple, list)) and not isinstance(x, (torch.Size, facula.Size)):
        return [z for y in x for z in flat(y)]
    return [x]
