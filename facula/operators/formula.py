"""formula: a pure function of tensors and numbers, recorded as one call.

Optimizers are written with it. The function is traced once for each kind of arguments (specs,
structure, static values) and replayed as one block. Python floats are inputs by position; no
gradients are recorded. An update that comes again and again (``Update``) finds its block by
comparing what it is given with what it was given before, which is cheaper than a key.
"""

from __future__ import annotations

import functools
from operator import attrgetter, is_
from typing import Any

from facula.autograd.handle import TensorBase, wrap
from facula.autograd.modes import modes
from facula.base.caches import Cache, forgotten
from facula.graph.build import Trace
from facula.operators.lookup import float_value
from facula.operators.operator import traced
from facula.runtime.recorder import Entry, recorder, scalar
from facula.runtime.value import Value


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


_spec_of, _buffer_of = attrgetter("spec"), attrgetter("buffer")


class Update:
    """Calls of one formula with the same lists of tensors: an optimizer's step.

    ``values(lists, numbers, structure)`` is the formula called with ``*lists, *numbers,
    **structure``: lists of tensors, then floats and tensors, then what may be branched on. It
    returns the values of all tensors in the result, in order, as one list.
    """

    __slots__ = (
        "_entry", "_epoch", "_find", "_formula", "_lengths", "_numbers", "_specs", "_structure"
    )  # fmt: skip

    def __init__(self, formula):
        self._formula = formula
        self._find = formula.find
        self._lengths: list = []
        self._numbers: list[Value] = []  # the last ones: most are the same in every step
        self._specs: list = []
        self._structure: dict = {}
        self._entry: Any = None
        self._epoch = -1

    def values(self, lists, numbers, structure) -> list[Value]:
        if modes.trace is not None:
            found: list = []
            _flatten(self._formula(*lists, *numbers, **structure), found)
            return found
        values = []
        for items in lists:
            for item in items:
                alias = item._alias
                if alias is not None:
                    storage = alias.storage
                    if alias.seen != storage.version or storage.array is not None:
                        item._sync()
                values.append(item._value)
        values += self._values_of(numbers)
        specs = [*map(_spec_of, values)]
        lengths = [*map(len, lists)]
        if (
            specs != self._specs
            or lengths != self._lengths
            or (structure is not self._structure and structure != self._structure)
            or self._epoch != forgotten[0]
        ):
            known, values = self._find((*lists, *numbers), structure)
            self._entry, self._specs, self._lengths = known.entry, specs, lengths
            self._structure, self._epoch = structure, forgotten[0]
        return recorder.record(self._entry, values)

    def _values_of(self, numbers) -> list[Value]:
        """Numbers as inputs; those that are the very objects of the last call have values yet."""
        before = self._numbers
        if len(before) != len(numbers):
            before = self._numbers = [float_value(0.0) for _ in numbers]
        elif all(map(is_, map(_buffer_of, before), numbers)):
            return before
        found = []
        for i, number in enumerate(numbers):
            if number.__class__ is not float:
                number._sync()
                found.append(number._value)
                continue
            value = before[i]
            if value.buffer is not number:
                value = before[i] = float_value(number)
            found.append(value)
        return found


def formula(function):
    """Record calls of ``function`` as single blocks; see the module's text."""
    cache = Cache(500)

    def find(args, kwargs):
        """What was traced for such arguments, and the values of its operands."""
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
        return known, values

    @functools.wraps(function)
    def call(*args, **kwargs):
        if modes.trace is not None:
            return function(*args, **kwargs)
        known, values = find(args, kwargs)
        results = recorder.record(known.entry, values)
        return _rebuild(known.structure, [wrap(value) for value in results])

    call.find = find  # type: ignore[attr-defined]
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
