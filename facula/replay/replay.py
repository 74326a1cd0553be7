"""Replay: a captured function as one plan, with the lists that connect it to the tensors.

A replay costs a few microseconds of Python, so all that can be is prepared: where inputs come from
and outputs go, in lists that C code walks (``map``), and what may have changed since is compared
by identity. Whatever does not fit takes the long way, or says that the function has to be recorded
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter, is_
from sys import getrefcount
from threading import get_ident
from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.base.picking import picker
from facula.replay import trees
from facula.replay.errors import CaptureError
from facula.replay.numbers import hyperparameters
from facula.replay.outcome import Outcome, same_buffer
from facula.replay.recording import outlier
from facula.runtime.recorder import compute, recorder
from facula.runtime.value import Value

_value_of = attrgetter("value")
_handle_value = attrgetter("_value")
_buffer_of = attrgetter("buffer")
_grad_of = attrgetter("_grad")
_node_of = attrgetter("_node")
_training_of = attrgetter("training")
PLAIN: list = []  # the function itself has to say what is wrong with the arguments


class Replay:
    """One way the function ran: for arguments of given kinds, modes of modules, and so on."""

    def __init__(self, outcome: Outcome, kept: list):
        self.outcome = outcome
        self.plan = outcome.plan
        self.kept = kept  # objects whose ids stand in keys
        self._set_inputs()
        self._set_guards()
        self._set_memories()
        self._set_gradients()
        self._set_result()

    # What is prepared ----------------------------------------------------------------------------

    def _set_inputs(self) -> None:
        """The pool is arguments, memories, draws, numbers, floats, constants, in this order."""
        outcome, recording = self.outcome, self.outcome.recording
        kinds = outcome.kinds
        self.steps = recording.steps
        self.draws = [draw for _, draw in recording.drawn]
        self.arguments = sorted({what for kind, what in kinds if kind == "argument"})
        self.cells = [what for kind, what in kinds if kind == "memory"]
        counts = [len(step.places) for step in self.steps]
        floats = sorted({what for kind, what in kinds if kind == "float"})
        self.float_leaves = floats
        self.constants = [what for kind, what in kinds if kind == "constant"]
        starts, at = {}, 0
        for kind, size in (
            ("argument", len(self.arguments)), ("memory", len(self.cells)),
            ("draw", len(self.draws)), ("number", sum(counts)), ("float", len(floats)),
            ("constant", len(self.constants)),
        ):  # fmt: skip
            starts[kind] = at
            at += size
        memories = constants = 0
        places = []
        for kind, what in kinds:
            if kind == "argument":
                offset = self.arguments.index(what)
            elif kind == "memory":
                offset, memories = memories, memories + 1
            elif kind == "constant":
                offset, constants = constants, constants + 1
            elif kind == "number":
                offset = sum(counts[: what[0]]) + what[1]
            else:
                offset = floats.index(what) if kind == "float" else what
            places.append(starts[kind] + offset)
        self.pick = picker(places)
        self.places = places
        self.executable: Any = None
        self.dying: list[tuple[int, int]] = []
        own = {id(v): i for i, v in enumerate(outcome.inputs)}
        self.ranges = [
            (places[own[id(value)]], low, high, besides)
            for value, low, high, besides in recording.ranges
            if id(value) in own and kinds[own[id(value)]][0] in ("argument", "memory")
        ]

        self.reads_memories = any(place >= len(self.arguments) for place, *_ in self.ranges)

    def _set_guards(self) -> None:
        recording = self.outcome.recording
        self.floats = dict(self.outcome.float_values)
        self.free: set[int] = set()  # floats that may have any value
        self.modules = list(recording.modules.values())
        self.modes = list(map(_training_of, self.modules))
        self.optimizers = recording.optimizers
        plain = {id(step.optimizer) for step in self.steps}
        self.others = [o for o in recording.optimizers if id(o) not in plain]
        self.other_options = [hyperparameters(o) for o in self.others]

    def _set_memories(self) -> None:
        outcome = self.outcome
        self.storages = [cell.storage for cell in self.cells]
        self.handles = [cell.handle for cell in self.cells]
        self.values = [storage.value for storage in self.storages]
        self.nodes = list(map(_node_of, self.handles))
        leaves = {}  # memories of arguments belong to the arguments of each call
        for i, storage in outcome.argument_storages.items():
            leaves[id(storage)] = i
        self.written, self.written_otherwise, self.written_arguments, places = [], [], [], []
        for cell, source in outcome.written:
            if id(cell.storage) in leaves:
                self.written_arguments.append((leaves[id(cell.storage)], source))
            elif source[0] == "out":
                self.written.append(cell)
                places.append(outcome.rank[source[1]])
            else:
                self.written_otherwise.append((cell, source))
        self.pick_written = picker(places)
        self.written_storages = [cell.storage for cell in self.written]
        number = {id(storage): i for i, storage in enumerate(self.storages)}
        if any(c.owner is not None and id(c.storage) not in number for c in self.written):
            raise CaptureError(
                "the captured function writes into gradients without reading them, for example by "
                "zero_(); set them to None instead"
            )
        self.written_as_input = [number.get(id(s)) for s in self.written_storages]
        self.all_read = None not in self.written_as_input  # then fits() has looked at the values
        self.written_values = [storage.value for storage in self.written_storages]
        self.alone: list[int] = [-1] * len(self.written)

    def _set_gradients(self) -> None:
        """Which tensors are left with new gradients, and which had one before the call."""
        outcome = self.outcome
        given = outcome.argument_handles
        self.leaves = [handle for handle, _ in outcome.leaves]
        self.had = [had for _, had in outcome.leaves]
        sources = {id(handle): source for handle, source in outcome.gradients}
        self.cleared = [h for h in self.leaves if sources.get(id(h), 0) is None]
        self.remade = [i for i, h in enumerate(self.leaves) if sources.get(id(h)) is not None]
        self.owners = [self.leaves[i] for i in self.remade]
        self.made = [handle._grad for handle in self.owners]
        self.made_sources = found = [sources[id(handle)] for handle in self.owners]
        self.made_places = [outcome.rank[what] if kind == "out" else -1 for kind, what in found]
        self.pick_made = picker(self.made_places)
        self.alone_made: list[int] = []
        self.owns = False  # whether the gradients are those that were made here
        self.argument_gradients = [
            (given[id(handle)], source)
            for handle, source in outcome.gradients
            if id(handle) in given
        ]
        # What each gradient has to be before a call; of others it only matters if there are any.
        self.expected = [h._grad if had else None for h, had in outcome.leaves]

    def _set_result(self) -> None:
        leaves: list = []
        trees.rebuild(self.outcome.result, leaves.append)
        rank = self.outcome.rank
        self.has_rest = bool(
            self.cleared
            or self.written_arguments
            or self.written_otherwise
            or self.argument_gradients
        )
        self.returned = {rank[leaf.what] for leaf in leaves if leaf.kind == "out"}
        self.leaves_late = False
        self.single = None
        if len(leaves) == 1 and leaves[0] is self.outcome.result and leaves[0].kind == "out":
            self.single = rank[leaves[0].what]
            self.single_spec = self.outcome.output_specs[leaves[0].what]

    # Whether it fits -----------------------------------------------------------------------------

    def fits(self, leaves: list) -> bool:
        """Whether the function would do the same again, as far as can be seen."""
        if self.modules and [*map(_training_of, self.modules)] != self.modes:
            return False
        if (
            not all(map(is_, map(_grad_of, self.leaves), self.expected))
            and not self._gradients_fit()
        ):
            return False
        values = self.values
        if (
            values != [*map(_value_of, self.storages)]
            or values != [*map(_handle_value, self.handles)]
        ) and not self._read_again():
            return False
        if self.nodes != [*map(_node_of, self.handles)]:
            return False
        for i, value in self.floats.items():
            if i not in self.free and leaves[i] != value:
                return False
        return not self.others or self.other_options == [hyperparameters(o) for o in self.others]

    def _gradients_fit(self) -> bool:
        """Other tensors are gradients now: it matters whether there are any; use their memory."""
        if self.had != [handle._grad is not None for handle in self.leaves]:
            return False
        self.owns = False
        for i, cell in enumerate(self.cells):
            if cell.owner is not None and cell.owner._grad is not self.handles[i]:
                self.cells[i] = new = cell.now()
                self.handles[i], self.storages[i] = new.handle, new.storage
                self.nodes[i] = new.handle._node
                if i in self.written_as_input:
                    at = self.written_as_input.index(i)
                    self.written[at], self.written_storages[at] = new, new.storage
                    self.alone[at] = -1
        for i, handle in enumerate(self.leaves):
            if self.had[i]:
                self.expected[i] = handle._grad
        return True

    def _read_again(self) -> bool:
        """Somebody wrote to a memory, or a tensor has another one now (then this does not fit)."""
        for i, storage in enumerate(self.storages):
            handle = self.handles[i]
            alias = handle._alias
            if alias is None or alias.storage is not storage:
                return False
            handle._sync()
            compute(handle._value)
            self.values[i] = handle._value
        return True

    # Doing it ------------------------------------------------------------------------------------

    def run(self, leaves: list) -> Any:
        """Replay; a list with the result, or None or PLAIN if the arguments do not fit."""
        numbers: list = []
        for step in self.steps:
            current = step.current()
            if current is None:
                return None
            numbers += current
        only_thread = recorder.thread == get_ident()
        try:
            return self._run(leaves, numbers, only_thread)
        except BaseException:
            recorder.land()  # values were delivered that may still be being computed
            raise
        finally:
            if only_thread:
                recorder.running = False

    def _run(self, leaves: list, numbers: list, only_thread: bool) -> Any:
        pool = []
        for i in self.arguments:
            tensor = leaves[i]
            if tensor._alias is not None:
                tensor._sync()
            buffer = tensor._value.buffer
            pool.append(compute(tensor._value) if buffer is None else buffer)
        if self.reads_memories:
            recorder.land()
        recorder.deliver()
        pool += map(_buffer_of, self.values)
        for place, low, high, besides in self.ranges:
            if outlier(pool[place], low, high, besides) is not None:
                recorder.land()
                return PLAIN
        self.drawn = [draw() for draw in self.draws]
        pool += self.drawn
        pool += numbers
        for i in self.float_leaves:
            pool.append(leaves[i])
        pool += self.constants
        buffers = [*self.pick(pool)]
        del pool  # what is written over must be held by nobody else
        alone = [*map(getrefcount, self.written_values)] == self.alone and (
            self.all_read or self.written_values == [*map(_value_of, self.written_storages)]
        )
        results: list = []
        leave = alone and self._may_leave() and only_thread
        if only_thread:
            recorder.running = True  # a second thread waits: it would run and leave something, too
        try:
            if alone and (self.dying or leave):
                leave = self.plan.run_over(buffers, self.dying, results, leave)
            else:
                recorder.land()
                results = self.plan.run(buffers)
        finally:
            if results:
                self._write(results, alone, leave)
        if self.made:
            self._write_gradients(leaves, results, leave)
        for step in self.steps:
            step.commit()
        if self.has_rest:
            self._write_rest(leaves, results)
        if self.single is not None:
            return [wrap(Value(self.single_spec, results[self.single]))]
        return [self._result(leaves, results)]

    def _may_leave(self) -> bool:
        """Whether the engine may return before all is computed: the memories can wait.

        Also finds which old values of memories the engine can write results over.
        """
        if self.executable is not self.plan.executable:
            self.executable = self.plan.executable
            read = {id(storage): i for i, storage in enumerate(self.storages)}
            written = {read[id(s)] for s in self.written_storages if id(s) in read}
            first = len(self.arguments)  # memories follow the arguments in the pool
            dead = {at for at, place in enumerate(self.places) if place - first in written}
            self.dying = [pair for pair in self.plan.donors if pair[0] in dead]
            late = set(self.plan.late)
            self.leaves_late = bool(late) and not self.has_rest and not late & self.returned
        return self.leaves_late

    def _write(self, results: list, alone: bool, leave: bool) -> None:
        """Put new values into the memories: into the old Value where nobody else holds it."""
        values = self.written_values
        new = self.pick_written(results)
        if alone:
            self._fill(values, new, leave)
            for storage in self.written_storages:
                storage.version += 1
        else:
            for i, buffer in enumerate(new):
                self._renew(i, buffer)
            self.alone = [*map(getrefcount, values)]

    def _fill(self, values: list, new: Sequence, leave: bool) -> None:
        """Give values their buffers, now or when the engine has computed them."""
        if leave:
            recorder.leave(self.plan, dict(zip(values, new)))
        else:
            for value, buffer in zip(values, new):
                value.buffer = buffer

    def _renew(self, i: int, buffer: Any) -> None:
        """Give a memory a new Value: somebody may rely on the old one."""
        storage, handle = self.written_storages[i], self.written[i].handle
        storage.version += 1
        if storage.array is not None:
            storage.array[...] = np.asarray(buffer).reshape(-1)
            return
        value = Value(storage.spec, buffer)
        storage.value = self.written_values[i] = value
        alias = handle._alias
        if alias is not None and alias.storage is storage and not alias.chain:
            handle._value, alias.seen = value, storage.version
        number = self.written_as_input[i]
        if number is not None:
            self.values[number] = value

    def _write_gradients(self, leaves: list, results: list, leave: bool) -> None:
        """Leave new gradients: in the old tensors where nobody else holds them."""
        made = self.made
        values = [*map(_handle_value, made)]
        counts = [*map(getrefcount, made), *map(getrefcount, values)]
        if self.owns and counts == self.alone_made:
            self._fill(values, self.pick_made(results), leave)
            return
        if leave:
            recorder.land()
        for i, handle in enumerate(self.owners):
            self._leave_gradient(i, handle, self._value(self.made_sources[i], leaves, results))
        values = [*map(_handle_value, made)]
        if -1 not in self.made_places:
            self.alone_made = [*map(getrefcount, made), *map(getrefcount, values)]
            self.owns = all(self.had[place] for place in self.remade)

    def _leave_gradient(self, i: int, handle: TensorBase, value: Value) -> None:
        self.made[i] = handle._grad = wrap(value)
        place = self.remade[i]
        if self.had[place]:
            self.expected[place] = handle._grad

    def _write_rest(self, leaves, results) -> None:
        for handle in self.cleared:
            handle._grad = None
        for i, source in self.written_arguments:
            _write_whole(leaves[i], self._value(source, leaves, results))
        for cell, source in self.written_otherwise:
            _write_whole(cell.handle, self._value(source, leaves, results))
        for i, source in self.argument_gradients:
            leaves[i]._grad = None if source is None else wrap(self._value(source, leaves, results))

    def _value(self, source: tuple, leaves: list, results: list) -> Value:
        kind, what = source
        if kind == "out":
            return Value(self.outcome.output_specs[what], results[self.outcome.rank[what]])
        if kind == "value":
            return what
        if kind == "draw":
            array = self.drawn[what]
            return Value(self.outcome.recording.drawn[what][0].spec, array)
        kind, what = self.outcome.kinds[what]
        return leaves[what]._value if kind == "argument" else what.storage.value

    def _result(self, leaves: list, results: list) -> Any:
        def leaf(found):
            if found.kind == "argument":
                return leaves[found.what]
            if found.kind == "same":
                return found.what
            return wrap(self._value((found.kind, found.what), leaves, results))

        return trees.rebuild(self.outcome.result, leaf)

    def widen(self, other: Outcome) -> None:
        """Another call was this program, too: floats in which it differs may have any value."""
        for i, value in other.float_values.items():
            if value != self.floats[i]:
                self.free.add(i)


def _write_whole(tensor: TensorBase, value: Value) -> None:
    """Write to the memory of a tensor, all of which the tensor is."""
    alias = tensor._own_alias()
    storage = alias.storage
    storage.version += 1
    if storage.array is not None:
        storage.array[...] = np.asarray(value.buffer).reshape(-1)
        return
    storage.value = tensor._value = value
    alias.seen = storage.version


def difference(a: Outcome, b: Outcome) -> str | None:
    """What differs between two calls that should be one program; None if nothing does."""
    if a.key != b.key:
        return f"the operations differ from call to call, first at {_first_difference(a, b)}"
    for i, ((kind, one), (other_kind, two)) in enumerate(zip(a.kinds, b.kinds)):
        if kind != other_kind:
            return f"an input of the operation at {b.line_of_input(i)} comes from another place"
        if kind == "constant" and not same_buffer(one, two):
            shown = f": {one}, then {two}" if a.inputs[i].spec.weak else ""
            return (
                f"a value that is used at {b.line_of_input(i)} differs from call to call{shown}. "
                "A replay cannot compute it anew: pass it as an argument (a float or a tensor)"
            )
    if a.signature() != b.signature():
        return "what the function writes or returns differs from call to call"
    return None


def _first_difference(a: Outcome, b: Outcome) -> str:
    for i, (one, two) in enumerate(zip(a.calls, b.calls)):
        if one is not two:
            return b.line_of_call(i)
    return b.line_of_call(min(len(a.calls), len(b.calls)) - 1)
