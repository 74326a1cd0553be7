"""TensorBase: the state of a tensor, below everything users can call on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from facula.autograd.modes import modes
from facula.autograd.storage import Alias, root_alias, window
from facula.graph.spec import Spec
from facula.runtime.recorder import host
from facula.runtime.value import Value


class TensorBase:
    """A handle on a value.

    ``_value`` is the value (or, inside a trace, the node); ``_alias`` is set when memory is shared
    with other tensors; ``_node``/``_nr`` is the gradient function that made it and which of its
    outputs it is (an AccumulateGrad for a leaf that requires gradients); ``_grad`` the gradient.
    """

    __slots__ = ("__dict__", "__weakref__", "_alias", "_grad", "_node", "_nr", "_value")

    _value: Any
    _alias: Alias | None
    _node: Any
    _nr: int
    _grad: Any

    def _sync(self) -> None:
        """Bring value and gradient history up to date with writes through other views."""
        alias = self._alias
        if alias is None:
            return
        storage = alias.storage
        if storage.array is not None:
            self._read_shared(alias)
        elif alias.seen != storage.version:
            alias.seen = storage.version
            self._replay(alias)

    def _read_shared(self, alias: Alias) -> None:
        storage = alias.storage
        if not storage.still_shared():
            storage.take_back()
            self._sync()
            return
        spec = self._value.spec
        self._value = Value(spec, np.array(storage.window(spec, alias.strides, alias.offset)))
        base = alias.base
        if base is not None and base._node is not None and alias.seen != storage.version:
            alias.seen = storage.version
            base._sync()
            if base._alias.chain != alias.chain:
                view = self._replayed(base, alias.chain[alias.depth :])
                set_history(self, view._node, view._nr)

    def _replay(self, alias: Alias) -> None:
        base = alias.base
        if base is not None:
            base._sync()
            if base._node is not None and base._alias.chain != alias.chain:
                view = self._replayed(base, alias.chain[alias.depth :])
                self._value = view._value
                set_history(self, view._node, view._nr)
                return
        if not alias.chain:
            self._value = alias.storage.value
            return
        if self._read_computed(alias):
            return
        before, modes.grad = modes.grad, False
        try:
            root = wrap(alias.storage.value)
            self._value = self._replayed(root, alias.chain)._value
        finally:
            modes.grad = before

    def _read_computed(self, alias: Alias) -> bool:
        """Read a view straight from memory that is computed already, however long its chain."""
        storage, spec = alias.storage, self._value.spec
        buffer = storage.value.buffer
        if buffer.__class__ is not np.ndarray or modes.trace is not None:
            return False
        if not buffer.flags.c_contiguous or storage.spec.dtype is not spec.dtype:
            return False
        self._value = Value(spec, np.array(window(buffer, spec, alias.strides, alias.offset)))
        return True

    def _replayed(self, view, chain):
        before, modes.grad = modes.grad, modes.grad or view._node is not None
        try:
            for step in chain:
                view = step.forward(view)
        finally:
            modes.grad = before
        return view

    def _own_alias(self) -> Alias:
        """This tensor's alias; it gets a storage of its own if it had none."""
        alias = self._alias
        if alias is None:
            alias = self._alias = root_alias(self._value.spec, self._value)
        return alias

    def _buffer(self) -> Any:
        """The computed value."""
        if self._alias is not None:
            self._sync()
        return host(self._value)


def set_history(tensor: TensorBase, node, nr: int) -> None:
    """Give a tensor that was written a new gradient function; ``retain_grad`` moves with it."""
    old, old_nr = tensor._node, tensor._nr
    tensor._node, tensor._nr = node, nr
    if node is None or old is None or old is node or old.hooks is None:
        return
    kept = old.hooks.retained.get(old_nr)
    if kept is not None and kept() is tensor:
        del old.hooks.retained[old_nr]
        tensor.retain_grad()


class _Class:
    """The class that operations make their results of; the tensors layer sets it."""

    tensor: type[TensorBase] = TensorBase


classes = _Class()


def wrap(value, node=None, nr: int = 0):
    """A new tensor over a value (or a node, inside a trace)."""
    tensor = _new(classes.tensor)
    tensor._value = value
    tensor._alias = None
    tensor._node = node
    tensor._nr = nr
    tensor._grad = None
    return tensor


_new = object.__new__


def spec_of(tensor: TensorBase) -> Spec:
    """Shape and dtype; known without computing anything."""
    return tensor._value.spec
