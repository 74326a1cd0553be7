"""``profile``: measures the operations and named ranges of a piece of a program."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.autograd.profiler import Collector, Range, active
from facula.base.flags import flags
from facula.operators.operator import Operator
from facula.profiler.events import EventList, averages


class ProfilerActivity(Enum):
    """What can be profiled; only the CPU is there."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4


class ProfilerAction(Enum):
    """What a profiler does in one step of its schedule."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    """What can be profiled here."""
    return {ProfilerActivity.CPU}


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:
    """Cycles of ``wait`` steps left out, ``warmup`` steps, and ``active`` steps recorded."""

    def action(step: int) -> ProfilerAction:
        if step < skip_first:
            return ProfilerAction.NONE
        step -= skip_first
        if skip_first_wait:
            step += wait
        length = wait + warmup + active
        if repeat > 0 and step // length >= repeat:
            return ProfilerAction.NONE
        at = step % length
        if at < wait:
            return ProfilerAction.NONE
        if at < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if at < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """A handler that writes each trace into a folder that trace viewers can read."""

    def handler(prof: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        path = os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json")
        prof.export_chrome_trace(path)

    return handler


_plain_call = Operator.__call__
_depth = {"count": 0, "eager": False}


def _timed_call(self, *args, **kwargs):
    collector = active.collector
    if collector is None or modes.trace is not None:
        return _plain_call(self, *args, **kwargs)
    shapes = [tuple(a.shape) for a in args if isinstance(a, TensorBase)]
    opened = collector.open(f"aten::{self.__name__.lstrip('_')}", shapes)
    try:
        return _plain_call(self, *args, **kwargs)
    finally:
        collector.close(opened)


def _start(collector: Collector) -> None:
    active.collector = collector
    _depth["eager"], flags.eager = flags.eager, True
    Operator.__call__ = _timed_call  # type: ignore[method-assign]


def _stop() -> None:
    active.collector = None
    flags.eager = _depth["eager"]
    Operator.__call__ = _plain_call  # type: ignore[method-assign]


class profile:
    """Measures what runs inside a ``with`` block, or in the steps that ``schedule`` names.

    Operations are computed one by one while it measures, so the times say where work is, not how
    long the compiled program takes.

    >>> import facula as torch
    >>> with torch.profiler.profile() as prof:
    ...     y = torch.ones(10) * 2
    >>> "aten::mul" in [event.key for event in prof.key_averages()]
    True
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        use_cuda: bool | None = None,
        acc_events: bool = False,
        **unused: Any,
    ) -> None:
        self.activities = set(activities) if activities else supported_activities()
        self.schedule = schedule
        self.on_trace_ready = on_trace_ready
        self.record_shapes = record_shapes
        self.step_num = 0
        self._collector = Collector()
        self._step: Range | None = None
        self._running = False

    def _action(self) -> ProfilerAction:
        if self.schedule is None:
            return ProfilerAction.RECORD_AND_SAVE
        return self.schedule(self.step_num)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begin."""
        self._follow(self._action())

    def _follow(self, action: ProfilerAction) -> None:
        wanted = action in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)
        if wanted and not self._running:
            self._collector = Collector()
            _start(self._collector)
        elif not wanted and self._running:
            _stop()
        self._running = wanted
        if wanted and self.schedule is not None:
            self._step = self._collector.open(f"ProfilerStep#{self.step_num}")

    def _close_step(self) -> None:
        if self._step is not None:
            self._collector.close(self._step)
            self._step = None

    def step(self) -> None:
        """Say that the next step of the program begins."""
        before = self._action()
        self._close_step()
        self.step_num += 1
        if before is ProfilerAction.RECORD_AND_SAVE and self.schedule is not None:
            _stop()
            self._running = False
            self._ready()
        self._follow(self._action())

    def stop(self) -> None:
        """End."""
        self._close_step()
        if self._running:
            _stop()
            self._running = False
            self._ready()

    def _ready(self) -> None:
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def events(self) -> list[Range]:
        """The ranges as they were measured."""
        return self._collector.ranges

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, **unused: Any
    ) -> EventList:
        """Ranges of one name taken together; ``.table(sort_by="cpu_time_total")`` prints them."""
        return averages(self._collector.ranges, group_by_input_shape)

    def export_chrome_trace(self, path: str) -> None:
        """Write the ranges as JSON that trace viewers read."""
        found = [
            {
                "ph": "X",
                "name": one.name,
                "cat": "cpu_op",
                "pid": os.getpid(),
                "tid": 0,
                "ts": one.start / 1000,
                "dur": one.duration / 1000,
            }
            for one in self._collector.ranges
        ]
        with open(path, "w", encoding="utf-8") as file:
            json.dump({"schemaVersion": 1, "traceEvents": found}, file)
