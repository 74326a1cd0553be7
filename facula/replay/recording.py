"""Recording: one call of a captured function, run as one program whose parts are all known.

While the function runs, its arguments and the memories it is known to read hold values that are
not computed yet. So whatever is done with them is recorded, and reading one is noticed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import get_ident
from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.graph.spec import WEAK, Spec
from facula.nn.modules.hooks import hooks_seen, register_module_forward_pre_hook
from facula.replay.errors import CaptureError, current_line
from facula.replay.numbers import StepNumbers, hyperparameters
from facula.replay.world import Cell, World
from facula.runtime.generator import default_stream
from facula.runtime.recorder import NEW_INPUT, compute, recorder
from facula.runtime.value import Value

_WAIT_SECONDS = 30.0
_FEW = 64  # elements that Python compares faster than NumPy


class Hidden:
    """A withheld value, and what it will hold again."""

    __slots__ = ("buffer", "value")

    def __init__(self, value: Value, buffer: Any):
        self.value = value
        self.buffer = buffer


class Lent:
    """Memory shared with NumPy, taken away or it would be read behind the recorder's back."""

    __slots__ = ("array", "copy", "owner", "storage")

    def __init__(self, storage):
        self.storage = storage
        self.array, self.owner = storage.array, storage.owner
        self.copy = storage.array.reshape(storage.spec.shape).copy()
        storage.array = storage.owner = None
        storage.value = Value(storage.spec, self.copy)

    def give_back(self) -> None:
        """It is NumPy's again, with what was written meanwhile."""
        storage = self.storage
        buffer = compute(storage.value)
        if buffer is not self.copy:
            self.array[...] = np.asarray(buffer).reshape(-1)
        storage.array, storage.owner, storage.value = self.array, self.owner, None
        storage.version += 1


def _is_view(leaf: Any) -> bool:
    return isinstance(leaf, TensorBase) and leaf._alias is not None and bool(leaf._alias.chain)


def outlier(buffer: Any, low: int, high: int, besides: int | None) -> int | None:
    """An element of an index that is not in the range (and not ``besides``); None if there is none.

    Most indices are few and right, so the first look is cheap.
    """
    array = np.asarray(buffer)
    if array.size <= _FEW:
        items = array.ravel().tolist()
        if not items or (low <= min(items) and max(items) < high):
            return None
        bad = [i for i in items if not low <= i < high and i != besides]
        return bad[0] if bad else None
    if low <= array.min() and array.max() < high:
        return None
    found = array[(array < low) | (array >= high)]
    found = found if besides is None else found[found != besides]
    return int(found.flat[0]) if found.size else None


class Recording:
    """The call that is being recorded; the recorder and those who draw and step report to it."""

    def __init__(self, leaves: list, cells: list[Cell]):
        self.leaves = leaves
        self.cells = cells
        self.thread = get_ident()
        self.hidden: list[Hidden] = []
        self.lent: list[Lent] = []
        self.arguments: dict[int, int] = {}  # id of a withheld value -> number of the leaf
        self.read: dict[int, TensorBase] = {}  # id of a withheld value -> tensor over its memory
        self.draws: dict[int, Callable] = {}  # id of a value -> what draws it anew
        self.drawn: list[tuple[Value, Callable]] = []
        self.numbers: dict[int, tuple[int, int]] = {}  # id of a value -> (which step, which number)
        self.number_values: list[Value] = []
        self.steps: list[StepNumbers] = []
        self.optimizers: list = []
        self.options: list = []
        self.ranges: list[tuple[Value, int, int, int | None]] = []
        self.modules: dict[int, Any] = {}
        self._hook: Any = None

    # Begin and end -----------------------------------------------------------------------------

    def begin(self) -> None:
        """Withhold the values and keep the program growing until the call has ended.

        The recorder's lock must be held, and kept until the results of the call are computed: other
        threads then wait instead of missing what is withheld.
        """
        recorder.flush()
        views = {id(x): x._buffer() for x in self.leaves if _is_view(x)}
        recorder.flush()
        recorder.land()
        recorder.capture = self
        self.world = World()
        roots = {
            id(x._alias.storage)
            for x in self.leaves
            if isinstance(x, TensorBase) and x._alias is not None and not x._alias.chain
        }
        self._tokens()
        self._hide_world(roots)
        for i, leaf in enumerate(self.leaves):
            if isinstance(leaf, TensorBase):
                self._hide_argument(i, leaf, views.get(id(leaf)))
        self._hooks_seen = hooks_seen[0]
        self._hook = register_module_forward_pre_hook(self._note_module)
        self.stream = default_stream()
        self.stream_state = self.stream.get_state()

    def _tokens(self) -> None:
        """Floats among the arguments become objects of their own, to be recognised by identity."""
        self.floats: dict[int, int] = {}
        for i, leaf in enumerate(self.leaves):
            if leaf.__class__ is float:
                self.leaves[i] = leaf * 1.0
                self.floats[id(self.leaves[i])] = i

    def _hide(self, spec: Spec, buffer: Any) -> Value:
        value = Value(spec, None, recorder.epoch, len(recorder.values))
        recorder.values.append(value)
        recorder.inputs.append(value)
        recorder.key.append(NEW_INPUT)
        self.hidden.append(Hidden(value, buffer))
        return value

    def _hide_world(self, besides: set[int]) -> None:
        """Withhold what all tensors hold, but memory of NumPy only where it is known to be read."""
        shared = {id(cell.storage) for cell in map(Cell.now, self.cells) if cell is not None}
        for storage, value, array, handles in list(self.world.storages.values()):
            if id(storage) in besides:
                continue
            if (array is not None and id(storage) in shared) or (
                value is not None and value.buffer is not None
            ):
                root = self.world.root(handles[0])
                self.read[id(self._hide_storage(root))] = root
        given = {id(leaf) for leaf in self.leaves}
        for handle, value in self.world.loose.values():
            if id(handle) not in given and value.buffer is not None:
                handle._value = self._hide(value.spec, value.buffer)
                self.read[id(handle._value)] = handle

    def _lend(self, storage) -> None:
        if storage.array is not None:
            self.lent.append(Lent(storage))

    def _hide_storage(self, handle: TensorBase) -> Value:
        storage = handle._own_alias().storage
        self._lend(storage)
        value = storage.value = self._hide(storage.spec, compute(storage.value))
        for other in [handle, *self.world.over(storage)]:
            other._alias.seen = -1
        return value

    def _hide_argument(self, i: int, tensor: TensorBase, seen: Any) -> None:
        if id(tensor._value) in self.arguments:
            return
        alias = tensor._alias
        if alias is None or not alias.chain:
            value = self._hide_storage(tensor)
            tensor._sync()
        else:
            self._lend(alias.storage)
            value = tensor._value = self._hide(tensor._value.spec, seen)
            alias.seen = alias.storage.version
        self.arguments[id(value)] = i

    def detach(self) -> tuple:
        """The call has ended: stop watching; returns the program it recorded."""
        program = (
            recorder.key, recorder.values, recorder.inputs, recorder.calls, recorder.lines,
        )  # fmt: skip
        recorder.discard()
        self._stop_watching()
        return program

    def _stop_watching(self) -> None:
        recorder.capture = None
        for hidden in self.hidden:
            hidden.value.buffer = hidden.buffer
        if self._hook is not None:
            self._hook.remove()
            hooks_seen[0] = self._hooks_seen

    def abandon(self) -> None:
        """The call failed: what it recorded goes on as an ordinary pending program.

        Most of what was withheld is not used by it, so no entry tells the specs: the key has to.
        """
        for i, (hidden, value) in enumerate(zip(self.hidden, recorder.values)):
            if hidden.value is value:
                recorder.key[i] = NEW_INPUT - id(value.spec)
        self._stop_watching()
        self.give_back()

    def give_back(self) -> None:
        """NumPy's memory is NumPy's again."""
        for lent in self.lent:
            lent.give_back()

    def wait(self) -> None:
        """Let another thread wait until the call has ended: this program is not its own."""
        if self.is_mine():
            return
        end = time.monotonic() + _WAIT_SECONDS
        while recorder.capture is self:
            if time.monotonic() > end:
                raise CaptureError(
                    "a thread could not compute because another one is recording a captured "
                    f"function for more than {_WAIT_SECONDS:.0f} seconds; does the function wait "
                    "for this thread?"
                )
            time.sleep(0.001)

    # What is reported while the function runs ----------------------------------------------------

    def is_mine(self) -> bool:
        """Whether the thread that asks is the one whose call is recorded."""
        return get_ident() == self.thread

    def refuse_reading(self) -> None:
        """The value of a tensor is needed in Python."""
        if not self.is_mine():
            return
        raise CaptureError(
            f"{current_line()}: the captured function needs the value of a tensor here (item(), "
            "print, numpy(), a comparison in an if or while, or a shape that depends on values). "
            "A replay runs no Python, so it could not do this again. Return the tensor and read "
            "it outside; instead of an if, use torch.where."
        )

    def note_reading(self, value: Value) -> None:
        """A computed value is read: no harm unless it is of a tensor made outside."""
        if self.is_mine() and self.world.owner(value) is not None:
            self.refuse_reading()

    def note_draw(self, value: Value, draw: Callable) -> None:
        """Random numbers were drawn."""
        if self.is_mine():
            self.draws[id(value)] = draw
            self.drawn.append((value, draw))

    def note_range(self, index, low: int, high: int, besides: int | None) -> int | None:
        """The elements of an index tensor must be in a range; an element that is not, if any."""
        index._sync()
        value = index._value
        self.ranges.append((value, low, high, besides))
        for hidden in self.hidden:
            if hidden.value is value:
                return outlier(hidden.buffer, low, high, besides)
        return None if value.buffer is None else outlier(value.buffer, low, high, besides)

    def note_step(self, optimizer) -> None:
        """An optimizer takes a step."""
        if self.is_mine() and not any(known is optimizer for known in self.optimizers):
            self.optimizers.append(optimizer)
            self.options.append(hyperparameters(optimizer))

    def note_numbers(self, optimizer, group, cohort, values, numbers, structure, differentiable):
        """An optimizer gives numbers to its formula; returns them as inputs that are known."""
        if differentiable or not self.is_mine():
            return numbers
        step = StepNumbers(optimizer, group, cohort, values, numbers, structure)
        known = list(numbers)
        for i, place in enumerate(step.places):
            value = Value(WEAK[float], numbers[place])
            self.numbers[id(value)] = len(self.steps), i
            self.number_values.append(value)
            known[place] = wrap(value)
        self.steps.append(step)
        return tuple(known)

    def _note_module(self, module, args) -> None:
        if self.is_mine():
            self.modules[id(module)] = module
