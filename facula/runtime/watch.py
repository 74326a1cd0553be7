"""Watching programs run: what ``explain`` and profilers do while they are on."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from facula.runtime.plans import Plan


@contextlib.contextmanager
def watching(run: Callable[[Plan, Sequence, Callable], list]) -> Iterator[None]:
    """Within it programs are run by ``run(plan, buffers, go)``, which calls ``go(plan, buffers)``.

    Nothing is asked of programs that run while nobody watches.
    """
    before = Plan.run

    def watched(self: Plan, buffers: list[Any]) -> list[Any]:
        return run(self, buffers, before)

    Plan.run = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        Plan.run = before  # type: ignore[method-assign]
