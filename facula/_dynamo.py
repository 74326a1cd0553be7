"""``torch._dynamo``: the few names that benchmarks call; facula has no such compiler to steer."""

from __future__ import annotations

from types import SimpleNamespace

from facula.compiler import allow_in_graph as allow_in_graph
from facula.compiler import disable as disable
from facula.compiler import is_compiling as is_compiling
from facula.compiler import reset as reset

# Settings are remembered; they change nothing.
config = SimpleNamespace(
    suppress_errors=False, cache_size_limit=8, recompile_limit=8, verbose=False,
    capture_scalar_outputs=False, capture_dynamic_output_shape_ops=False, optimize_ddp=True,
)  # fmt: skip
