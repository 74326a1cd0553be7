"""Which operators are functions of torch and nn.functional, methods, or have in-place forms.

Every family file ends with its own lists; here they are put together.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from types import ModuleType

from facula.operators.out_argument import with_out
from facula.operators.spellings import accepting
from facula.operators.tensor_arguments import checked

TORCH: dict[str, object] = {}
FUNCTIONAL: dict[str, object] = {}
METHODS: dict[str, object] = {}
INPLACE: dict[str, object] = {}

# Results that are not new tensors (views, Python values, lists) cannot be written elsewhere.
WITHOUT_OUT = frozenset(
    """
    reshape permute transpose t squeeze unsqueeze flatten ravel unflatten narrow select
    unbind split split_with_sizes hsplit vsplit dsplit positive chunk tensor_split as_strided
    diagonal movedim moveaxis swapaxes swapdims adjoint broadcast_to broadcast_tensors
    broadcast_shapes atleast_1d
    atleast_2d atleast_3d relu unique unique_consecutive einsum
    allclose equal is_tensor is_floating_point is_complex is_nonzero numel result_type
    meshgrid cartesian_prod combinations block_diag gradient stft istft dropout embedding
    """.split()
)


def _collect() -> None:
    names = [info.name for info in pkgutil.iter_modules([os.path.dirname(__file__)])]
    # All are imported before any is wrapped: among themselves they call the plain functions.
    for module in [importlib.import_module(f"facula.operators.{name}") for name in names]:
        if module.__name__ != __name__:
            _collect_from(module)


def _collect_from(module: ModuleType) -> None:
    listed = getattr(module, "NAMESPACES", {})
    for name in listed.get("inplace", ()):
        INPLACE[name] = getattr(module, name)
    for name in listed.get("method", ()):
        METHODS[name] = accepting(name, checked(name, getattr(module, name)))
    for name in listed.get("torch", ()):
        function = accepting(name, checked(name, getattr(module, name)))
        TORCH[name] = function if name in WITHOUT_OUT else with_out(function)
    for name in listed.get("torch", ()):
        setattr(module, name, TORCH[name])  # pickles look the function up there
    for name in listed.get("functional", ()):
        FUNCTIONAL[name] = accepting(name, getattr(module, name))


def with_spellings(names: dict[str, object], plain: tuple[str, ...] = ()) -> None:
    """Complete a public namespace: other names of arguments, and out= except for ``plain``."""
    for name in names["__all__"]:
        function = names[name]
        if not isinstance(function, type):
            function = accepting(getattr(function, "__name__", name), function)
            names[name] = function if name in plain else with_out(function)


_collect()
