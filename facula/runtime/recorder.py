"""The program being recorded: appends block calls, and runs them all when a value is needed.

A program is kept as one flat list of ints, ``key``. Values are numbered as they appear. For a
value from outside the list gets ``NEW_INPUT`` (or less); for a call it gets the number of the
entry followed by the positions of its operands. An entry fixes the specs of its operands, so the
list says everything about the program except the numbers in it: Python floats are inputs like any
other.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, count, repeat
from operator import attrgetter
from sys import getrefcount
from threading import RLock, current_thread, get_ident, main_thread
from typing import Any

import numpy as np

from facula.base.flags import flags
from facula.graph.composite import Composite
from facula.graph.node import Block
from facula.graph.spec import WEAK
from facula.runtime import plans
from facula.runtime.source import Lines, user_line
from facula.runtime.value import Value

NEW_INPUT = -1
_ON_HOST = (np.ndarray, np.generic, bool, int, float, complex)
LOST = "this tensor has no value: the operation that computes it failed (see the first error)"
_NOTHING: Iterator[Any] = iter(())
_new = object.__new__


class Entry:
    """A block that can be recorded as one call; equal calls share one entry."""

    __slots__ = ("block", "cost", "name", "number", "specs")
    _numbers = count()

    def __init__(self, block: Block | Composite, name: str):
        self.block = block
        self.name = name
        self.specs = block.specs
        self.cost = sum(spec.nbytes for spec in self.specs)
        self.number = next(Entry._numbers)


class Recorder:
    """The pending program of the process.

    One thread records without a lock. When a second thread comes, all of them take one from then
    on: the first must not be in the middle of a call at that moment, so the newcomer waits.
    """

    __slots__ = (
        "budget", "busy", "bytes", "calls", "capture", "epoch", "expected", "in_flight", "inputs",
        "key", "known", "late", "lines", "lock", "running", "runs", "spent", "thread", "values",
    )  # fmt: skip

    def __init__(self):
        self.epoch = 0
        self.runs = 0
        self.thread = get_ident()  # the only thread that records, or 0 when there are several
        self.lock = RLock()
        self.running = False
        self.spent = False  # whether the program of this flush has been run
        self.capture: Any = None  # who keeps the program growing until a captured call has ended
        # What the last run left to be computed while Python goes on: values, with the buffers that
        # they get when the run lands. Until then they are as good as computed: only their numbers
        # have to be waited for.
        self.late: dict[Value, Any] = {}
        self.in_flight: plans.Plan | None = None
        self.known = Lines()
        self.calls, self.lines, self.expected = [], [], _NOTHING
        self._start()

    def _locked(self) -> RLock:
        """The lock, for a thread that is not the only one."""
        if self.thread and current_thread() is main_thread():
            # Only a process forked by another thread gets here: its one thread is the main one.
            self.thread = get_ident()
        elif self.thread:
            self.thread = 0
            time.sleep(0.02)
            while self.running:
                time.sleep(0.001)
        if self.capture is not None:
            self.capture.wait()
        return self.lock

    def _start(self):
        if self.lines and self.expected is _NOTHING:
            self.known.put(self.calls, self.lines)
        self.epoch += 1
        self.busy = False  # a call is being appended; left true when Ctrl-C comes right then
        self.key: list[int] = []
        self.values: list[Value] = []
        self.inputs: list[Value] = []
        self.calls: list[Entry] = []
        # Where each call was recorded. While the calls are the expected ones, those of an earlier
        # program, this is that program's list, which may be longer than ``calls``.
        self.lines: list = []
        self.expected: Iterator[Entry] = _NOTHING
        self.budget = flags.nodes
        self.bytes = flags.bytes

    def record(self, entry: Entry, operands: list[Value]) -> list[Value]:
        """Append a call; returns its (pending) results."""
        if self.thread != get_ident():
            with self._locked():
                return self._record(entry, operands)
        return self._record(entry, operands)

    def _record(self, entry, operands):
        if self.busy:
            self._drop_interrupted()
        if self.budget < 0 or self.bytes < 0:
            # Not at the end of the last call: then its caller, as an optimizer, still held what
            # it was about to replace, and a result could not be written over it.
            self.flush()
        self.busy = True
        key, values, inputs, epoch = self.key, self.values, self.inputs, self.epoch
        call = [entry.number]
        for operand in operands:
            if operand.epoch != epoch:
                if operand.buffer is None and operand not in self.late:
                    self._drop_interrupted()
                    raise RuntimeError(LOST)
                operand.position = len(values)
                values.append(operand)
                inputs.append(operand)
                key.append(NEW_INPUT)
                operand.epoch = epoch  # last: an interrupt before it only registers it twice
            call.append(operand.position)
        key += call
        self.calls.append(entry)
        if next(self.expected, None) is not entry:
            self.note_line(entry)
        results = []
        position = len(values)
        for spec in entry.specs:
            value = _new(Value)  # what Value() does, without the call
            value.spec = spec
            value.buffer = None
            value.epoch = epoch
            value.position = position
            position += 1
            results.append(value)
        values += results
        self.busy = False
        self.budget -= 1
        self.bytes -= entry.cost
        if flags.eager:
            self.flush()
        return results

    def add_rest(self, entry: Entry) -> list[Value]:
        """Enter the results after the first, in the middle of recording a call.

        Operators in use record by themselves: see operators/written.py.
        """
        rest = []
        position = len(self.values)
        for spec in entry.specs[1:]:
            value = _new(Value)
            value.spec = spec
            value.buffer = None
            value.epoch = self.epoch
            value.position = position
            position += 1
            rest.append(value)
        self.values += rest
        return rest

    def admit(self, value: Value) -> None:
        """Enter a value from outside into the program, in the middle of recording a call."""
        if value.buffer is None and value not in self.late:
            self._drop_interrupted()
            raise RuntimeError(LOST)
        value.position = len(self.values)
        self.values.append(value)
        self.inputs.append(value)
        self.key.append(NEW_INPUT)
        value.epoch = self.epoch  # last: an interrupt before it only registers it twice

    def note_line(self, entry: Entry) -> None:
        """The call that was just appended is not the expected one: look where it was made.

        A program that begins on the line where an earlier one began is expected to make the same
        calls; as long as it does, that program's lines are its lines and no frame is looked at.
        """
        if not flags.lines:
            return
        before = len(self.calls) - 1
        if self.expected is not _NOTHING:
            self._own_lines(before)
        line = user_line()
        if before == 0:
            found = self.known.get(line)
            if found is not None and found[0][0] is entry:
                calls, self.lines = found
                self.expected = iter(calls)
                next(self.expected)
                return
        self.lines.append(line)

    def _own_lines(self, count: int) -> None:
        """Go on with a list of lines of its own: the first ``count`` of the present one."""
        self.expected = _NOTHING
        self.lines = self.lines[:count]

    def land(self) -> None:
        """Return when what the last run left to be computed is there."""
        if self.in_flight is None:
            return
        if self.thread == get_ident():
            self._land()
        else:
            with self._locked():
                self._land()

    def _land(self) -> None:
        if self.in_flight is not None:
            self.in_flight.finish()
            self._deliver()
            self.in_flight = None

    def deliver(self) -> None:
        """Let late values have their buffers, whose contents may still be being computed.

        For who goes on to run a plan, as engines wait for the last run before they begin another,
        and nobody reads the buffers before.
        """
        if self.thread == get_ident():
            self._deliver()
        else:
            self.land()

    def _deliver(self) -> None:
        _do_all(_setting(self.late, self.late.values()))
        self.late = {}

    def leave(self, plan: plans.Plan, late: dict[Value, Any]) -> None:
        """Let values have these buffers when the plan's run lands."""
        self.in_flight, self.late = plan, {**self.late, **late}
        _do_all(_setting(late, repeat(None)))

    def flush(self, leave: bool = True) -> None:
        """Compute every pending value that Python can still see; the others are never made.

        With ``leave`` some of them may be late: see :meth:`land`.
        """
        if self.thread != get_ident():
            with self._locked():
                if self.capture is None:
                    self._flush(leave)
        elif self.capture is not None:
            return
        elif self.key:
            self.running = True
            try:
                self._flush(leave)
            finally:
                self.running = False
        else:
            self.budget, self.bytes = flags.nodes, flags.bytes

    def _flush(self, leave: bool) -> None:
        pending = self.key, self.values, self.inputs, self.calls, self.lines, self.epoch
        self.spent = False
        try:
            self._run(pending, leave)
        except Exception:
            self.land()
            raise
        except BaseException:  # Ctrl-C: what was pending still is, and can be run again
            self.land()
            if self.epoch != pending[-1] and not self.key and not self.spent:
                self.key, self.values, self.inputs, self.calls, self.lines, self.epoch = pending
                self._own_lines(len(self.calls))
            raise

    def _run(self, pending, leave: bool) -> None:
        key, values, inputs, calls, lines, _ = pending
        self.deliver()
        if self.busy:
            self._drop_interrupted()
        counts = [*map(getrefcount, values)]
        whole = tuple(key)
        plan = plans.find_latest(whole, counts)
        live = _seen(values, counts) if plan is None else ()
        self._start()
        if plan is None and not live:
            self.land()
            return
        self.runs += 1
        results: list = []
        left = False
        try:
            if plan is None:
                plan = plans.find(whole, live, inputs, calls, lines)
                plans.note_latest(whole, counts, plan)
            buffers = [*map(_buffer_of, inputs)]
            dying = plan.dying(inputs, counts, _SEEN_TWICE)
            targets = plan.pick_targets(values)
            give = give_now = _setting(targets, results)
            leave = leave and bool(plan.late)
            if dying or leave:
                left = leave  # also if Ctrl-C comes before it is known
                if left:
                    give = self._giving(plan, targets, results)
                    self.in_flight = plan
                left = plan.run_over(buffers, dying, results, left)
            else:
                self.land()
                results += plan.run(buffers)
        except Exception:
            self.land()
            self._salvage(pending, live or _seen(values, counts))
            raise
        finally:
            if results:  # there are none after a failure, but there may be after Ctrl-C
                self.spent = True
                _do_all(give if left else give_now)
                if not left:
                    self.in_flight = None

    def _giving(self, plan: plans.Plan, targets: tuple[Value, ...], results: list) -> Iterator:
        """Will give values their results, once there are any: now, or when the run lands."""
        return chain(
            _setting(plan.pick_early(targets), map(results.__getitem__, plan.early)),
            map(
                self.late.__setitem__,
                plan.pick_late(targets),
                map(results.__getitem__, plan.late),
            ),
        )

    def _salvage(self, pending, live) -> None:
        """After a failure, compute what does not depend on the operation that failed."""
        key, values, inputs, calls, lines, _ = pending
        for position in live:
            try:
                plan = plans.find(tuple(key), (position,), inputs, calls, lines)
                (values[position].buffer,) = plan.run([value.buffer for value in inputs])
            except Exception:  # the first failure is what the user hears of
                continue

    def _drop_interrupted(self) -> None:
        """Ctrl-C came in the middle of recording a call: keep the complete calls before it."""
        key, values = self.key, self.values
        self._own_lines(len(self.calls))
        at = known = given = complete = 0
        for entry in self.calls:
            start, inputs = at, 0
            while at < len(key) and key[at] < 0:
                at, inputs = at + 1, inputs + 1
            end = at + 1 + len(entry.block.inputs)
            made = inputs + len(entry.specs)
            if end > len(key) or key[at] != entry.number or known + made > len(values):
                at = start
                break
            at, known, given, complete = end, known + made, given + inputs, complete + 1
        for value in values[known:]:
            value.epoch = -1
        del key[at:], values[known:], self.inputs[given:]
        del self.calls[complete:], self.lines[complete:]
        self.busy = False

    def discard(self) -> None:
        """Forget the pending program; its values can never be computed (for benchmarks)."""
        self._start()


def _count_unseen() -> int:
    """References to a value that only the recorder's list holds, as the flush sees them."""
    (found,) = [*map(getrefcount, [Value(WEAK[int])])]
    return found


def _setting(values: Iterable[Value], buffers: Iterable) -> Iterator:
    """Will set the values' buffers."""
    return map(setattr, values, repeat("buffer"), buffers)


def _seen(values: list[Value], counts: list[int]) -> tuple[int, ...]:
    """The positions of pending values that Python can still see."""
    return tuple([
        i for i, (held, buffer) in enumerate(zip(counts, map(_buffer_of, values)))
        if buffer is None and held > _UNSEEN
    ])  # fmt: skip


# Exhausts an iterator. Ctrl-C comes before it or after it: no value is left without its result.
_do_all: Callable[[Iterable], None] = deque(maxlen=0).extend
_buffer_of = attrgetter("buffer")
_UNSEEN = _count_unseen()
_SEEN_TWICE = _UNSEEN + 1  # an input is in the recorder's list of inputs as well
recorder = Recorder()


def _after_fork() -> None:
    """In the child: the threads that may have held the lock or been running are not there."""
    recorder.lock = RLock()
    recorder.running = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def compute(value: Value) -> Any:
    """The value's buffer, running the pending program if it is part of it."""
    if value.buffer is None:
        if value not in recorder.late:
            recorder.flush(leave=not value.spec.shape)  # a scalar is never late, mostly
        recorder.land()
        if value.buffer is None:
            if recorder.capture is not None:
                recorder.capture.refuse_reading()
            raise RuntimeError(LOST)
    elif recorder.in_flight is not None and recorder.thread != get_ident():
        recorder.land()  # the thread that records may just have delivered it
    return value.buffer


def host(value: Value) -> Any:
    """The value as NumPy sees it (a Python number for a weak one), wherever it was computed."""
    if recorder.capture is not None:
        recorder.capture.note_reading(value)
    buffer = compute(value)
    return buffer if isinstance(buffer, _ON_HOST) else np.asarray(buffer)


def scalar(number) -> Value:
    """A Python number as an input of the program: by position, never by value."""
    if number.__class__ is int and not -(2**63) <= number < 2**64:
        raise RuntimeError("Overflow when unpacking long long: the number does not fit into int64")
    return Value(WEAK[type(number)], number)
