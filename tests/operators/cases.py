"""Table-driven comparison: values and gradients of each case, or its error, as PyTorch has them."""

from __future__ import annotations

import warnings

import numpy as np

import facula
from tests.operators import compare


class Names:
    """A library's functions, those of ``nn.functional`` first."""

    def __init__(self, library):
        self.library = library

    def __getattr__(self, name):
        functional = self.library.nn.functional
        return (
            getattr(functional, name) if hasattr(functional, name) else getattr(self.library, name)
        )


def array(shape, dtype=np.float32, seed=0):
    """Normal random numbers, the same for the same arguments."""
    rng = np.random.default_rng([seed, *shape])
    if np.dtype(dtype).kind == "c":
        return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


class Case:
    """``function(F, *tensors)`` and its inputs: arrays, or shapes for random ones."""

    def __init__(self, function, *inputs, second=True, names=True, tolerance=1e-4):
        self.function = function
        self.inputs = [
            array(x, seed=i) if isinstance(x, tuple) else x for i, x in enumerate(inputs)
        ]
        self.options = {"second": second, "names": names, "tolerance": tolerance}

    def __call__(self):
        torch = compare.reference()
        expected = _error(self.function, torch, self.inputs)
        if expected is not None:
            found = _error(self.function, facula, self.inputs)
            assert type(found) is type(expected), f"{found!r}, PyTorch {expected!r}"
            assert str(found) == str(expected)
            return
        compare.check(
            lambda library, *tensors: self.function(Names(library), *tensors),
            *self.inputs,
            **self.options,
        )


def _error(function, library, inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            function(Names(library), *compare.tensors_of(library, inputs, False))
        except Exception as error:
            return error
    return None


def identifiers(cases):
    """Readable names of cases: the line they stand on."""
    return [f"line{case.function.__code__.co_firstlineno}" for case in cases]
