"""Timer and Measurement: how long a statement takes."""

from __future__ import annotations

import statistics
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from facula.runtime.recorder import recorder
from facula.settings import get_num_threads, set_num_threads


def timer() -> float:
    """Seconds, after all recorded work is done, so that its time is counted."""
    recorder.flush()
    recorder.land()
    return time.perf_counter()


def unit_of(seconds: float) -> tuple[str, float]:
    """A unit that keeps the number between 1 and 1000, and its size in seconds."""
    for unit, size in (("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3)):
        if seconds < 1000 * size:
            return unit, size
    return "s", 1.0


@dataclass(frozen=True)
class TaskSpec:
    """What is measured."""

    stmt: str
    setup: str
    global_setup: str = ""
    label: str | None = None
    sub_label: str | None = None
    description: str | None = None
    env: str | None = None
    num_threads: int = 1

    @property
    def title(self) -> str:
        """The label (or the statement), and the sub-label."""
        if self.label is not None:
            return self.label + (f": {self.sub_label}" if self.sub_label else "")
        return self.stmt if "\n" not in self.stmt else "stmt:\n" + textwrap.indent(self.stmt, "  ")


@dataclass
class Measurement:
    """Times of several runs, each of ``number_per_run`` repetitions."""

    number_per_run: int
    raw_times: list[float]
    task_spec: TaskSpec
    metadata: dict[Any, Any] | None = None

    @property
    def times(self) -> list[float]:
        """Seconds of one repetition, for each run."""
        return [t / self.number_per_run for t in self.raw_times]

    median = property(lambda self: statistics.median(self.times))
    mean = property(lambda self: statistics.fmean(self.times))

    @property
    def iqr(self) -> float:
        """The spread of the middle half of the runs."""
        if len(self.times) < 2:
            return 0.0
        low, high = self._quartiles()
        return high - low

    def _quartiles(self) -> tuple[float, float]:
        low, _, high = statistics.quantiles(self.times, n=4, method="inclusive")
        return low, high

    def __repr__(self) -> str:
        spec = self.task_spec
        unit, size = unit_of(self.median)
        lines = [
            f"<torch.utils.benchmark.utils.common.Measurement object at {hex(id(self))}>",
            spec.title,
        ]
        if spec.description:
            lines.append(spec.description)
        if spec.setup != "pass":
            lines.append("setup: " + spec.setup.strip())
        value = "Median" if len(self.times) > 1 else ""
        lines.append(f"  {value + ': ' if value else ''}{self.median / size:.2f} {unit}")
        if len(self.times) > 1:
            low, high = (quartile / size for quartile in self._quartiles())
            lines.append(f"  IQR:    {high - low:.2f} {unit} ({low:.2f} to {high:.2f})")
        threads = f"{spec.num_threads} thread{'s' if spec.num_threads > 1 else ''}"
        if len(self.times) > 1:
            runs = f"{len(self.times)} measurements, {self.number_per_run} runs per measurement"
        else:
            runs = f"1 measurement, {self.number_per_run} runs "
        return "\n".join([*lines, f"  {runs}, {threads}"])


class Timer:
    """Times a statement, given as text, with names from ``globals``.

    >>> import facula as torch
    >>> from facula.utils.benchmark import Timer
    >>> Timer("x + x", globals={"x": torch.ones(3)}).timeit(5).number_per_run
    5
    """

    def __init__(
        self,
        stmt: str = "pass",
        setup: str = "pass",
        global_setup: str = "",
        timer: Callable[[], float] = timer,
        globals: dict[str, Any] | None = None,
        label: str | None = None,
        sub_label: str | None = None,
        description: str | None = None,
        env: str | None = None,
        num_threads: int = 1,
        language: Any = None,
    ):
        if language not in (None, "py", "python"):
            raise ValueError(f"only statements in Python can be timed, not {language}")
        stmt, setup = textwrap.dedent(stmt).strip(), textwrap.dedent(setup).strip()
        self._task_spec = TaskSpec(
            stmt, setup, global_setup, label, sub_label, description, env, num_threads
        )
        self._timer = timer
        self._globals = dict(globals or {})
        self._code = compile(stmt, "<timed statement>", "exec")

    def _time(self, number: int) -> float:
        scope = self._globals
        exec(self._task_spec.setup, scope)
        begin = self._timer()
        for _ in range(number):
            exec(self._code, scope)
        return self._timer() - begin

    def _with_threads(self, work: Callable[[], Any]) -> Any:
        before = get_num_threads()
        set_num_threads(self._task_spec.num_threads)
        try:
            return work()
        finally:
            set_num_threads(before)

    def timeit(self, number: int = 1_000_000) -> Measurement:
        """One run of ``number`` repetitions, after a short warm-up."""

        def work() -> list[float]:
            self._time(max(number // 100, 2))
            return [self._time(number)]

        return Measurement(number, self._with_threads(work), self._task_spec)

    def blocked_autorange(self, callback: Any = None, min_run_time: float = 0.2) -> Measurement:
        """Runs of as many repetitions as make the timer's own cost small, for ``min_run_time``."""

        def work() -> tuple[int, list[float]]:
            number = 1
            while (took := self._time(number)) < min_run_time / 100 and number < 10**9:
                number *= 10 if took < min_run_time / 1000 else 2
            times: list[float] = []
            while sum(times) < min_run_time or not times:
                times.append(self._time(number))
                if callback is not None:
                    callback(number, times[-1])
            return number, times

        number, times = self._with_threads(work)
        return Measurement(number, times, self._task_spec)

    def adaptive_autorange(
        self,
        threshold: float = 0.1,
        *,
        min_run_time: float = 0.01,
        max_run_time: float = 10.0,
        callback: Any = None,
    ) -> Measurement:
        """Runs until the middle half of them lies within ``threshold`` of the median."""
        found = self.blocked_autorange(callback, min_run_time)
        while sum(found.raw_times) < max_run_time:
            if len(found.times) > 3 and found.iqr / found.median < threshold:
                break
            more = self._with_threads(lambda: self._time(found.number_per_run))
            found.raw_times.append(more)
        return found
