"""Runs a plan, that is kernels over slots, in one native call.

``Executor(steps, table, inputs, outputs)``

* A *slot* holds the address of a buffer. Slots 0, 1, ... are the inputs, then come the outputs;
  ``table`` gives the addresses of the slots after those (arena, constants), and `STATUS_SLOT` is
  where kernels report bad indices.
* ``inputs`` and ``outputs`` say what to expect there: ``(dtype, elements)`` for an array, ``float``
  or ``int`` for a Python number, which kernels find as a double or an int64.
* A step is ``Step(address, chunks, cost, slots, writes)``: kernels run in order, each on as many
  threads as its chunks and its cost in nanoseconds are worth.

``run(inputs, outputs)`` takes two *lists* (of arrays and numbers; of arrays) and returns 0, or the
number (from 1) of the step whose STATUS was set; ``status`` then holds {code, a, b}. Plain
C-contiguous arrays and numbers are bound by native code, anything else, such as strided or
byte-swapped inputs and NumPy scalars, by Python. Other Python threads may run during plans that
take long; a plan runs once at a time, whoever calls it.

``call(inputs, outputs, True)`` may return LEFT as soon as the first ``head`` steps are done. None
of the others may report a bad index. A worker does them while Python goes on; the arrays must be
kept until ``finish()`` has returned, and nothing else may run before.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from facula.engines.native import executor_code, jit, objects, threads
from facula.engines.native.executor_code import (
    ARRAY,
    EXPECT,
    FLOAT,
    INTEGER,
    NO_POOL,
    REFUSED,
    STEP,
    Plan,
)
from facula.engines.native.kernel import Kernel
from facula.engines.native.pool_code import Word
from facula.engines.native.trial_code import Trial

_CALL = jit.with_others(Kernel("executor", "executor call", executor_code.call))
_ERRAND = jit.with_others(Kernel("executor", "executor errand", executor_code.errand))
_FINISH = jit.with_others(Kernel("executor", "executor finish", executor_code.finish))
STATUS_SLOT = -1
SHARED = 15_000.0  # ns of work below which moving the data to another core costs more than it saves
NEAR = 1_000.0  # the same for data that already lie with several cores
GRAIN = 4_000.0  # ns of work that make one more thread worth while
LOUD = 20_000.0  # ns of work for which sleeping threads are woken
CERTAIN = 2_000_000.0  # ns of work of a plan from which several threads surely help
RELEASE = 50_000.0  # ns of work of a plan during which other Python threads may run

Expected = tuple[np.dtype, int] | type[float] | type[int]


class Step(NamedTuple):
    """A kernel at ``address``, the slots of its operands, and which of those it writes."""

    address: int
    chunks: int
    cost: float
    slots: Sequence[int]
    writes: Sequence[int] = ()


class Executor:
    """A plan that can be run; see the module."""

    def __init__(
        self,
        steps: Sequence[Step],
        table: Sequence[int],
        inputs: Sequence[Expected],
        outputs: Sequence[Expected],
        head: int = 0,
    ):
        self.steps = list(steps)
        self.inputs = [_canonical(wanted) for wanted in inputs]
        self.outputs = [_canonical(wanted) for wanted in outputs]
        first = len(self.inputs) + len(self.outputs)
        memory = np.zeros(Plan.SIZE + 8, np.int64)
        self.words = memory[-(memory.ctypes.data // 8) % 8 :]  # from where a cache line begins
        self.status = self.words[Plan.STATUS : Plan.STATUS + 3]
        self.table = np.zeros(first + len(table) + 1, np.int64)
        self.table[first:-1] = np.array(table, np.uint64).view(np.int64)
        self.table[-1] = self.status.ctypes.data  # found at STATUS_SLOT
        widest = max([len(step.slots) for step in self.steps], default=0)
        use = _threads_for(self.steps)
        encoded = _encoded_steps(self.steps, use, len(self.table))
        self._blocks = {
            Plan.STEPS: encoded,
            Plan.TABLE: self.table,
            Plan.ARGUMENTS: np.zeros(widest + 1, np.int64),
            Plan.EXPECTED: _encoded_expectations([*self.inputs, *self.outputs]),
            Plan.NUMBERS: np.zeros(first + 1, np.int64),
            Plan.PYTHON: objects.addresses(),
        }
        for place, block in self._blocks.items():
            self.words[place] = block.ctypes.data
        self.words[Plan.COUNT] = len(self.steps)
        self.words[Plan.INPUTS], self.words[Plan.OUTPUTS] = len(self.inputs), len(self.outputs)
        self.words[Plan.POOL] = threads.pool().address
        self.words[Plan.RELEASE] = sum([step.cost for step in self.steps]) >= RELEASE
        shared = [step.cost for step, count in zip(self.steps, use) if count > 1]
        if sum(shared) >= LOUD:
            self.words[Plan.WAKE] = max(use)
        self.words[Plan.HEAD] = head
        before = sum([STEP + len(step.slots) for step in self.steps[:head]])
        self.words[Plan.TAIL] = encoded[before:].ctypes.data
        cost = sum([step.cost for step in self.steps])
        self.words[Plan.COST] = int(cost)
        self.words[Plan.TRIAL + Trial.TRY] = bool(shared) and cost < CERTAIN
        self.call, self.finish = self._callers()

    def run(self, inputs: list[Any], outputs: list[np.ndarray]) -> int:
        """Run the plan: 0, or the number (from 1) of the step that found a bad index.

        Raises TypeError for an item that cannot be what the plan expects, OverflowError for an int
        of more than 64 bits.
        """
        code = self.call(inputs, outputs)
        return code if code >= 0 else self.run_again(code, inputs, outputs)

    @contextlib.contextmanager
    def timing(self) -> Iterator[np.ndarray]:
        """Within it runs fill the given array with the nanoseconds that each step took."""
        ticks = np.zeros(len(self.steps) + 1, np.int64)
        found = np.zeros(len(self.steps))
        self.words[Plan.TICKS] = ticks.ctypes.data
        try:
            yield found
        finally:
            self.words[Plan.TICKS] = 0
            found[:] = np.diff(ticks)

    def times(self, inputs: list[Any], outputs: list[np.ndarray]) -> np.ndarray:
        """Run the plan and return the nanoseconds that each step took."""
        with self.timing() as found:
            self.run(inputs, outputs)
        return found

    def _callers(self) -> tuple[Callable[..., int], Callable[[], int]]:
        """The functions ``call`` and ``finish`` of this plan."""
        plan = self.words.ctypes.data
        if objects.readable():
            methods, errand = _methods()
            self.words[Plan.ERRAND : Plan.ERRAND + 2] = errand, plan
            python = objects.addresses().ctypes.data
            call, finish = [objects.built_in(method, python, plan) for method in methods]
            return call, finish
        lock, run = threading.Lock(), _run()

        def bind_and_run(inputs: list[Any], outputs: list[Any], leave: bool = False) -> int:
            wide, started = self.words[Plan.WAKE] > 1, threads.pool().words[Word.LIMIT]
            if wide and not started:
                return NO_POOL
            with lock:
                holders = [np.asarray(i) for i in (*self._mended(inputs, outputs), *outputs)]
                self.table[: len(holders)] = [holder.ctypes.data for holder in holders]
                return run(plan)

        return bind_and_run, lambda: 0

    def run_again(self, code: int, inputs: list[Any], outputs: list[np.ndarray]) -> int:
        """Removes what kept the plan from running, and runs it."""
        mended = False
        while code < 0:
            if code == NO_POOL:
                threads.pool().start()
            elif code == REFUSED:
                if mended:
                    raise RuntimeError("native code refused what the plan expects")
                inputs, outputs = self._mended(inputs, outputs), list(outputs)
                mended = True
            else:
                time.sleep(20e-6)  # another thread runs it just now
            code = self.call(inputs, outputs)
        return code

    def _mended(self, inputs: Sequence[Any], outputs: Sequence[np.ndarray]) -> list[Any]:
        """The inputs as native code takes them; raises TypeError where that cannot be."""
        for what, items, needed in (
            ("inputs", inputs, self.inputs),
            ("outputs", outputs, self.outputs),
        ):
            if len(items) != len(needed):
                raise TypeError(f"a plan with {len(needed)} {what} was given {len(items)}")
        for number, (item, wanted) in enumerate(zip(outputs, self.outputs)):
            if not _is_plain(item, wanted) or not item.flags.writeable:
                raise TypeError(f"output {number} of a plan must be {wanted}, got {_words(item)}")
        return [_mend(n, *pair) for n, pair in enumerate(zip(inputs, self.inputs))]


def _canonical(wanted: Expected) -> Expected:
    """With the one object that stands for a built-in dtype: native code compares identities."""
    return (np.dtype(wanted[0].char), wanted[1]) if isinstance(wanted, tuple) else wanted


def _threads_for(steps: Sequence[Step]) -> list[int]:
    """How many threads may share each step.

    What several threads wrote lies in several cores' caches: to work on it where it lies is worth
    while for less work than to move it would be.
    """
    found = []
    spread: set[int] = set()  # slots that several threads wrote
    for step in steps:
        near = not spread.isdisjoint(step.slots)
        least, grain = (NEAR, NEAR) if near else (SHARED, GRAIN)
        use = min(step.chunks, int(step.cost / grain) + 1, threads.MOST)
        use = use if step.cost >= least else 1
        written = {step.slots[place] for place in step.writes}
        spread = spread | written if use > 1 else spread - written
        found.append(use)
    return found


def _encoded_steps(steps: Sequence[Step], use: Sequence[int], slots: int) -> np.ndarray:
    words: list[int] = []
    for step, count in zip(steps, use):
        loud = step.cost >= LOUD
        words += [step.address, step.chunks, count, loud, len(step.slots)]
        if not all(STATUS_SLOT <= slot < slots - 1 for slot in step.slots):
            raise IndexError(f"a step has operands {step.slots}; there are {slots - 1} slots")
        words += [slots - 1 if slot == STATUS_SLOT else slot for slot in step.slots]
    return np.array(words or [0], np.uint64).view(np.int64)


def _encoded_expectations(expected: Sequence[Expected]) -> np.ndarray:
    words = np.zeros((len(expected) + 1, EXPECT), np.int64)
    for row, wanted in zip(words, expected):
        if isinstance(wanted, tuple):
            row[:] = ARRAY, id(wanted[0]), wanted[1]
        elif wanted is float:
            row[:] = FLOAT, id(np.dtype(np.float64)), 1
        else:
            row[:] = INTEGER, id(np.dtype(np.int64)), 1
    return words


def _is_plain(item: Any, wanted: Expected) -> bool:
    return (
        isinstance(wanted, tuple)
        and type(item) is np.ndarray
        and item.dtype is wanted[0]
        and item.size == wanted[1]
        and item.flags.c_contiguous
        and item.flags.aligned
    )


def _mend(number: int, item: Any, wanted: Expected) -> Any:
    try:
        if wanted is float:
            return float(item)
        if wanted is int:
            return int(np.int64(int(item)))  # raises OverflowError
        assert isinstance(wanted, tuple)
        plain = np.empty(np.shape(item), wanted[0])
        if plain.size == wanted[1]:
            np.copyto(plain, item, casting="equiv")
            return plain
    except (TypeError, ValueError):
        pass
    raise TypeError(f"input {number} of a plan must be {wanted}, got {_words(item)}")


def _words(item: Any) -> str:
    return f"{type(item).__name__} of {getattr(item, 'dtype', '?')} {np.shape(item)}"


@functools.cache
def _methods() -> tuple[list[Any], int]:
    """What ``call`` and ``finish`` are made of, and the address of ``errand``."""
    call, finish, errand = jit.load([_CALL, _FINISH, _ERRAND])
    return [objects.method(call), objects.method(finish)], errand


@functools.cache
def _run() -> Callable[[int], int]:
    (address,) = jit.load([Kernel("executor", "executor run", executor_code.run)])
    return ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)(address)
