"""NativeSegment: a plan with its machine code and memory, run as one call.

A run may return before the plan's tail is done (`lowering/head.py`). That run is *in flight*: there
is one at a time, its arrays are kept here, and before anything else runs, or memory moves, or the
process forks or ends, `finish` waits for it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import attrgetter, is_
from sys import getrefcount
from threading import Lock
from typing import Any

import numpy as np

from facula.base.picking import picker
from facula.engines.native import jit, report
from facula.engines.native.executor import STATUS_SLOT, Executor, Step
from facula.engines.native.executor_code import LEFT
from facula.engines.native.kernel import BAD_INDEX
from facula.engines.native.lowering.head import head, late
from facula.engines.native.lowering.memory import ALIGNMENT
from facula.engines.native.lowering.plan import Plan
from facula.engines.native.shelf import Shelf
from facula.graph.node import INPUT, Node

_running = Lock()  # plans share one arena
_in_flight: list[_Flight | None] = [None]
_held: list[bool] = []  # for each fork that is just being made, whether it has the lock
_ending: list[bool] = []  # not empty at the end of the process
_FORK_SECONDS = 10.0


class _Flight:
    """A run whose tail a worker does; what it reads and writes must live until then."""

    __slots__ = ("buffers", "outputs", "reuses", "segment")

    def __init__(self, segment: NativeSegment, buffers: list, outputs: list, reuses: bool):
        self.segment = segment
        self.buffers = buffers
        self.outputs = outputs
        self.reuses = reuses  # whether all donors' arrays are among the outputs


def finish() -> None:
    """Return when no run is in flight."""
    flight = _in_flight[0]
    if flight is not None:
        flight.segment.executor.finish()
        if _in_flight[0] is flight:
            _in_flight[0] = None


def _hold() -> None:
    """Before a fork: nothing is in flight, as the child has no worker, and no thread begins a run.

    Not for ever: a signal's handler may fork in the middle of a run of its own thread.
    """
    _held.append(_running.acquire(timeout=_FORK_SECONDS))
    finish()


def _let_go() -> None:
    """After a fork, in both processes."""
    if _held.pop():
        _running.release()


def _end() -> None:
    """At the end of the process: wait, and from now on leave nothing to a worker."""
    _ending.append(True)
    finish()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


class _Arena:
    """Memory for the temporaries of every plan: none of them outlives a run."""

    def __init__(self):
        self.reserve(0)

    def reserve(self, nbytes: int) -> None:
        """Make it large enough; nothing may run meanwhile."""
        self.memory = np.empty(nbytes + nbytes // 4 + ALIGNMENT, np.uint8)
        self.size = self.memory.nbytes - ALIGNMENT
        self.start = -(-self.memory.ctypes.data // ALIGNMENT) * ALIGNMENT


_arena = _Arena()


class NativeSegment:
    """An executable. Results go to arrays of earlier runs that nobody holds any more."""

    def __init__(self, plan: Plan):
        self.plan = plan
        with _running:
            if _arena.size < plan.arena:
                finish()
                _arena.reserve(plan.arena)
        self.arena = 0  # where it began when the plan last ran
        places = len(plan.inputs) + len(plan.outputs)
        slots = {plan.status: STATUS_SLOT}
        slots.update(
            {s: s if s < plan.status else s - 1 for s in range(plan.slots) if s != plan.status}
        )
        table = [0] * (plan.slots - 1 - places)
        self.places = {slots[slot]: t.offset for slot, t in plan.temporaries.items()}
        for slot, array in plan.constants.items():
            table[slots[slot] - places] = array.ctypes.data
        addresses = jit.load([step.kernel for step in plan.steps])
        steps = [
            Step(address, s.kernel.chunks, s.kernel.cost, [slots[o] for o in s.operands], s.writes)
            for address, s in zip(addresses, plan.steps, strict=True)
        ]
        given = [_expected(n) for n in plan.inputs]
        made = [_expected(n) for n in plan.outputs]
        self.executor = Executor(steps, table, given, made, first := head(plan))
        self.late = late(plan, first)
        self.shapes = [(n.spec.shape, np.dtype(n.spec.dtype.numpy.char)) for n in plan.outputs]
        self.shelf = Shelf(self.shapes)
        self.donors = plan.donors
        self._pick_dying = picker([i for i, _ in plan.donors])
        self._pick_renewed = picker([o for _, o in plan.donors])
        self._dying_dtypes = [self.shapes[o][1] for _, o in plan.donors]
        self.nanoseconds: np.ndarray | None = None

    def run(self, buffers: Any) -> list[Any]:
        """The outputs for these inputs, all complete."""
        outputs: list[Any] = [None] * len(self.shapes)
        with _running:
            self.shelf.fill(outputs)  # two threads must not find the same array free
            finish()
            if self.arena != _arena.start:
                self._move()
            bad = self.executor.run(buffers, outputs)
        if bad:
            self._complain(bad)
        return outputs

    def run_over(
        self,
        buffers: list[Any],
        dying: Sequence[tuple[int, int]],
        results: list,
        leave: bool,
    ) -> bool:
        """Append the outputs to ``results``; some are written over inputs that nobody else needs.

        ``dying`` are pairs of :attr:`donors` whose inputs are held by ``buffers`` and by one more
        place. With ``leave`` the answer may be True: then the outputs whose numbers are in
        :attr:`late` are complete when :meth:`finish` has returned, the others now. Ctrl-C that
        arrives while the plan runs is raised after all of it, and finds ``results`` filled: the
        inputs are gone by then.
        """
        outputs: list[Any] = [None] * len(self.shapes)
        bad: list[int] = []
        with _running:
            reuses = self._reuse_all(buffers, dying, outputs)
            finish()
            if not reuses:
                self._reuse(buffers, dying, outputs)
            self.shelf.fill(outputs)
            if self.arena != _arena.start:
                self._move()
            lists: tuple[Any, ...] = (buffers,), (outputs,)
            flight = None
            if leave and self.late and not _ending:
                lists = (*lists, (True,))
                flight = _in_flight[0] = _Flight(self, buffers, outputs, reuses)
            try:
                # In one step for the interpreter, so that it is known whether the plan has run.
                bad.extend(map(self.executor.call, *lists))
                if bad[0] < 0 and bad[0] != LEFT:
                    bad[0] = self.executor.run_again(bad[0], buffers, outputs)
            except BaseException:
                finish()
                raise
            finally:
                if bad and bad[0] in (0, LEFT):
                    results.extend(outputs)
                # Again, if it was left: what came in between, as a signal may, took it for done.
                _in_flight[0] = flight if bad and bad[0] == LEFT else None
        if bad[0] > 0:
            self._complain(bad[0])
        return bad[0] == LEFT

    def _reuse(self, buffers: list[Any], dying: Sequence[tuple[int, int]], outputs: list) -> None:
        """Put the arrays of dying inputs, if nobody holds them, where their results go."""
        counts = [*map(getrefcount, buffers)]
        for i, o in dying:
            mine = counts[i] == _DYING + 1 and self.shelf.lets_go(buffers[i], o)
            if mine or counts[i] == _DYING:
                array = buffers[i]
                plain = array.base is None and array.flags.carray
                if plain and array.dtype is self.shapes[o][1]:
                    outputs[o] = array

    def _reuse_all(self, buffers: list[Any], dying: Sequence[tuple[int, int]], outputs) -> bool:
        """As :meth:`_reuse`, where it can be seen at once that all can be reused.

        So it is in most steps of training, and it is known before the last one has ended: if that
        was a run of this plan that wrote these arrays over its inputs, it holds each of them twice.
        """
        flight = _in_flight[0]
        expected = _DYING
        if flight is not None:
            if flight.segment is not self or not flight.reuses:
                return False
            expected += 2
        if dying is not self.donors:
            return False
        held = self._pick_dying([*map(getrefcount, buffers)])
        if held.count(expected) < len(held):
            return False
        arrays = self._pick_dying(buffers)
        if (
            (flight is not None and not all(map(is_, arrays, self._pick_renewed(flight.outputs))))
            or not all(map(is_, map(_base_of, arrays), repeat(None)))
            or not all(map(is_, map(_dtype_of, arrays), self._dying_dtypes))
            or not all(map(_is_plain, arrays))
        ):
            return False
        for (_, o), array in zip(dying, arrays):
            outputs[o] = array
        return True

    def finish(self) -> None:
        """Return when the run that has left its tail to a worker is complete."""
        finish()

    def _move(self) -> None:
        """Put the temporaries where the arena is now: it is replaced when a plan needs more."""
        self.arena = _arena.start
        for slot, offset in self.places.items():
            self.executor.table[slot] = self.arena + offset

    def _complain(self, step: int) -> None:
        code, index, size = self.executor.status.tolist()
        self.executor.status[:] = 0
        assert code == BAD_INDEX
        where = next((n.source for n in self.plan.steps[step - 1].nodes if n.source), None)
        message = f"index {index} is out of bounds for dimension with size {size}"
        raise IndexError(f"{message} ({where})" if where else message)

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Within it each kernel's time is taken, for :meth:`describe`."""
        with self.executor.timing() as self.nanoseconds:
            yield

    def describe(self) -> str:
        """A line for each kernel: what it computes, bytes, flops, its share of the time, lines."""
        return report.describe(self.plan, self.nanoseconds)


def _expected(node: Node):
    if node.spec.weak and node.primitive is INPUT:
        return float if node.spec.dtype.is_floating_point else int
    return node.spec.dtype.numpy, node.spec.numel


def _count_dying() -> int:
    """References to an array that a list and one more place hold, as ``run_over`` sees them."""
    elsewhere = np.empty(0)
    (count,) = [*map(getrefcount, [elsewhere])]
    return count


_base_of, _dtype_of, _is_plain = map(attrgetter, ("base", "dtype", "flags.carray"))
_DYING = _count_dying()
