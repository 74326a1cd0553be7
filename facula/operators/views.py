"""Views: results that share their operand's storage, and writes through them."""

from __future__ import annotations

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.autograd.storage import Alias


class View:
    """How a view operator treats memory.

    ``strides(shape, strides, offset, *statics)`` gives the view's (strides, offset) or None where
    the result has to be a copy; ``write(before, value, *statics)`` is ``before`` with the viewed
    elements replaced; ``absolute`` views start at the storage, whatever the operand's own view.
    """

    __slots__ = ("absolute", "strides", "write")

    def __init__(self, strides, write, absolute=False):
        self.strides = strides
        self.write = write
        self.absolute = absolute


class Step:
    """One view operation of a chain: the operator and its static arguments (and which output)."""

    __slots__ = ("index", "operator", "statics")

    def __init__(self, operator, statics, index):
        self.operator = operator
        self.statics = statics
        self.index = index

    def forward(self, tensor):
        """The view of ``tensor``, without sharing its storage."""
        out = self.operator(tensor, *self.statics)
        return out if isinstance(out, TensorBase) else out[self.index]

    def write(self, before, value):
        if self.index is not None:
            return self.operator.view.write(before, value, *self.statics, index=self.index)
        return self.operator.view.write(before, value, *self.statics)

    def __eq__(self, other):
        return (
            self.operator is other.operator
            and self.statics == other.statics
            and self.index == other.index
        )

    def __hash__(self):
        return hash((self.operator, self.statics, self.index))

    def __repr__(self):
        return f"{self.operator.__name__}{self.statics}"


def shared_with_numpy(tensor) -> bool:
    """Whether the tensor's memory is (perhaps still) visible to NumPy."""
    alias = getattr(tensor, "_alias", None)
    return alias is not None and alias.storage.array is not None and modes.trace is None


def attach(out, source, operator, args, index=None):
    """Let ``out`` share ``source``'s storage; returns ``out``."""
    alias = source._own_alias()
    statics = tuple([tuple(a) if isinstance(a, list) else a for a in args[1:]])
    spec = source._value.spec
    extra = () if index is None else (index,)
    layout = operator.view.strides(spec.shape, alias.strides, alias.offset, *statics, *extra)
    if layout is None:
        return out
    strides, offset = layout
    step = Step(operator, statics, index)
    chain = (step,) if operator.view.absolute else (*alias.chain, step)
    base, depth = None, 0
    if modes.grad and not modes.inference:
        inner = alias.base is not None
        base = alias.base if inner else source
        depth = alias.depth if inner else len(alias.chain)
    storage = alias.storage
    seen = -1 if storage.array is not None else storage.version
    out._alias = Alias(storage, chain, base, depth, strides, offset, seen)
    return out


def assign(target, new, write_view) -> None:
    """Make ``target`` hold ``new`` (same shape and dtype): the write of every in-place operation.

    Tensors that share the storage see it; the gradient history of ``target`` becomes ``new``'s
    when gradients are on.
    """
    alias = target._own_alias()
    storage = alias.storage
    if storage.array is not None:
        _write_shared(target, alias, new)
        return
    if not alias.chain:
        storage.value = target._value = new._value
        storage.version += 1
        alias.seen = storage.version
        _take_history(target, new)
        return
    base = alias.base
    if base is not None and modes.grad and (new._node is not None or base._node is not None):
        assign(base, write_view(base, new, alias.chain[alias.depth :]), write_view)
        target._sync()
        return
    before, modes.grad = modes.grad, False
    try:
        storage.value = write_view(wrap(storage.value), new, alias.chain)._value
    finally:
        modes.grad = before
    storage.version += 1
    alias.seen = storage.version
    target._value = new._value
    if base is None:
        _take_history(target, new)


def _take_history(target, new) -> None:
    if modes.grad:
        target._node, target._nr = new._node, new._nr


def _write_shared(target, alias, new) -> None:
    """Memory that NumPy can see is written at once."""
    storage = alias.storage
    spec = target._value.spec
    value = new._buffer()
    window = storage.window(spec, alias.strides, alias.offset)
    window[...] = value
    storage.version += 1
    if not modes.grad:
        return
    target._node, target._nr = new._node, new._nr
