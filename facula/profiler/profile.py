"""``profile``: measures the operations and named ranges of a piece of a program."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from enum import Enum
from typing import Any

from facula.autograd.handle import TensorBase
from facula.autograd.modes import detours, modes
from facula.autograd.profiler import Collector, Range, active
from facula.operators.operator import Operator
from facula.profiler.events import EventList, averages
from facula.runtime.plans import Plan
from facula.runtime.recorder import recorder
from facula.runtime.source import user_stack
from facula.runtime.watch import watching


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
        ending = ".pt.trace.json.gz" if use_gzip else ".pt.trace.json"
        path = os.path.join(dir_name, f"{worker}.{time.time_ns()}{ending}")
        prof.export_chrome_trace(path)

    return handler


_plain_call = Operator.__call__
_watches: list[contextlib.ExitStack] = []


def _call_timer(with_stack: bool) -> Callable:
    def timed(self, *args, **kwargs):
        collector = active.collector
        if collector is None or modes.trace is not None:
            return _plain_call(self, *args, **kwargs)
        shapes = [tuple(a.shape) for a in args if isinstance(a, TensorBase)]
        opened = collector.open(f"aten::{self.__name__.lstrip('_')}", shapes, "cpu_op")
        if with_stack:
            opened.stack = user_stack()
        try:
            return _plain_call(self, *args, **kwargs)
        finally:
            collector.close(opened)

    return timed


def _timed_run(plan: Plan, buffers: Any, go: Callable) -> list:
    collector = active.collector
    if collector is None:
        return go(plan, buffers)
    opened = collector.open("facula::program", None, "program")
    try:
        return go(plan, buffers)
    finally:
        opened.name = f"facula::program [{len(plan.nodes)} nodes, {plan.engine}]"
        collector.close(opened)


def _start(collector: Collector, with_stack: bool) -> None:
    recorder.flush()  # what was recorded before is not part of the profile
    active.collector = collector
    stack = contextlib.ExitStack()
    stack.enter_context(watching(_timed_run))
    _watches.append(stack)
    Operator.__call__ = _call_timer(with_stack)  # type: ignore[method-assign]
    detours.add(1)


def _stop() -> None:
    recorder.flush()  # what was recorded is run while it can be measured
    active.collector = None
    if _watches:
        _watches.pop().close()
        detours.add(-1)
    Operator.__call__ = _plain_call  # type: ignore[method-assign]


class profile:
    """Measures what runs inside a ``with`` block, or in the steps that ``schedule`` names.

    Operations are recorded as ever, so the time of ``aten::`` ranges is what recording them costs;
    ``facula::program`` ranges are the compiled programs that compute. To see how the computation
    divides among operations, profile within ``facula.eager_mode()``: then each runs by itself.

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
        self.with_stack = with_stack
        self.profile_memory = profile_memory
        self._metadata: dict[str, Any] = {}
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
            _start(self._collector, self.with_stack)
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
        """Ranges of one name taken together; ``.table(sort_by="cpu_time_total")`` prints them.

        They are kept apart by the shapes of their inputs or by the innermost lines of their stack
        (with ``with_stack``) where that is asked for.
        """
        return averages(self._collector.ranges, group_by_input_shape, group_by_stack_n)

    def add_metadata(self, key: str, value: str) -> None:
        """Add a text to the trace file."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Add a value, given as JSON, to the trace file."""
        self._metadata[key] = json.loads(value)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the stacks (``with_stack``) with their time, as tools for flame graphs read them.

        Raises ValueError for other metrics than self_cpu_time_total and self_cuda_time_total.
        """
        if metric not in ("self_cpu_time_total", "self_cuda_time_total"):
            raise ValueError(f"metric should be self_cpu_time_total, but got {metric}")
        with open(path, "w", encoding="utf-8") as file:
            for one in self._collector.ranges:
                time_spent = (one.duration - one.children) // 1000
                if one.stack and time_spent and metric == "self_cpu_time_total":
                    frames = [place.replace(";", ",") for place in reversed(one.stack)]
                    file.write(f"{';'.join([*frames, one.name])} {time_spent}\n")

    def export_chrome_trace(self, path: str) -> None:
        """Write the ranges as JSON that trace viewers read; a name ending in .gz is compressed."""
        found = [
            {
                "ph": "X",
                "cat": one.kind,
                "name": one.name,
                "pid": os.getpid(),
                "tid": 0,
                "ts": one.start / 1000,
                "dur": one.duration / 1000,
                "args": self._arguments(one),
            }
            for one in self._collector.ranges
        ]
        trace = {"schemaVersion": 1, **self._metadata, "displayTimeUnit": "ms"}
        text = json.dumps({**trace, "traceEvents": found})
        if str(path).endswith(".gz"):
            with gzip.open(path, "wt", encoding="utf-8") as packed:
                packed.write(text)
        else:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)

    def _arguments(self, one: Range) -> dict[str, Any]:
        shown: dict[str, Any] = {}
        if self.record_shapes and one.shapes:
            shown["Input Dims"] = [list(shape) for shape in one.shapes]
        if one.stack:
            shown["Call stack"] = one.stack
        return shown
