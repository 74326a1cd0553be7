"""``torch.autograd.profiler.profile``: the older form of the profiler, one block at a time."""

from __future__ import annotations

from typing import Any

from facula.autograd.profiler import Range
from facula.profiler.events import EventList, FunctionEventAvg, averages
from facula.profiler.profile import profile as _profile


class profile:
    """Measures what runs inside a ``with`` block; nothing where ``enabled`` is false.

    Arguments that ask for other devices, memory or counts of operations are taken and measure
    nothing. RuntimeError when results are asked for before the block has ended.

    >>> import facula as torch
    >>> with torch.autograd.profiler.profile(record_shapes=True) as prof:
    ...     y = torch.ones(10) * 2
    >>> prof.key_averages(group_by_input_shape=True).self_cpu_time_total > 0
    True
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
        experimental_config: Any = None,
        acc_events: bool = False,
        custom_trace_id_callback: Any = None,
    ) -> None:
        self.enabled, self.record_shapes, self.with_stack = enabled, record_shapes, with_stack
        self._measured: _profile | None = None
        self._ended = False

    def __enter__(self) -> profile:
        if self.enabled:
            if self._measured is not None:
                raise RuntimeError("Profiler context manager is not reentrant")
            self._measured = _profile(record_shapes=self.record_shapes, with_stack=self.with_stack)
            self._measured.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._measured is not None:
            self._measured.stop()
            self._ended = True

    def _finished(self) -> _profile:
        if self._measured is None or not self._ended:
            raise RuntimeError("Profiler didn't finish running")
        return self._measured

    @property
    def function_events(self) -> list[Range]:
        """The ranges as they were measured."""
        return self._finished().events()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all of them."""
        return self.key_averages().self_cpu_time_total

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0, **unused: Any
    ) -> EventList:
        """Ranges of one name taken together."""
        return self._finished().key_averages(group_by_input_shape, group_by_stack_n)

    def total_average(self) -> FunctionEventAvg:
        """All of them as one."""
        return self.key_averages().total_average()

    def table(self, sort_by: str | None = None, row_limit: int = 100, **widths: Any) -> str:
        """Every range as a row of text, in the order in which they began."""
        single = [event for one in self.function_events for event in averages([one])]
        return EventList(single).table(sort_by, row_limit, **widths)

    def export_chrome_trace(self, path: str) -> None:
        """Write the ranges as JSON that trace viewers read."""
        self._finished().export_chrome_trace(path)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Write the stacks with their time, as tools for flame graphs read them."""
        self._finished().export_stacks(path, metric)

    def __repr__(self) -> str:
        return self.table() if self._ended else "<unfinished torch.autograd.profile>"

    __str__ = __repr__
