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
    before, before_over = Plan.run, Plan.run_over

    def watched(self: Plan, buffers: list[Any]) -> list[Any]:
        return run(self, buffers, before)

    def watched_over(self: Plan, buffers: list[Any], dying: Any, results: list[Any], leave=False):
        def go(plan: Plan, buffers: list[Any]) -> list[Any]:
            before_over(plan, buffers, dying, results)  # complete: nothing is left to a worker
            return results

        run(self, buffers, go)
        return False

    Plan.run, Plan.run_over = watched, watched_over  # type: ignore[method-assign]
    try:
        yield
    finally:
        Plan.run, Plan.run_over = before, before_over  # type: ignore[method-assign]
