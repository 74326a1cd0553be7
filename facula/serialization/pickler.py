"""Writes the object structure of a file under PyTorch's names, setting the tensors' bytes aside.

Source: the forms that PyTorch's own files show under `pickletools.dis`.
"""

from __future__ import annotations

import collections
import io
import pickle
import types
from dataclasses import dataclass
from typing import Any

import numpy as np

from facula.base import public_names as names
from facula.serialization import tensor_io
from facula.serialization.storages import ITEM_SIZES, STORAGE_NAMES, TorchGlobal

_UNTYPED = TorchGlobal("torch.storage", "UntypedStorage")
_STORAGE_CLASSES = {
    dtype_name: TorchGlobal("torch", name) for dtype_name, name in STORAGE_NAMES.items()
}
_REBUILD_V2 = TorchGlobal("torch._utils", "_rebuild_tensor_v2")
_REBUILD_V3 = TorchGlobal("torch._utils", "_rebuild_tensor_v3")
_REBUILD_PARAMETER = TorchGlobal("torch._utils", "_rebuild_parameter")
_REBUILD_PARAMETER_STATE = TorchGlobal("torch._utils", "_rebuild_parameter_with_state")
_REBUILD_TYPE = TorchGlobal("torch._tensor", "_rebuild_from_type_v2")


@dataclass(eq=False)
class SavedStorage:
    """One block of memory that goes into the file, under its key."""

    key: str
    dtype_name: str | None
    data: np.ndarray

    @property
    def count(self) -> int:
        """Number of elements, as the file states it."""
        return self.data.nbytes // (1 if self.dtype_name is None else ITEM_SIZES[self.dtype_name])


@dataclass(eq=False)
class _Call:
    """Something the reader shall make by calling `function(*arguments)`."""

    function: Any
    arguments: tuple


class _Names:
    """What is changed in Python's pickler; mixed into the pickler class of the user's choice."""

    proto: int
    # Appended to every storage reference: the old format has one more field than the zip format.
    pid_tail: tuple = ()

    def prepare(self) -> None:
        """Start with no storages."""
        self.storages: dict[Any, SavedStorage] = {}

    def persistent_id(self, item: Any) -> tuple | None:
        if type(item) is not SavedStorage:
            return None
        kind = _UNTYPED if item.dtype_name is None else _STORAGE_CLASSES[item.dtype_name]
        return ("storage", kind, item.key, "cpu", item.count, *self.pid_tail)

    def reducer_override(self, item: Any) -> Any:
        if type(item) is TorchGlobal:
            return item.name
        if type(item) is _Call:
            return item.function, item.arguments
        if tensor_io.is_tensor(item):
            return self._reduce_tensor(item)
        return tensor_io.reduce_other(item)

    def _reduce_tensor(self, tensor: Any) -> Any:
        special = tensor_io.reduce_special(tensor)
        if special is not None:
            return special
        facts = tensor_io.describe(tensor)
        storage = self._storage_of(facts)
        requires_grad = facts.requires_grad and not facts.is_parameter
        arguments: tuple = (storage, facts.offset, facts.size, facts.stride, requires_grad)
        arguments += (collections.OrderedDict(),)
        function = _REBUILD_V2
        if storage.dtype_name is None:
            function = _REBUILD_V3
            arguments += (TorchGlobal("torch", facts.dtype_name),)
        if facts.is_parameter:
            data = _Call(function, arguments)
            hooks: dict = collections.OrderedDict()
            if not facts.attributes:
                return _REBUILD_PARAMETER, (data, facts.requires_grad, hooks)
            return _REBUILD_PARAMETER_STATE, (data, facts.requires_grad, hooks, facts.attributes)
        if facts.attributes or type(tensor) is not tensor_io.Tensor:
            return _REBUILD_TYPE, (function, type(tensor), arguments, facts.attributes)
        return function, arguments

    def _storage_of(self, facts: Any) -> SavedStorage:
        dtype_name = facts.dtype_name if facts.dtype_name in STORAGE_NAMES else None
        known = self.storages.get(facts.storage_key)
        if known is None:
            data = facts.storage_bytes()
            known = SavedStorage(str(len(self.storages)), dtype_name, data)
            self.storages[facts.storage_key] = known
        elif known.dtype_name != dtype_name:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                f"types ({known.dtype_name} and {dtype_name}); save a clone() of one of them."
            )
        return known

    def save_global(self, item: Any, name: str | None = None) -> None:
        if type(item) is TorchGlobal:
            module, qualname = item.module, item.name
        elif (dtype_name := tensor_io.dtype_name(item)) is not None:
            module, qualname = "torch", dtype_name
        elif (public := tensor_io.public_name(item)) is not None:
            module, qualname = public
        else:
            inner = getattr(item, "__module__", None) or ""
            if not names.is_ours(inner):
                super().save_global(item, name)  # type: ignore[misc]
                return
            qualname = name or getattr(item, "__qualname__", None) or item.__name__
            module, qualname = names.to_torch(inner, qualname)
        self._write_global(item, module, qualname)

    def _write_global(self: Any, item: Any, module: str, qualname: str) -> None:
        if self.proto >= 4:
            self.save(module)
            self.save(qualname)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{module}\n{qualname}\n".encode())
        self.memoize(item)


def _pickler_class(pickle_module: Any) -> type:
    base: Any = pickle_module.Pickler
    if base is pickle.Pickler:
        # The same pickler written in Python: the only kind whose names can be changed.
        base = pickle._Pickler  # type: ignore[attr-defined]
    if not hasattr(base, "save_global"):
        raise TypeError(
            f"pickle_module={pickle_module.__name__}: its Pickler cannot write PyTorch's names; "
            "use the standard pickle module or dill"
        )
    save_function = base.dispatch[types.FunctionType]

    def save_own_function(pickler: Any, item: Any) -> None:
        ours = names.is_ours(item.__module__ or "")
        (pickler.save_global if ours else save_function.__get__(pickler))(item)

    dispatch = {**base.dispatch, types.FunctionType: save_own_function}
    return type("Pickler", (_Names, base), {"dispatch": dispatch})


def dump(
    value: Any, pickle_module: Any = pickle, protocol: int = 2, pid_tail: tuple = ()
) -> tuple[bytes, list[SavedStorage]]:
    """Pickle a value; return the pickle and the storages it refers to, in order of their keys."""
    buffer = io.BytesIO()
    pickler: Any = _pickler_class(pickle_module)(buffer, protocol=protocol)
    pickler.pid_tail = pid_tail
    pickler.prepare()
    pickler.dump(value)
    return buffer.getvalue(), list(pickler.storages.values())
