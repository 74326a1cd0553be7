"""Outcome: what one recorded call read, computed and left behind; the plan that does it again."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.node import AccumulateGrad
from facula.autograd.sweep import reachable
from facula.replay import trees
from facula.replay.canonical import Canonical
from facula.replay.errors import CaptureError
from facula.replay.numbers import hyperparameters
from facula.replay.recording import Recording
from facula.replay.world import Cell, all_tensors
from facula.runtime import plans
from facula.runtime.source import Line
from facula.runtime.value import Value

_LIVE = (
    "the captured function returns a tensor that backward() could still be called on, but a replay "
    "makes no graph. Call backward() inside the function, or return the tensor detached, or call "
    "the function within torch.no_grad()."
)


class Leaf:
    """Where a leaf of the result comes from: "out" of the plan, "in" to it, an "argument"...

    "value" is a tensor that does not depend on the program, "same" any other object.
    """

    __slots__ = ("kind", "what")

    def __init__(self, kind: str, what: Any):
        self.kind = kind
        self.what = what

    def signature(self) -> tuple:
        if self.kind == "value":
            return self.kind, self.what.spec, np.asarray(self.what.buffer).tobytes()
        if self.kind != "same":
            return self.kind, self.what
        plain = isinstance(self.what, (bool, int, float, str, type(None)))
        return self.kind, repr(self.what) if plain else id(self.what)


class Outcome:
    """See the module's text. Made from a recording right after the function has returned."""

    def __init__(self, recording: Recording, result: Any):
        self.recording = recording
        self.world = recording.world
        tensors = _tensors_in(result)
        self._sync(tensors)
        self._refuse_live(tensors)
        raw, values, inputs, calls, lines = recording.detach()
        self.calls, self.lines = calls, lines
        self._positions = {id(v): v.position for v in values}
        self._keep = values  # ids stay theirs as long as this outcome is being made
        canonical = Canonical(raw, calls)
        self.canonical = canonical
        self.key = tuple(canonical.key)
        self.inputs: list[Value] = [inputs[i] for i in canonical.order]
        self._draws = {id(v): i for i, (v, _) in enumerate(recording.drawn)}
        self._input_number = {id(v): i for i, v in enumerate(self.inputs)}
        self._outside = {id(v) for v in inputs}
        self.outputs: dict[int, int] = {}  # position -> number of the output
        self.output_specs: list = []
        self._find_writes()
        self._find_gradients()
        self.result = trees.rebuild(result, self._leaf)
        self.structure = trees.shape_of(result)
        self._classify_inputs()
        self._find_leaves()
        self._describe_arguments()

    # What was left behind ------------------------------------------------------------------------

    def _sync(self, tensors) -> None:
        """While the program can still grow: derive what was returned or left as a gradient."""
        for tensor in tensors:
            tensor._sync()
        for handle, before in zip(self.world.handles, self.world.grads):
            grad = handle._grad
            if grad is not None and grad is not before:
                if grad.is_sparse:
                    raise CaptureError("sparse gradients cannot be captured")
                grad._sync()

    def _refuse_live(self, tensors) -> None:
        for tensor in tensors:
            if id(tensor) in self.world.ids or tensor._node is None:
                continue
            if tensor._node.__class__ is AccumulateGrad:
                continue
            order = reachable([(tensor._node, tensor._nr)])
            if all(node.saved is not None for node in order):
                raise CaptureError(_LIVE)

    def _source(self, value: Value) -> tuple[str, Any]:
        """Where a value comes from: an output of the plan, an input of it, or neither."""
        draw = self._draws.get(id(value))
        if draw is not None:
            return "draw", draw
        number = self._input_number.get(id(value))
        if number is not None:
            return "in", number
        if id(value) in self._outside or id(value) not in self._positions:
            return "value", value
        position = self.canonical.place[self._positions[id(value)]]
        if position not in self.outputs:
            self.outputs[position] = len(self.outputs)
            self.output_specs.append(value.spec)
        return "out", self.outputs[position]

    def _find_writes(self) -> None:
        """Memories that hold another value than before the call."""
        world = self.world
        hidden = {id(h.value) for h in self.recording.hidden}
        lent = {id(entry.storage): entry for entry in self.recording.lent}
        self.written: list[tuple[Cell, tuple]] = []
        found: dict[int, TensorBase] = {}
        for handle in world.handles:
            alias = handle._alias
            if alias is None:
                continue
            storage = alias.storage
            placed = world.placed.get(id(handle))
            if placed is not None and placed is not storage:
                raise CaptureError(
                    "the captured function gives a tensor another memory (tensor.data = ...); "
                    "write into it instead: tensor.copy_(...)"
                )
            if id(storage) in found or storage.value is None or id(storage.value) in hidden:
                continue
            if placed is None:
                before: Any = world.loose[id(handle)][1]
            else:
                before = world.storages[id(storage)][1]
            if storage.value is before or self._copy_of(lent.get(id(storage)), storage.value):
                continue
            if before is None and id(storage) not in lent:
                continue  # was shared with NumPy, and nobody else sees it any more
            found[id(storage)] = handle
        for handle in found.values():
            storage = handle._alias.storage
            self.written.append((world.cell(handle), self._source(storage.value)))

    @staticmethod
    def _copy_of(lent, value: Value) -> bool:
        return lent is not None and value.buffer is lent.copy

    def _find_gradients(self) -> None:
        """(tensor, where the gradient it is left with comes from) for each that changed."""
        self.gradients: list[tuple[TensorBase, Any]] = []
        for handle, before in zip(self.world.handles, self.world.grads):
            grad = handle._grad
            if grad is before:
                continue
            if grad is None:
                self.gradients.append((handle, None))
            else:
                self.gradients.append((handle, self._source(grad._value)))

    def _find_leaves(self) -> None:
        """(tensor, whether it had a gradient before) of what can have one and was used."""
        given = {id(leaf) for leaf in self.recording.leaves}
        wanted = {id(handle) for handle, _ in self.gradients}
        cells = [what for kind, what in self.kinds if kind == "memory"]
        wanted |= {id(cell.handle) for cell in cells if cell.handle._node is not None}
        self.leaves = [
            (handle, before is not None)
            for handle, before in zip(self.world.handles, self.world.grads)
            if id(handle) in wanted and id(handle) not in given
        ]

    def _describe_arguments(self) -> None:
        leaves = self.recording.leaves
        self.float_values = {i: x for i, x in enumerate(leaves) if x.__class__ is float}
        tensors = {i: x for i, x in enumerate(leaves) if isinstance(x, TensorBase)}
        self.argument_handles = {id(x): i for i, x in tensors.items()}
        self.argument_storages = {
            i: x._alias.storage
            for i, x in tensors.items()
            if x._alias is not None and not x._alias.chain
        }

    def _leaf(self, item: Any) -> Leaf:
        for i, given in enumerate(self.recording.leaves):
            if item is given and not isinstance(item, (bool, int, str, type(None))):
                return Leaf("argument", i)
        if not isinstance(item, TensorBase) or id(item) in self.world.ids:
            return Leaf("same", item)
        return Leaf(*self._source(item._value))

    # What was read -------------------------------------------------------------------------------

    def _classify_inputs(self) -> None:
        """What each input of the program is, and which memories are newly found."""
        recording = self.recording
        self.kinds: list[tuple[str, Any]] = []
        self.found: list[Cell] = []
        for value in self.inputs:
            own = id(value)
            if own in recording.arguments:
                kind: tuple[str, Any] = "argument", recording.arguments[own]
            elif own in recording.read:
                kind = "memory", self.world.cell(recording.read[own])
            elif own in recording.numbers:
                kind = "number", recording.numbers[own]
            elif own in self._draws:
                kind = "draw", self._draws[own]
            elif id(value.buffer) in recording.floats and value.spec.weak:
                kind = "float", recording.floats[id(value.buffer)]
            else:
                kind = self._outside_kind(value)
            self.kinds.append(kind)

    def _outside_kind(self, value: Value) -> tuple[str, Any]:
        owner = self.world.owner(value)
        if owner is None:
            owner = self.world.reader(value)
        if owner is None:
            return "constant", value.buffer
        cell = self.world.cell(owner)
        self.found.append(cell)
        return "memory", cell

    # Running, and comparing with another call ----------------------------------------------------

    def find_left_over(self) -> None:
        """Tensors that the call made and somebody keeps: compute them, too, this time."""
        left_over = _left_over(self)
        if left_over:
            gc.collect()  # reference cycles may have kept what is not needed
            left_over = _left_over(self)
        self.kept = None
        for tensor in left_over:
            self._source(tensor._value)
            self.kept = f"a tensor of shape {tuple(tensor._value.spec.shape)}"
        if left_over:
            tensor = left_over.pop()
            left_over.clear()
            self.kept += f" that it does not return ({_holder(tensor)})"

    def run(self) -> list:
        """Compute what the call left behind; returns the outputs of the plan."""
        positions = sorted(self.outputs)
        self.rank = {self.outputs[p]: i for i, p in enumerate(positions)}
        self.plan = plans.find(self.key, tuple(positions), self.inputs, self.calls, self.lines)
        if not positions:
            self.recording.give_back()
            return []
        results = self.plan.run([v.buffer for v in self.inputs])
        self._before = {now: before for before, now in self.canonical.place.items()}
        for position, buffer in zip(positions, results, strict=True):
            self._keep[self._before[position]].buffer = buffer
        self.recording.give_back()
        return results

    def check_draws(self) -> None:
        """Draw once more from where the call began: the same numbers have to come."""
        recording = self.recording
        stream, start = recording.stream, recording.stream_state
        end = stream.get_state()
        if not recording.drawn and np.array_equal(start, end):
            return
        stream.set_state(start)
        same = all(same_buffer(value.buffer, draw()) for value, draw in recording.drawn)
        if not same or not np.array_equal(stream.get_state(), end):
            stream.set_state(end)
            raise CaptureError(
                "the captured function draws random numbers in a way that cannot be repeated (it "
                "sets the state of the generator, or draws by rejection from values of tensors)"
            )

    def give(self, given: list) -> None:
        """Make the result of this call, detached as those of replays are."""

        def leaf(found: Leaf) -> Any:
            if found.kind == "argument":
                return given[found.what]
            if found.kind == "same":
                return found.what
            if found.kind == "out":
                position = next(p for p, n in self.outputs.items() if n == found.what)
                return wrap(self._keep[self._before[position]])
            if found.kind == "draw":
                return wrap(self.recording.drawn[found.what][0])
            return wrap(self.inputs[found.what] if found.kind == "in" else found.what)

        self.given = trees.rebuild(self.result, leaf)

    def check(self) -> None:
        """Refuse what a replay would leave out."""
        optimizers = self.recording.optimizers
        if list(map(hyperparameters, optimizers)) != self.recording.options:
            raise CaptureError(
                "the captured function changes the options of an optimizer (a scheduler's step?). "
                "That is Python and would not be replayed: call scheduler.step() outside"
            )

    def release(self) -> None:
        """Forget what is only needed right after the call."""
        recording = self.recording
        recording.hidden, recording.lent, recording.leaves = [], [], []
        del self._keep, self._positions, self.world, self.recording.world, self._outside

    def line_of_input(self, number: int) -> str:
        """The user's line that first uses an input."""
        return self.line_of_call(self.canonical.users[number])

    def line_of_call(self, number: int) -> str:
        """The user's line on which a call was made."""
        place = self.lines[number] if 0 <= number < len(self.lines) else None
        return str(Line(place)) if place else "an unknown line"

    def _name(self, cell: Cell) -> tuple:
        for i, storage in self.argument_storages.items():
            if cell.storage is storage:
                return "argument", i
        return cell.key()

    def _tensor_name(self, handle: TensorBase) -> tuple:
        i = self.argument_handles.get(id(handle))
        return ("tensor", id(handle)) if i is None else ("argument", i)

    def situation(self) -> tuple:
        """What decides which program a call is, besides its arguments."""
        modules = self.recording.modules.values()
        return (
            tuple([(id(handle), had) for handle, had in self.leaves]),
            tuple([(id(module), module.training) for module in modules]),
        )

    def signature(self) -> tuple:
        """Equal for calls that are the same program over the same memories."""
        kinds = []
        for kind, what in self.kinds:
            if kind == "constant":
                kinds.append(kind)
            else:
                kinds.append((kind, self._name(what) if kind == "memory" else what))
        leaves: list = []
        trees.rebuild(self.result, lambda leaf: leaves.append(leaf.signature()))
        return (
            self.key,
            tuple(kinds),
            tuple(self.outputs),
            tuple([(self._name(cell), source[0]) for cell, source in self.written]),
            tuple([(self._tensor_name(h), source is None) for h, source in self.gradients]),
            self.structure,
            tuple(leaves),
            self.situation(),
            tuple([step.signature() for step in self.recording.steps]),
        )


def same_buffer(a: Any, b: Any) -> bool:
    """Whether two constants are equal, bit for bit."""
    if a is b:
        return True
    if isinstance(a, (bool, int, float, complex)):
        return type(a) is type(b) and repr(a) == repr(b)
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def _holder(tensor: TensorBase) -> str:
    """Who refers to a tensor, in words."""
    holders = gc.get_referrers(tensor)
    for holder in holders:
        if isinstance(holder, dict):
            name = next((n for n, x in holder.items() if x is tensor), None)
            if name is not None:
                return f"it is kept under the name {name!r}"
    in_list = any(type(holder) is list for holder in holders)
    return "it is kept in a list" if in_list else "some object refers to it"


def _tensors_in(result: Any) -> list[TensorBase]:
    found: list[TensorBase] = []
    trees.rebuild(result, lambda x: found.append(x) if isinstance(x, TensorBase) else None)
    return found


def _left_over(outcome: Outcome) -> list[TensorBase]:
    """New tensors that hold results of the call although it neither returned nor wrote them."""
    grads = {id(handle._grad) for handle, _ in outcome.gradients}
    known = outcome.world
    found = []
    for handle in all_tensors():
        if id(handle) in known.ids or id(handle) in grads:
            continue
        if id(handle._value) not in outcome._positions or id(handle._value) in outcome._outside:
            continue
        alias = handle._alias
        if alias is not None and id(alias.storage) in known.storages:
            continue
        found.append(handle)
    return found
