"""Views: results that share their operand's storage, and writes through them."""

from __future__ import annotations

from facula.autograd.handle import TensorBase, set_history, wrap
from facula.autograd.modes import modes
from facula.autograd.node import dead_end
from facula.autograd.storage import Alias
from facula.base.caches import Cache


class View:
    """How a view operator treats memory.

    ``strides(shape, strides, offset, *statics)`` gives the view's (strides, offset) or None where
    the result has to be a copy; ``write(before, value, *statics)`` is ``before`` with the viewed
    elements replaced; ``overlapping`` views may show an element more than once; ``absolute`` views
    start at the storage, whatever the operand's own view.
    """

    __slots__ = ("absolute", "overlapping", "strides", "write")

    def __init__(self, strides, write, absolute=False, overlapping=False):
        self.overlapping = overlapping
        self.strides = strides
        self.write = write
        self.absolute = absolute


class Hole:
    """Stands in a step's skeleton for numbers that are inputs of the program."""

    __slots__ = ("count",)

    def __init__(self, count: int):
        self.count = count

    def __eq__(self, other):
        return isinstance(other, Hole) and self.count == other.count

    def __hash__(self):
        return hash((Hole, self.count))


class Step:
    """One view operation of a chain: the operator, its arguments, and which of its outputs."""

    __slots__ = ("arguments", "index", "operator")

    def __init__(self, operator, arguments, index):
        self.operator = operator
        self.arguments = arguments
        self.index = index

    def forward(self, tensor):
        """The view of ``tensor``."""
        out = self.operator(tensor, *self.arguments)
        return out if isinstance(out, TensorBase) else out[self.index]

    def write(self, before, value):
        """``before`` with the viewed elements replaced (inside a trace)."""
        if self.index is not None:
            return self.operator.view.write(before, value, *self.arguments, index=self.index)
        return self.operator.view.write(before, value, *self.arguments)

    def skeleton(self, numbers: list):
        """The step without its runtime numbers, which are appended to ``numbers``."""
        kept = []
        for argument, role in zip(self.arguments, self.operator.roles[1:], strict=True):
            if not role:
                kept.append(argument)
                continue
            given = argument if isinstance(argument, tuple) else (argument,)
            numbers.extend(given)
            kept.append(Hole(len(given)))
        return self.operator, tuple(kept), self.index

    def __repr__(self):
        return f"{self.operator.__name__}{self.arguments}"


def skeletons(chain) -> tuple[tuple, list]:
    """A chain as (static structure, runtime numbers): equal structures share one program."""
    numbers: list = []
    return tuple([step.skeleton(numbers) for step in chain]), numbers


def steps_of(structure, numbers) -> list[Step]:
    """The chain again, with numbers (or their stand-ins inside a trace) put in."""
    left = iter(numbers)
    chain = []
    for operator, kept, index in structure:
        arguments = [
            tuple([next(left) for _ in range(a.count)]) if isinstance(a, Hole) else a for a in kept
        ]
        chain.append(Step(operator, tuple(arguments), index))
    return chain


def shared_with_numpy(tensor) -> bool:
    """Whether the tensor's memory is (perhaps still) visible to NumPy."""
    alias = getattr(tensor, "_alias", None)
    return alias is not None and alias.storage.array is not None and modes.trace is None


_layouts = Cache(10_000)
_KNOWN = 100  # layouts remembered with one kind of call: a loop takes views at many offsets
_new = object.__new__


def _layout(operator, spec, alias, statics, index):
    """(strides, offset, step) of a view; remembered, unless numbers vary from call to call."""
    key = None
    if not operator.numeric:
        key = (operator, spec, alias.strides, alias.offset, statics, index)
        if key in _layouts:
            return _layouts[key]
    extra = () if index is None else (index,)
    found = operator.view.strides(spec.shape, alias.strides, alias.offset, *statics, *extra)
    if found is not None:
        found = (*found, Step(operator, statics, index))
    if key is not None:
        _layouts.put(key, found)
    return found


def attach(out, source, operator, args, index=None, known=None):
    """Let ``out`` share ``source``'s storage; returns ``out``.

    ``known`` holds the layouts that views by the same kind of call have had.
    """
    alias = source._alias
    if alias is None:
        alias = source._own_alias()
    layout = None if known is None else known.get((alias.strides, alias.offset, index))
    if layout is None:
        statics = args[1:]
        if args.__class__ is list or list in map(type, statics):
            statics = tuple([tuple(a) if a.__class__ is list else a for a in statics])
        layout = _layout(operator, source._value.spec, alias, statics, index)
        if layout is None:
            return out
        if known is not None:
            if len(known) > _KNOWN:
                known.clear()
            known[alias.strides, alias.offset, index] = layout
    strides, offset, step = layout
    storage = alias.storage
    made = _new(Alias)  # what Alias() does, without the call
    made.storage = storage
    made.chain = (step,) if operator.view.absolute else (*alias.chain, step)
    made.base, made.depth = None, 0
    made.strides, made.offset = strides, offset
    made.seen = -1 if storage.array is not None else storage.version
    made.made = alias.made if index is None else "several"
    if modes.grad:
        if not modes.inference:
            base = alias.base
            if base is None:
                made.base, made.depth = source, len(alias.chain)
            else:
                made.base, made.depth = base, alias.depth
    else:
        made.made = made.made or "no_grad"
        if source._node is not None and out._node is None:
            out._node = dead_end(out)
    out._alias = made
    return out


class _General:
    """The operator that can express every view: as_strided, which sets it."""

    operator = None


general = _General()


def _writable_chain(alias, spec):
    """The chain by which a view is written: one general step if steps of it overlap."""
    chain = alias.chain
    if alias.depth or not any(step.operator.view.overlapping for step in chain):
        return chain
    if spec.dtype is not alias.storage.spec.dtype:
        return chain
    return (Step(general.operator, (spec.shape, alias.strides, alias.offset), None),)


def assign(target, new, write_view) -> None:
    """Make ``target`` hold ``new`` (same shape and dtype): the write of every in-place operation.

    Tensors that share the storage see it; the gradient history of ``target`` becomes ``new``'s
    when gradients are on.
    """
    alias = target._own_alias()
    storage = alias.storage
    if storage.array is not None:
        _write_shared(target, alias, new, write_view)
        return
    if not alias.chain:
        storage.value = target._value = new._value
        storage.version += 1
        alias.seen = storage.version
        _take_history(target, new)
        return
    chain = _writable_chain(alias, target._value.spec)
    base = alias.base
    if base is not None and modes.grad and (new._node is not None or base._node is not None):
        assign(base, write_view(base, new, chain[alias.depth :]), write_view)
        target._sync()
        return
    before, modes.grad = modes.grad, False
    try:
        storage.value = write_view(wrap(storage.value), new, chain)._value
    finally:
        modes.grad = before
    storage.version += 1
    if base is not None and base._node is not None:
        return  # the view gets its value and a new gradient function from its base
    alias.seen = storage.version
    target._value = new._value
    if base is None:
        _take_history(target, new)


def assign_values(targets, values, write_view) -> None:
    """Make tensors hold new values outside the gradient graph: the update of an optimizer."""
    before, modes.grad = modes.grad, False
    try:
        for target, value in zip(targets, values, strict=True):
            alias = target._alias
            if alias is None or alias.chain or alias.storage.array is not None:
                assign(target, wrap(value), write_view)
                continue
            storage = alias.storage
            storage.value = target._value = value
            alias.seen = storage.version = storage.version + 1
    finally:
        modes.grad = before


def _take_history(target, new) -> None:
    if modes.grad:
        set_history(target, new._node, new._nr)


def _write_shared(target, alias, new, write_view) -> None:
    """Memory that NumPy can see is written at once; gradients go by the base, as elsewhere."""
    storage = alias.storage
    base = alias.base
    if base is not None and modes.grad and (new._node is not None or base._node is not None):
        base._sync()
        chain = _writable_chain(alias, target._value.spec)
        written = write_view(base, new, chain[alias.depth :])
        base._node, base._nr = written._node, written._nr
        base._alias.seen = storage.version + 1
    spec = target._value.spec
    value = new._buffer()
    window = storage.window(spec, alias.strides, alias.offset)
    window[...] = value
    storage.version += 1
    if base is None:
        _take_history(target, new)
