"""formula: a pure function of tensors and numbers, recorded as one call.

Optimizers are written with it. The function is traced once for each kind of arguments (specs,
structure, static values) and replayed as one block. Python floats are inputs by position; no
gradients are recorded.
"""

from __future__ import annotations

import functools

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.base.caches import Cache
from facula.graph.build import Trace
from facula.operators.operator import traced
from facula.runtime.recorder import Entry, recorder, scalar


class _Recorded:
    """A traced formula: its entry and the shape of its result."""

    __slots__ = ("entry", "structure")

    def __init__(self, entry, structure):
        self.entry = entry
        self.structure = structure


def _gather(argument, key, values) -> None:
    """Enter one argument into the key, and its tensors and floats into the values."""
    cls = argument.__class__
    if cls is list or (cls is tuple and _holds_tensors(argument)):
        key.append(len(argument))
        for item in argument:
            if isinstance(item, TensorBase):
                alias = item._alias
                if alias is not None:
                    storage = alias.storage
                    if alias.seen != storage.version or storage.array is not None:
                        item._sync()
                value = item._value
                key.append(value.spec)
                values.append(value)
            else:
                _gather(item, key, values)
    elif cls is float:
        key.append(float)
        values.append(scalar(argument))
    elif isinstance(argument, TensorBase):
        argument._sync()
        key.append(argument._value.spec)
        values.append(argument._value)
    elif isinstance(argument, list):
        _gather(list(argument), key, values)
    else:
        key.append(argument)


def _holds_tensors(items) -> bool:
    return any(
        isinstance(x, TensorBase) or (isinstance(x, (list, tuple)) and _holds_tensors(x))
        for x in items
    )


def _placed(argument, handles):
    """The argument with its tensors and floats replaced by the trace's."""
    if isinstance(argument, TensorBase) or type(argument) is float:
        return next(handles)
    if isinstance(argument, list) or (type(argument) is tuple and _holds_tensors(argument)):
        return [_placed(item, handles) for item in argument]
    return argument


def _flatten(result, found):
    """The structure of a result: tensors become their position."""
    if isinstance(result, TensorBase):
        found.append(result._value)
        return len(found) - 1
    if isinstance(result, (list, tuple)):
        return type(result)([_flatten(r, found) for r in result])
    return ("static", result)


def _rebuild(structure, tensors):
    cls = structure.__class__
    if cls is int:
        return tensors[structure]
    if cls is tuple and len(structure) == 2 and structure[0] == "static":
        return structure[1]
    return cls([_rebuild(s, tensors) for s in structure])


def formula(function):
    """Record calls of ``function`` as single blocks; see the module's text.

    ``values`` of the result is the same for callers that want no tensors: it returns the values of
    all tensors in the result, in order, as one list.
    """
    cache = Cache(500)

    def record(args, kwargs):
        key: list = []
        values: list = []
        for argument in args:
            _gather(argument, key, values)
        for name, argument in kwargs.items():
            key.append(name)
            _gather(argument, key, values)
        key = tuple(key)
        known = cache.get(key)
        if known is None:
            known = cache.put(key, _trace(function, args, kwargs, values))
        return known, recorder.record(known.entry, values)

    @functools.wraps(function)
    def call(*args, **kwargs):
        if modes.trace is not None:
            return function(*args, **kwargs)
        known, results = record(args, kwargs)
        return _rebuild(known.structure, [wrap(value) for value in results])

    def values(*args, **kwargs):
        if modes.trace is not None:
            found: list = []
            _flatten(function(*args, **kwargs), found)
            return found
        return record(args, kwargs)[1]

    call.values = values  # type: ignore[attr-defined]
    return call


def _trace(function, args, kwargs, values) -> _Recorded:
    trace = Trace()
    handles = iter([wrap(trace.input(value.spec)) for value in values])

    def run():
        placed = [_placed(a, handles) for a in args]
        named = {name: _placed(a, handles) for name, a in kwargs.items()}
        return function(*placed, **named)

    found: list = []
    structure = _flatten(traced(trace, run), found)
    return _Recorded(Entry(trace.block(found), function.__name__), structure)
