"""Storage and Alias: how tensors share memory although values are immutable.

A tensor that nobody shares holds its value itself. Once a view of it is taken (or it is written
in place, detached, or shown to NumPy) it gets a Storage: the cell that holds the newest value of
the whole memory, and a version that counts the writes. Every tensor over that memory has an Alias:
the chain of view steps that leads from the cell's value to its own, and the strides that PyTorch
would report. A tensor whose ``seen`` is not the cell's version derives its value anew.
"""

from __future__ import annotations

from functools import lru_cache
from sys import getrefcount
from typing import Any

import numpy as np

from facula.graph.spec import Spec
from facula.runtime.value import Value


@lru_cache(4096)
def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides, in elements, of a row-major tensor."""
    strides = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(strides[::-1])


class Storage:
    """The cell behind one or more tensors: its newest value and the count of writes.

    ``array`` is set while the memory is shared with NumPy: then it, not ``value``, is the truth.
    """

    __slots__ = ("__weakref__", "array", "owner", "spec", "value", "version")

    def __init__(self, spec: Spec, value: Any):
        self.spec = spec
        self.value = value
        self.version = 0
        self.array: np.ndarray | None = None  # flat, contiguous
        self.owner: Any = None  # the NumPy object whose references tell if others can see it

    def share(self, array: np.ndarray, source: np.ndarray | None = None) -> None:
        """Let ``array`` (flat) be the memory from now on; a window on ``source``, if given."""
        owner: Any = array if source is None else source
        while isinstance(owner, np.ndarray) and owner.base is not None:
            owner = owner.base
        self.array = array
        self.owner = owner
        self.value = None

    def still_shared(self) -> bool:
        """Whether somebody else can see the memory.

        The array that owns it is referenced by ``owner``, by ``array`` (which is it, or has it as
        base) and by the argument of getrefcount; any further reference is somebody else's.
        """
        return not isinstance(self.owner, np.ndarray) or getrefcount(self.owner) > 3

    def take_back(self) -> None:
        """Nobody else sees the memory any more: its numbers are a value again."""
        array = self.array
        assert array is not None
        self.array = self.owner = None
        self.value = Value(self.spec, array.reshape(self.spec.shape))
        self.version += 1

    def window(self, spec: Spec, strides, offset) -> np.ndarray:
        """The shared memory as the tensor with these strides sees it."""
        assert self.array is not None
        return window(self.array, spec, strides, offset)


def window(memory: np.ndarray, spec: Spec, strides, offset) -> np.ndarray:
    """Contiguous memory as a tensor with these strides (in elements) sees it; nothing is copied."""
    if spec.numel == 0:
        return np.empty(spec.shape, spec.dtype.numpy)
    if memory.dtype != spec.dtype.numpy:
        memory = memory.view(spec.dtype.numpy)  # a part of complex numbers
    if memory.size == spec.numel and strides == contiguous_strides(spec.shape):
        return memory.reshape(spec.shape)  # all of it: the same array, made faster
    item = memory.dtype.itemsize
    return np.ndarray(
        spec.shape, memory.dtype, memory, offset * item, tuple([s * item for s in strides])
    )


class Alias:
    """How one tensor sees its storage.

    ``chain`` leads from the storage to the tensor, ``base`` is the tensor whose gradient history
    the view belongs to and ``depth`` how many steps of the chain lead to that base. ``made`` names
    views that PyTorch does not let be written while gradients are recorded: "no_grad" (made within
    it) and "several" (made with others by one function).
    """

    __slots__ = ("base", "chain", "depth", "made", "offset", "seen", "storage", "strides")

    def __init__(self, storage, chain, base, depth, strides, offset, seen, made=""):
        self.storage = storage
        self.chain = chain
        self.base = base
        self.depth = depth
        self.strides = strides
        self.offset = offset
        self.seen = seen
        self.made = made


def root_alias(spec: Spec, value: Any) -> Alias:
    """The alias of a tensor that gets its own storage."""
    storage = _new(Storage)  # what Storage() and Alias() do, without the calls
    storage.spec = spec
    storage.value = value
    storage.version = 0
    storage.array = storage.owner = None
    alias = _new(Alias)
    alias.storage = storage
    alias.chain = ()
    alias.base = None
    alias.depth = alias.offset = alias.seen = 0
    alias.strides = contiguous_strides(spec.shape)
    alias.made = ""
    return alias


_new = object.__new__
