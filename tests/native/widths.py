"""Code for vectors of another width than the CPU's."""

import contextlib
from collections.abc import Iterator

from facula.base.flags import flags
from facula.engines.native import target


@contextlib.contextmanager
def vector_bits(bits: int) -> Iterator[None]:
    """Code for vectors of this width; -1 for the CPU's own."""
    kept = flags.vector_bits
    flags.vector_bits = bits
    target.host.cache_clear()
    try:
        yield
    finally:
        flags.vector_bits = kept
        target.host.cache_clear()
