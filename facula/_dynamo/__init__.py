"""``torch.compile`` and ``torch._dynamo``: programs compile themselves, so these promise, not do.

Here are the names that scripts and benchmarks call; there is no other compiler to steer.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from facula._dynamo.eval_frame import OptimizedModule as OptimizedModule
from facula._dynamo.eval_frame import compile as compile
from facula.compiler import allow_in_graph as allow_in_graph
from facula.compiler import disable as disable
from facula.compiler import is_compiling as is_compiling
from facula.compiler import list_backends as list_backends
from facula.compiler import reset as reset

# Settings are remembered; they change nothing.
config = SimpleNamespace(
    suppress_errors=False, cache_size_limit=8, recompile_limit=8, verbose=False,
    capture_scalar_outputs=False, capture_dynamic_output_shape_ops=False, optimize_ddp=True,
    compiled_autograd=False, automatic_dynamic_shapes=True, assume_static_by_default=True,
)  # fmt: skip


def mark_dynamic(t: Any, index: Any, *, min: Any = None, max: Any = None, **kwargs: Any) -> None:
    """Says that a dimension will vary; every shape gets a program of its own anyway."""


def mark_static(t: Any, index: Any = None) -> None:
    """Says that a dimension stays as it is; every shape gets a program of its own anyway."""


maybe_mark_dynamic = mark_dynamic
