"""Ranges of time: what ``record_function`` marks, and what profilers collect."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable
from typing import Any


class Range:
    """One named piece of work: when it began and ended (nanoseconds) and which it lay in.

    ``kind`` is the category in a trace, ``stack`` the user's lines that led to it, innermost first.
    """

    __slots__ = ("children", "end", "kind", "name", "parent", "shapes", "stack", "start")

    def __init__(
        self, name: str, parent: Range | None, shapes: Any = None, kind: str = "user_annotation"
    ):
        self.name, self.parent, self.shapes, self.kind = name, parent, shapes, kind
        self.stack: list[str] = []
        self.children = 0  # nanoseconds spent in ranges inside this one
        self.start = time.perf_counter_ns()
        self.end = self.start

    @property
    def duration(self) -> int:
        """Nanoseconds from begin to end."""
        return self.end - self.start


class Collector:
    """Collects ranges while a profiler is on; ``current`` is the innermost open one."""

    def __init__(self) -> None:
        self.ranges: list[Range] = []
        self.current: Range | None = None

    def open(self, name: str, shapes: Any = None, kind: str = "user_annotation") -> Range:
        """Begin a range."""
        made = Range(name, self.current, shapes, kind)
        self.current = made
        self.ranges.append(made)
        return made

    def close(self, opened: Range) -> None:
        """End a range."""
        opened.end = time.perf_counter_ns()
        self.current = opened.parent
        if opened.parent is not None:
            opened.parent.children += opened.duration


class _Active:
    collector: Collector | None = None


active = _Active()


class record_function:
    """Names a piece of a program in a profile: a context, or a decorator.

    >>> import facula as torch
    >>> with torch.profiler.record_function("forward"):
    ...     y = torch.ones(2) * 2
    """

    def __init__(self, name: str, args: str | None = None):
        self.name, self.args = name, args
        self._range: Range | None = None
        self._collector: Collector | None = None

    def __enter__(self) -> record_function:
        self._collector = active.collector
        if self._collector is not None:
            self._range = self._collector.open(self.name)
        return self

    def __exit__(self, *exc: object) -> None:
        if self._collector is not None and self._range is not None:
            self._collector.close(self._range)
        self._range = None

    def __call__(self, function: Callable) -> Callable:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return wrapped


def __getattr__(name: str) -> Any:
    if name == "profile":  # lies in a layer above this one, and few programs need it
        return importlib.import_module("facula.profiler.legacy").profile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
