"""Reads the object structure of a file: strictly by an allow-list, or with Python's full pickle.

`StrictUnpickler` interprets the pickle opcodes itself and can reach only what `allowlist` and the
user name. It never falls back to the full machinery. Every opcode that calls, fills or changes an
object checks first that the object is of a kind it may touch.
"""

from __future__ import annotations

import argparse
import collections
import pickle
import pickletools
import types
from collections.abc import Callable
from typing import IO, Any

import numpy as np

from facula.base import public_names as names
from facula.serialization import allowlist, numpy_values, tensor_io
from facula.serialization.rebuild import REBUILDERS
from facula.serialization.storages import storage_types
from facula.serialization.user_allowed import allowed_by_name

StorageLoader = Callable[[tuple], Any]

_OPCODES = (
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT LONG FLOAT BININT BININT1"
    " BININT2 LONG1 LONG4 BINFLOAT STRING BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES"
    " BINBYTES8 BYTEARRAY8 UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 EMPTY_LIST EMPTY_DICT"
    " EMPTY_SET EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 LIST DICT FROZENSET APPEND APPENDS SETITEM"
    " SETITEMS ADDITEMS GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL"
    " REDUCE NEWOBJ NEWOBJ_EX BUILD BINPERSID"
)
_WITH_ATTRIBUTES = (
    argparse.Namespace,
    types.SimpleNamespace,
    collections.OrderedDict,
    collections.Counter,
)
_MAPPINGS = (dict, collections.OrderedDict, collections.Counter, collections.defaultdict)


class _Dispatch(dict):
    """The table of opcodes; any other opcode in a file is refused."""

    def copy(self) -> _Dispatch:
        return _Dispatch(self)

    def __missing__(self, code: int) -> Any:
        raise pickle.UnpicklingError(f"Unsupported operand {code}: not needed by any checkpoint")


def _advice(full: str) -> str:
    return (
        f"Weights only load failed. Unsupported global: GLOBAL {full} was not an allowed global by "
        f"default. Please use `torch.serialization.add_safe_globals([{full}])` or the "
        f"`torch.serialization.safe_globals([{full}])` context manager to allowlist this global if "
        "you trust this class/function. Loading with `weights_only=False` would run any code the "
        "file contains: do it only if you trust where the file comes from."
    )


# Python's own unpickler written in Python: the only one whose steps can be changed one by one.
_Machine: Any = pickle._Unpickler  # type: ignore[attr-defined]


class StrictUnpickler(_Machine):
    """Unpickles tensors and plain data only; anything else raises pickle.UnpicklingError."""

    dispatch = _Dispatch(
        (getattr(pickle, name)[0], _Machine.dispatch[getattr(pickle, name)[0]])
        for name in _OPCODES.split()
    )

    def __init__(self, stream: IO[bytes], load_storage: StorageLoader, **options: Any) -> None:
        super().__init__(stream, **options)
        self._load_storage = load_storage
        user = allowed_by_name()
        self._callables = {**allowlist.CALLABLES, **user}
        self._values = allowlist.VALUES
        # By identity: equality of strange objects must not decide what may be called.
        self._callable_ids = {id(item) for item in self._callables.values()}
        self._user_type_ids = {id(item) for item in user.values() if isinstance(item, type)}

    def load(self) -> Any:
        """Return the object; UnpicklingError when it is malformed or not allowed."""
        try:
            return super().load()
        except (pickle.UnpicklingError, RuntimeError):
            raise
        except Exception as error:
            raise pickle.UnpicklingError(
                f"the file's structure is damaged or not a checkpoint: {error!r}"
            ) from error

    def find_class(self, module: str, name: str) -> Any:
        """Return what an allowed name stands for."""
        full = allowlist.full_name(module, name)
        if module.split(".", 1)[0] in allowlist.BLOCKED_MODULES:
            raise pickle.UnpicklingError(
                f"Weights only load failed. Trying to load unsupported GLOBAL {full} whose module "
                f"{module} is blocked."
            )
        if full in self._callables:
            return self._callables[full]
        if full in self._values:
            return self._values[full]
        raise pickle.UnpicklingError(_advice(full))

    def persistent_load(self, pid: Any) -> Any:
        """Fetch the storage a tensor refers to."""
        return self._load_storage(pid)

    def where(self) -> str:
        """Say which entry of the file is being read, e.g. `model / fc1.weight`."""
        path = []
        for level in self.metastack:
            keys = [item for item in level[-3:] if isinstance(item, str)]
            path += keys[-1:]
        return " / ".join(path)

    def _is_user_type(self, cls: Any) -> bool:
        return id(cls) in self._user_type_ids

    def _may_call(self, function: Any) -> bool:
        return id(function) in self._callable_ids

    def _refuse(self, what: str) -> pickle.UnpicklingError:
        return pickle.UnpicklingError(f"Weights only load failed. {what}")

    def load_reduce(self) -> None:
        args = self.stack.pop()
        function = self.stack[-1]
        if not self._may_call(function):
            raise self._refuse(f"Trying to call reduce for unrecognized function {function!r}")
        if not isinstance(args, tuple):
            raise self._refuse(f"{function!r} is called with {type(args).__name__} arguments")
        self.stack[-1] = function(*args)

    def load_newobj(self) -> None:
        args = self.stack.pop()
        self._make_new(self.stack.pop(), args, {})

    def load_newobj_ex(self) -> None:
        kwargs = self.stack.pop()
        args = self.stack.pop()
        self._make_new(self.stack.pop(), args, kwargs)

    def _make_new(self, cls: Any, args: Any, kwargs: Any) -> None:
        if not isinstance(cls, type) or not self._may_call(cls):
            raise self._refuse(f"Trying to call __new__ of {cls!r}, which is not allowed")
        self.append(cls.__new__(cls, *args, **kwargs))

    def load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        kind = type(target)
        if kind is np.ndarray:
            numpy_values.set_array_state(target, state)
        elif isinstance(target, np.dtype):
            numpy_values.set_dtype_state(target, state)
        elif tensor_io.set_state(target, state):
            pass
        elif any(kind is known for known in _WITH_ATTRIBUTES):
            self._set_attributes(target, state, None)
        elif self._is_user_type(kind):
            self._build_user_object(target, state)
        else:
            raise self._refuse(f"Trying to set the state of {kind!r}, which is not allowed")

    def _build_user_object(self, target: Any, state: Any) -> None:
        restore = getattr(target, "__setstate__", None)
        if restore is not None:
            restore(state)
        elif isinstance(state, tuple) and len(state) == 2:
            self._set_attributes(target, *state)
        else:
            self._set_attributes(target, state, None)

    def _set_attributes(self, target: Any, state: Any, slots: Any) -> None:
        for part in (state or {}, slots or {}):
            if type(part) is not dict or not all(isinstance(name, str) for name in part):
                raise self._refuse(f"The state of {type(target)!r} is not a dict of attributes")
        if state:
            target.__dict__.update(state)
        for name, value in (slots or {}).items():
            setattr(target, name, value)

    def _check(self, target: Any, kinds: tuple[type, ...]) -> None:
        kind = type(target)
        if not any(kind is known for known in kinds) and not self._is_user_type(kind):
            raise self._refuse(f"Trying to add items to {kind!r}, which is not allowed")

    def load_append(self) -> None:
        value = self.stack.pop()
        self._check(self.stack[-1], (list, collections.deque))
        self.stack[-1].append(value)

    def load_appends(self) -> None:
        values = self.pop_mark()
        self._check(self.stack[-1], (list, collections.deque))
        self.stack[-1].extend(values)

    def load_setitem(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self._check(self.stack[-1], _MAPPINGS)
        self.stack[-1][key] = value

    def load_setitems(self) -> None:
        items = self.pop_mark()
        self._check(self.stack[-1], _MAPPINGS)
        for key, value in zip(items[::2], items[1::2]):
            self.stack[-1][key] = value

    def load_additems(self) -> None:
        items = self.pop_mark()
        self._check(self.stack[-1], (set,))
        self.stack[-1].update(items)


def replace_steps(machine: Any) -> None:
    """Let the class's dispatch table lead to its own methods for the steps that change objects."""
    steps = "reduce newobj newobj_ex build append appends setitem setitems additems"
    for name in steps.split():
        code = getattr(pickle, name.upper())[0]
        machine.dispatch[code] = getattr(machine, f"load_{name}")


replace_steps(StrictUnpickler)


def full_unpickler(pickle_module: Any) -> type:
    """Make the class that reads a trusted file with Python's own pickle (`weights_only=False`)."""
    known = {**tensor_io.values(), **tensor_io.callables(), **storage_types(), **REBUILDERS}

    class FullUnpickler(pickle_module.Unpickler):  # type: ignore[misc]
        """Python's unpickler with PyTorch's names resolved to facula's objects."""

        def __init__(self, stream: IO[bytes], load_storage: StorageLoader, **options: Any) -> None:
            super().__init__(stream, **options)
            self._load_storage = load_storage

        def find_class(self, module: str, name: str) -> Any:
            if names.is_theirs(module):
                full = f"{module}.{name}"
                return known[full] if full in known else names.find(module, name)
            return super().find_class(module, name)

        def persistent_load(self, pid: Any) -> Any:
            return self._load_storage(pid)

    return FullUnpickler


def mentioned_globals(body: bytes) -> list[str]:
    """List the full names that a pickle refers to, without executing it."""
    found: dict[str, None] = {}
    strings: list[str] = []
    memo: dict[int, str] = {}
    argument: Any
    for opcode, argument, _ in pickletools.genops(body):
        if opcode.name == "GLOBAL":
            found[allowlist.full_name(*argument.split(" ", 1))] = None
        elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
            found[allowlist.full_name(*strings[-2:])] = None
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = strings[-1] if strings else ""
        elif opcode.name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = strings[-1] if strings else ""
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            strings.append(memo.get(argument, ""))
        elif isinstance(argument, str):
            strings.append(argument)
    return list(found)
