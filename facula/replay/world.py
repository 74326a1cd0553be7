"""World: every tensor of the process at one moment, so that what a call changed can be seen.

A captured function reads and writes tensors it finds anywhere: in modules, optimizers, globals,
closures. Instead of asking each of them, all tensors are looked at before and after a call.
"""

from __future__ import annotations

import gc
from typing import Any

from facula.autograd.handle import TensorBase
from facula.autograd.storage import Storage
from facula.runtime.value import Value

_VALUE = TensorBase._value  # the slot; sparse tensors have a property in its place


class Cell:
    """One memory that a captured function reads or writes, and a tensor over all of it.

    With an ``owner`` it is the memory of whatever is the gradient of that tensor at the time.
    """

    __slots__ = ("handle", "owner", "storage")

    def __init__(self, handle: TensorBase, owner: TensorBase | None = None):
        self.handle = handle
        self.owner = owner
        self.storage: Storage = handle._own_alias().storage

    def now(self) -> Cell | None:
        """The cell as it is now; None if its owner has no gradient."""
        if self.owner is None:
            return self
        grad = self.owner._grad
        return None if grad is None else Cell(grad, self.owner)

    def key(self) -> tuple:
        """Equal for cells that are the same, today and at other times."""
        if self.owner is not None:
            return "gradient", id(self.owner)
        return "memory", id(self.storage)


def _tensor_types() -> set[type]:
    found: set[type] = set()
    todo: list[type] = [TensorBase]
    while todo:
        cls = todo.pop()
        if cls not in found and cls._value is _VALUE:
            found.add(cls)
            todo.extend(cls.__subclasses__())
    return found


def all_tensors() -> list[TensorBase]:
    """All tensors that are alive, sparse ones left out (they consist of dense ones)."""
    types = _tensor_types()
    found = [x for x in gc.get_objects() if type(x) in types]
    # One whose value is a node belongs to a trace that somebody still holds.
    return [x for x in found if getattr(x, "_value", None).__class__ is Value]


class World:
    """All tensors and what they hold.

    ``storages`` maps the id of a storage to (it, its value, its array, the tensors over it),
    ``loose`` the id of a tensor without one to (it, its value), ``grads`` has the gradient of each
    tensor in ``handles``.
    """

    def __init__(self) -> None:
        self.handles = all_tensors()
        self.ids = {id(h) for h in self.handles}
        self.grads = [h._grad for h in self.handles]
        self._grad_owners = {id(h._grad): h for h in self.handles if h._grad is not None}
        self.storages: dict[int, tuple[Storage, Value | None, Any, list]] = {}
        self.loose: dict[int, tuple[TensorBase, Value]] = {}
        self.placed: dict[int, Storage] = {}  # where each tensor's storage was, by its id
        self._owners: dict[int, TensorBase] = {}
        for handle in self.handles:
            alias = handle._alias
            if alias is None:
                self.loose[id(handle)] = handle, handle._value
                self._owners.setdefault(id(handle._value), handle)
                continue
            storage = alias.storage
            self.placed[id(handle)] = storage
            if storage.array is not None and not storage.still_shared():
                storage.take_back()
            found = self.storages.get(id(storage))
            if found is None:
                found = storage, storage.value, storage.array, []
                self.storages[id(storage)] = found
            found[3].append(handle)
            if storage.value is not None and not alias.chain:
                self._owners.setdefault(id(storage.value), handle)

    def owner(self, value: Value) -> TensorBase | None:
        """A tensor over a whole memory that held ``value``; None if no tensor did."""
        return self._owners.get(id(value))

    def reader(self, value: Value) -> TensorBase | None:
        """A tensor that derived ``value`` from its memory since: a view, or what NumPy shares."""
        for handle in self.handles:
            if handle._value is value and handle._alias is not None:
                return handle
        return None

    def cell(self, handle: TensorBase) -> Cell:
        """The memory of a tensor as a cell."""
        root = self.root(handle) if handle._alias is not None else handle
        return Cell(root, self._grad_owners.get(id(root)))

    def root(self, handle: TensorBase) -> TensorBase:
        """A tensor over all of a tensor's storage; parameters are preferred, as they stay."""
        found = self.storages.get(id(handle._alias.storage))
        roots = [handle, *(found[3] if found else ())]
        roots = [h for h in roots if not h._alias.chain]
        roots.sort(key=lambda h: h._node is None)
        return roots[0] if roots else handle._root_view()

    def over(self, storage: Storage) -> list:
        """All tensors over a storage."""
        found = self.storages.get(id(storage))
        return found[3] if found else []
