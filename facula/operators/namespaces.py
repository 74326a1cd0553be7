"""Which operators are functions of torch and nn.functional, methods, or have in-place forms.

Every family file ends with its own lists; here they are put together.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

from facula.operators.numpy_names import TAKING, accepting
from facula.operators.out_argument import with_out

TORCH: dict[str, object] = {}
FUNCTIONAL: dict[str, object] = {}
METHODS: dict[str, object] = {}
INPLACE: dict[str, object] = {}

# Results that are not new tensors (views, Python values, lists) cannot be written elsewhere.
WITHOUT_OUT = frozenset(
    """
    reshape permute transpose t squeeze unsqueeze flatten ravel unflatten narrow select
    unbind split split_with_sizes chunk tensor_split as_strided diagonal movedim moveaxis
    swapaxes swapdims adjoint broadcast_to broadcast_tensors broadcast_shapes atleast_1d
    atleast_2d atleast_3d relu where nonzero unique unique_consecutive einsum tensordot
    allclose equal is_tensor is_floating_point is_complex is_nonzero numel result_type
    meshgrid softmax cartesian_prod combinations block_diag gradient stft istft norm dropout
    embedding
    """.split()
)

_TARGETS = {"torch": TORCH, "functional": FUNCTIONAL, "method": METHODS, "inplace": INPLACE}


def _collect() -> None:
    for info in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if info.name == "namespaces":
            continue
        module = importlib.import_module(f"facula.operators.{info.name}")
        for namespace, names in getattr(module, "NAMESPACES", {}).items():
            for name in names:
                function = getattr(module, name)
                if name in TAKING and namespace in ("torch", "method"):
                    function = accepting(function)
                if namespace == "torch" and name not in WITHOUT_OUT:
                    function = with_out(function)
                    setattr(module, name, function)  # pickles look the function up there
                _TARGETS[namespace][name] = function


_collect()
