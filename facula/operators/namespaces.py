"""Which operators are ``torch.X``, ``torch.nn.functional.X``, Tensor methods, or have in-place forms.

Every family file ends with its own lists; here they are put together.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from facula.operators.numpy_names import TAKING, accepting

TORCH: dict[str, object] = {}
FUNCTIONAL: dict[str, object] = {}
METHODS: dict[str, object] = {}
INPLACE: dict[str, object] = {}

_TARGETS = {"torch": TORCH, "functional": FUNCTIONAL, "method": METHODS, "inplace": INPLACE}


def _collect() -> None:
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if info.name == "namespaces":
            continue
        try:  # TODO(lead): remove once all families have landed
            module = importlib.import_module(f"facula.operators.{info.name}")
        except Exception as error:
            print("facula: family not importable yet:", info.name, error)
            continue
        for namespace, names in getattr(module, "NAMESPACES", {}).items():
            for name in names:
                function = getattr(module, name)
                if name in TAKING and namespace in ("torch", "method"):
                    function = accepting(function)
                _TARGETS[namespace][name] = function


_collect()
