"""What elementwise primitives mean in LLVM IR, and how elements move between memory and lanes."""

from facula.engines.native.scalars.meanings import emit, supports
from facula.engines.native.scalars.types import (
    compute,
    gather,
    load,
    load_strided,
    number,
    storage,
    store,
)
