"""Which operators are ``torch.X``, ``torch.nn.functional.X``, Tensor methods, or have in-place forms.

Every family file ends with its own lists; here they are put together.
"""

from __future__ import annotations

import importlib
import pkgutil

import facula.operators as _package
from facula.operators.numpy_names import TAKING, accepting

TORCH: dict[str, object] = {}
FUNCTIONAL: dict[str, object] = {}
METHODS: dict[str, object] = {}
INPLACE: dict[str, object] = {}

_TARGETS = {"torch": TORCH, "functional": FUNCTIONAL, "method": METHODS, "inplace": INPLACE}


def _collect() -> None:
    for info in pkgutil.iter_modules(_package.__path__):
        module = importlib.import_module(f"{_package.__name__}.{info.name}")
        for namespace, names in getattr(module, "NAMESPACES", {}).items():
            for name in names:
                function = getattr(module, name)
                if name in TAKING and namespace in ("torch", "method"):
                    function = accepting(function)
                _TARGETS[namespace][name] = function


_collect()
