"""NumPy's matrix products on one thread: for small ones others cost more time than they save.

Threads of BLAS wait in loops for each other. Beside other programs, or with our own threads, a
product of a few microseconds takes a hundred times as long; and its last bits depend on how many
there are.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
from collections.abc import Callable

_MODULES = "numpy._core._multiarray_umath", "numpy.core._multiarray_umath"
_NAMES = (
    "scipy_openblas_{}_num_threads64_",
    "scipy_openblas_{}_num_threads",
    "openblas_{}_num_threads64_",
    "openblas_{}_num_threads",
)


@functools.cache
def _functions() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """What tells and sets the number of threads of the BLAS that NumPy has loaded, if known."""
    module = next((sys.modules[name] for name in _MODULES if name in sys.modules), None)
    try:
        library = ctypes.PyDLL(getattr(module, "__file__", None) or "")
    except OSError:
        return None
    for name in _NAMES:
        tell, change = (getattr(library, name.format(verb), None) for verb in ("get", "set"))
        if tell is not None and change is not None:
            return tell, change
    return None


class OneThread:
    """A context within which, in any thread of Python, products use one thread."""

    def __init__(self) -> None:
        self.before = 1
        self.reset()

    def reset(self) -> None:
        """Nobody is inside: as at first, and in a child of a fork, which has but one thread."""
        self.lock = threading.Lock()
        self.inside = 0

    def __enter__(self) -> None:
        found = _functions()
        if found is not None:
            with self.lock:
                self.inside += 1
                if self.inside == 1:
                    self.before = found[0]()
                    found[1](1)

    def __exit__(self, *exc: object) -> None:
        found = _functions()
        if found is not None:
            with self.lock:
                self.inside -= 1
                if not self.inside:
                    found[1](self.before)


one_thread = OneThread()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=one_thread.reset)
