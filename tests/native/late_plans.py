"""A pytest plugin: what a run leaves to a worker is not there before somebody has waited for it.

``pytest -p tests.native.late_plans tests/...`` runs each plan as a whole, hides its late results,
and gives them back when the run is waited for. Who reads them too early finds numbers that mean
nothing, in every run and not only when the worker is slow. Who writes what the worker would still
read or write meets a `Misuse`. Only addresses are kept, so that counts of references are the same.
"""

from __future__ import annotations

import ctypes

import numpy as np

from facula.engines.native import engine, executable
from facula.engines.native.executor_code import LEFT
from facula.engines.native.lowering import head

found = {"runs": 0, "waited": 0}


class Misuse(AssertionError):
    """Memory was written while a worker may use it."""


class _Memory:
    """The content of an array at some moment."""

    def __init__(self, array: np.ndarray):
        self.place = array.ctypes.data, array.nbytes
        self.content = self.now()

    def now(self) -> bytes:
        return ctypes.string_at(*self.place)

    def check(self, what: str) -> None:
        if self.now() != self.content:
            raise Misuse(f"{what} of {self.place[1]} bytes was written while the run was in flight")


class LateSegment(executable.NativeSegment):
    """Leaves a tail whenever it may, whatever the number of threads."""

    def __init__(self, plan):
        super().__init__(plan)
        self.executor.call = self._call_late(self.executor.call)
        self.executor.finish = self._finish_late
        self._hidden: list = []
        self._seen: list = []
        self._results: list = []

    def _call_late(self, whole):
        def call(inputs, outputs, leave=False):
            assert not self._hidden, "a plan is run although its last run is in flight"
            code = whole(inputs, outputs)
            if code or not leave:
                return code
            found["runs"] += 1
            late = [outputs[i] for i in self.late]
            places = {array.ctypes.data for array in late}
            self._results = [_Memory(array) for array in late]
            for memory, array in zip(self._results, late):
                ctypes.memset(memory.place[0], 1 if array.dtype.kind == "b" else 0x7F, array.nbytes)
            self._hidden = [_Memory(array) for array in late]
            plain = [x for x in [*inputs, *outputs] if isinstance(x, np.ndarray)]
            plain = [x for x in plain if x.flags.c_contiguous and x.ctypes.data not in places]
            self._seen = [_Memory(array) for array in plain]
            return LEFT

        return call

    def _finish_late(self):
        if self._hidden:
            found["waited"] += 1
            hidden, self._hidden = self._hidden, []
            for memory, result in zip(hidden, self._results):
                memory.check("a late result")
                ctypes.memmove(memory.place[0], result.content, memory.place[1])
            for memory in self._seen:
                memory.check("an input or an early result")
        return 0


def install() -> None:
    """Let all plans that are compiled from now on leave what they can."""
    head.WORTH = 1.0
    engine.NativeSegment = LateSegment


def pytest_configure(config) -> None:
    install()
