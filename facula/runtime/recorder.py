"""The program being recorded: appends block calls, and runs them all when a value is needed.

A program is kept as one flat list of ints, ``key``. Values are numbered as they appear. For a
value from outside the list gets ``NEW_INPUT``; for a call it gets the number of the entry followed
by the positions of its operands. An entry fixes the specs of its operands, so the list says
everything about the program except the numbers in it: Python floats are inputs like any other.
"""

from __future__ import annotations

import time
from itertools import count
from sys import getrefcount
from threading import RLock, current_thread, get_ident, main_thread
from typing import Any

from facula.base.flags import flags
from facula.graph.node import Block
from facula.graph.spec import WEAK, Spec
from facula.runtime import plans
from facula.runtime.source import user_line
from facula.runtime.value import Value

NEW_INPUT = -1


class Entry:
    """A block that can be recorded as one call; equal calls share one entry."""

    __slots__ = ("block", "cost", "name", "number", "specs")
    _numbers = count()

    def __init__(self, block: Block, name: str):
        self.block = block
        self.name = name
        self.specs = tuple([node.spec for node in block.outputs])
        self.cost = sum(spec.nbytes for spec in self.specs)
        self.number = next(Entry._numbers)


class Recorder:
    """The pending program of the process.

    One thread records without a lock. When a second thread comes, all of them take one from then
    on: the first must not be in the middle of a call at that moment, so the newcomer waits.
    """

    __slots__ = (
        "budget", "bytes", "calls", "epoch", "inputs", "key", "lines", "lock", "running", "runs",
        "thread", "values",
    )  # fmt: skip

    def __init__(self):
        self.epoch = 0
        self.runs = 0
        self.thread = get_ident()  # the only thread that records, or 0 when there are several
        self.lock = RLock()
        self.running = False
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
        return self.lock

    def _start(self):
        self.epoch += 1
        self.key: list[int] = []
        self.values: list[Value] = []
        self.inputs: list[Value] = []
        self.calls: list[Entry] = []
        self.lines: list = []
        self.budget = flags.nodes
        self.bytes = flags.bytes

    def record(self, entry: Entry, operands: list[Value]) -> list[Value]:
        """Append a call; returns its (pending) results."""
        if self.thread != get_ident():
            with self._locked():
                return self._record(entry, operands)
        return self._record(entry, operands)

    def _record(self, entry, operands):
        self._append(entry, operands)
        values, epoch = self.values, self.epoch
        results = []
        for spec in entry.specs:
            value = Value(spec, None, epoch, len(values))
            values.append(value)
            results.append(value)
        if self.budget < 0 or self.bytes < 0 or flags.eager:
            self.flush()
        return results

    def record_one(self, entry: Entry, operands: list[Value]) -> Value:
        """Append a call that has one result; returns it (pending)."""
        # What _append does is written out here: most operations pass through this method.
        if self.thread != get_ident():
            with self._locked():
                return self._record(entry, operands)[0]
        key, values, epoch = self.key, self.values, self.epoch
        call = [entry.number]
        for operand in operands:
            if operand.epoch != epoch:
                operand.epoch = epoch
                operand.position = len(values)
                values.append(operand)
                self.inputs.append(operand)
                key.append(NEW_INPUT)
            call.append(operand.position)
        key += call
        self.calls.append(entry)
        if flags.lines:
            self.lines.append(user_line())
        value = Value(entry.specs[0], None, epoch, len(values))
        values.append(value)
        self.budget -= 1
        self.bytes -= entry.cost
        if self.budget < 0 or self.bytes < 0 or flags.eager:
            self.flush()
        return value

    def _append(self, entry: Entry, operands: list[Value]) -> None:
        key, values, epoch = self.key, self.values, self.epoch
        call = [entry.number]
        for operand in operands:
            if operand.epoch != epoch:
                operand.epoch = epoch
                operand.position = len(values)
                values.append(operand)
                self.inputs.append(operand)
                key.append(NEW_INPUT)
            call.append(operand.position)
        key += call
        self.calls.append(entry)
        if flags.lines:
            self.lines.append(user_line())
        self.budget -= 1
        self.bytes -= entry.cost

    def flush(self) -> None:
        """Compute every pending value that Python can still see; the others are never made."""
        if self.thread != get_ident():
            with self._locked():
                self._flush()
        elif self.key:
            self.running = True
            try:
                self._flush()
            finally:
                self.running = False
        else:
            self.budget, self.bytes = flags.nodes, flags.bytes

    def _flush(self) -> None:
        key, values, inputs = self.key, self.values, self.inputs
        calls, lines = self.calls, self.lines
        self._start()
        live = []
        for value in values:
            if value.buffer is None and getrefcount(value) > _UNSEEN:
                live.append(value.position)
        if not live:
            return
        self.runs += 1
        plan = plans.find(tuple(key), tuple(live), inputs, calls, lines)
        results = plan.run([value.buffer for value in inputs])
        for position, buffer in zip(live, results, strict=True):
            values[position].buffer = buffer

    def discard(self) -> None:
        """Forget the pending program; its values can never be computed (for benchmarks)."""
        self._start()


def _count_unseen() -> int:
    """References to a value that only the recorder's list holds, as the loop in flush sees them."""
    values = [Value(WEAK[int])]
    for value in values:
        return getrefcount(value)
    return 0


_UNSEEN = _count_unseen()
recorder = Recorder()


def compute(value: Value) -> Any:
    """The value's buffer, running the pending program if it is part of it."""
    if value.buffer is None:
        recorder.flush()
        if value.buffer is None:
            raise RuntimeError(
                "a tensor's value was lost: the operation that computes it failed earlier "
                "(see the first error)"
            )
    return value.buffer


def scalar(number) -> Value:
    """A Python number as an input of the program: by position, never by value."""
    return Value(WEAK[type(number)], number)


def constant_value(array, spec: Spec) -> Value:
    """A computed value."""
    return Value(spec, array)
