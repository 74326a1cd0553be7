"""Operators written out: calling one is a function of its own, made for the arguments it gets.

``Operator.__call__`` looks at any arguments in loops and calls a handful of functions on the way.
When an operator is used again it gets a class of its own, whose ``__call__`` does the same for
arguments of the kinds it was given (two tensors; a tensor, a float and three settings) with nothing
left to find out and nothing to call: key, recorded call, gradient node and result in one function.
Everything else (keywords like ``out``, arguments of other kinds, traces) goes the general way.
"""

from __future__ import annotations

from functools import lru_cache
from inspect import Parameter
from threading import get_ident
from types import FunctionType
from typing import Any, NamedTuple

from facula.autograd.handle import classes
from facula.autograd.modes import anomaly_seen, detours, modes
from facula.autograd.node import sequence
from facula.base.flags import flags
from facula.graph.spec import WEAK_FLOAT
from facula.operators.arguments import (
    INTEGRAL,
    SEQUENCE,
    STATIC,
    TENSOR,
    kind_of,
    plain_classes,
    static_classes,
    tensor_classes,
)
from facula.operators.pullback import current_stack
from facula.operators.views import attach
from facula.runtime.recorder import recorder, scalar
from facula.runtime.value import Value

missing = object()  # stands for an argument that was not given
_LONGEST = 12  # arguments

_AGAIN = "return self.again(({all}), _more, out)"
_TENSOR = """
    try:
        _alias = {a}._alias
    except AttributeError:
        {again}
    if _alias is not None:
        _storage = _alias.storage
        if _storage.array is not None:
            {shared}
        elif _alias.seen != _storage.version:
            {a}._sync()"""
_INTEGER = """
    elif {a}.__class__ is int:
        _v{i} = scalar({a})"""
_NEEDS = """
    if {a}._node is not None:
        _needs |= 1 << ({count})"""
_VALUE = """
    _v{i} = {a}._value"""
_FLOAT = """
    if {a}.__class__ is float:
        _v{i} = new(Value)
        _v{i}.spec, _v{i}.buffer = WEAK_FLOAT, {a}
        _v{i}.epoch = _v{i}.position = -1"""
_ELSE = """
    else:"""
_TENSORS = """
    if {a}.__class__ is not list and {a}.__class__ is not tuple:
        {again}
    _s{i} = []
    for _x in {a}:
        try:
            _alias = _x._alias
        except AttributeError:
            {again}
        if _alias is not None:
            _storage = _alias.storage
            if _storage.array is not None or _alias.seen != _storage.version:
                _x._sync()
        if _x._node is not None:
            _needs |= 1 << ({count} + len(_s{i}))
        _s{i}.append(_x._value)"""
_NUMBERS = """
    if {a}.__class__ is not tuple:
        {again}
    _s{i} = []
    for _x in {a}:
        if _x.__class__ is not int:
            {again}
        _s{i}.append(scalar(_x))"""
_TUPLE = """
        if {a}.__class__ is not tuple or ({a} and {a}[0].__class__ not in (int, float)):
            {again}"""
_STATIC = """
        if {a}.__class__ not in static_classes:
            {again}"""
_PLAIN = """
        if {a}.__class__ not in plain_classes:
            {again}"""
_SETTINGS = """
    if {differs}:{checks}
        try:
            _known = self.table(({settings}))
        except TypeError:
            {again}"""
_WHOLE = """
def call(self, {parameters}, *_more, out=missing):
    if detours.count or _more or out is not missing:
        {again}
    _needs = 0{arguments}
    if _needs and not modes.grad:
        _needs = 0
    _known = self.known{settings}
    try:
        _call = _known[0][{specs}_needs]
    except KeyError:
        _call = self.learn(_known[0], ({specs}_needs), ({key}_needs))
        if _call is None:
            {again}
    if not _call.single:
        {several}
    _entry = _call.entry
    if (
        recorder.thread != get_ident()
        or recorder.busy
        or recorder.budget < 0
        or recorder.bytes < 0
    ):
        {elsewhere} = recorder.record(_entry, [{values}])
    else:  # what Recorder.record does
        recorder.busy = True
        _epoch = recorder.epoch{admit}
        _key = recorder.key
        _key.append(_entry.number){positions}
        recorder.calls.append(_entry)
        if next(recorder.expected, None) is not _entry:
            recorder.note_line(_entry)
        _value = new(Value)
        _value.spec = _entry.specs[0]
        _value.buffer = None
        _value.epoch = _epoch
        _values = recorder.values
        _value.position = len(_values)
        _values.append(_value){rest}
        recorder.busy = False
        recorder.budget -= 1
        recorder.bytes -= _entry.cost
        if flags.eager:
            recorder.flush()
    _class = _call.node_class
    if _class is None:
        _node = None
    else:
        _node = _class()
        _node.call = _call
        _node.edges = ({edges})
        if _call.only is not None:
            _node.saved = (({values}{results})[_call.only],)
        else:
            _pick = _call.pick
            _node.saved = () if _pick is None else _pick(({values}{results}))
        _node.hooks = _node.extra = None
        _node.sequence = next(sequence)
        if anomaly_seen and modes.anomaly:
            _node.line = current_stack()
    _tensor = new(classes.tensor)
    _tensor._value = _value
    _tensor._node = _node
    _tensor._nr = 0
    _tensor._alias = _tensor._grad = None
    return {result}
"""
# Results that users do not get: what the derivative needs of the computation.
_REST = """
        _rest = recorder.add_rest(_entry)"""


class _Operand(NamedTuple):
    """What stands in the texts for an operand of one kind; ``{i}`` is its number.

    ``look`` makes its value (or the list of its values), the others are parts of displays.
    """

    look: str
    key: str  # what the general way has for it in its key
    value: str
    admit: str
    position: str
    edge: str
    tensor: str


_ADMIT = """
        if _v{i}.epoch != _epoch:
            recorder.admit(_v{i})"""
_ADMIT_ALL = """
        for _x in _s{i}:
            if _x.epoch != _epoch:
                recorder.admit(_x)"""
_POSITION = """
        _key.append(_v{i}.position)"""
_POSITIONS = """
        for _x in _s{i}:
            _key.append(_x.position)"""
_LENGTH_AND_SPECS = "len(_s{i}), *[_x.spec for _x in _s{i}], "
_DEEPER = _TENSOR.replace("\n", "\n    ") + "{deeper}" + _VALUE.replace("\n", "\n    ")
_OPERANDS = {
    "tensor": _Operand(
        look=_TENSOR + "{needs}" + _VALUE, key="_v{i}.spec, ", value="_v{i}, ", admit=_ADMIT,
        position=_POSITION, edge="({a}._node, {a}._nr), ", tensor="{a}, ",
    ),
    "operand": _Operand(  # a tensor or a float
        look=_FLOAT + _ELSE + _DEEPER, key="_v{i}.spec, ", value="_v{i}, ", admit=_ADMIT,
        position=_POSITION, edge="None if {a}.__class__ is float else ({a}._node, {a}._nr), ",
        tensor="None if {a}.__class__ is float else {a}, ",
    ),
    "number": _Operand(  # a tensor, a float or an int
        look=_FLOAT + _INTEGER + _ELSE + _DEEPER, key="_v{i}.spec, ", value="_v{i}, ",
        admit=_ADMIT, position=_POSITION,
        edge="None if {a}.__class__ in numbers else ({a}._node, {a}._nr), ",
        tensor="None if {a}.__class__ in numbers else {a}, ",
    ),
    "tensors": _Operand(
        look=_TENSORS, key=_LENGTH_AND_SPECS, value="*_s{i}, ", admit=_ADMIT_ALL,
        position=_POSITIONS, edge="*[(_x._node, _x._nr) for _x in {a}], ", tensor="*{a}, ",
    ),
    "numbers": _Operand(
        look=_NUMBERS, key=_LENGTH_AND_SPECS, value="*_s{i}, ", admit=_ADMIT_ALL,
        position=_POSITIONS, edge="*[None] * len(_s{i}), ", tensor="*[None] * len(_s{i}), ",
    ),
}  # fmt: skip
_SETTING = {"tuple": _TUPLE, "static": _STATIC, "plain": _PLAIN}

_space: dict[str, Any] = {
    "WEAK_FLOAT": WEAK_FLOAT, "Value": Value, "anomaly_seen": anomaly_seen, "attach": attach,
    "classes": classes, "current_stack": current_stack, "detours": detours, "flags": flags,
    "get_ident": get_ident, "missing": missing, "modes": modes, "new": object.__new__,
    "numbers": {int, float},
    "plain_classes": plain_classes, "recorder": recorder, "scalar": scalar,
    "sequence": sequence, "static_classes": static_classes,
}  # fmt: skip


def _kind(argument, role) -> str | None:
    """Which text looks at an argument like this one; None if only the general way can."""
    kind = kind_of(argument.__class__)
    if kind == TENSOR:
        return "number" if role else "tensor"
    if argument.__class__ is float:
        return "number" if role else "operand"
    if argument.__class__ is int and role:
        return "number"
    if kind == SEQUENCE:
        return _kind_of_sequence(argument, role)
    if kind == STATIC:
        return "static" if role else "plain"
    return "plain" if kind == INTEGRAL and not role else None


def _kind_of_sequence(items, role) -> str | None:
    exact = items.__class__ is tuple
    if role:
        return "numbers" if exact and all(x.__class__ is int for x in items) else None
    if exact and (not items or items[0].__class__ in (int, float)):
        return "tuple"
    exact = exact or items.__class__ is list
    return "tensors" if exact and items and {*map(type, items)} <= tensor_classes else None


def _settings_text(names, kinds, checks, again) -> str:
    """Settings are compared with those of the last call, by identity: mostly they are the same."""
    if not checks:
        return ""
    operand = [kind in _OPERANDS for kind in kinds]
    differs = [f"{a} is not _known[{i + 1}]" for i, a in enumerate(names) if not operand[i]]
    settings = "".join(["missing, " if o else f"{a}, " for a, o in zip(names, operand)])
    return _SETTINGS.format(
        differs=" or ".join(differs), checks=checks, settings=settings, again=again
    )


@lru_cache(256)
def _code(kinds: tuple[str, ...], view: bool, differentiable: bool, only_first: bool) -> Any:
    """The code of a call with arguments of these kinds."""
    names = [f"a{n}" for n in range(len(kinds))]
    again = _AGAIN.format(all="".join([f"{a}, " for a in names]))
    checks, key, count = "", "", "0"
    parts = _Operand("", "", "", "", "", "", "")
    for i, (a, kind) in enumerate(zip(names, kinds)):
        if kind not in _OPERANDS:
            checks += _SETTING[kind].format(a=a, again=again)
            key += f"{a}, "
            continue
        shared = again if view and a == "a0" else f"{a}._sync()"
        needs = _NEEDS.format(a=a, count=count) if differentiable else ""
        own = _Operand(*[
            text.format(
                a=a, i=i, count=count, needs=needs, deeper=needs.replace("\n", "\n    "),
                again=again, shared=shared,
            )
            for text in _OPERANDS[kind]
        ])  # fmt: skip
        parts = _Operand(*[before + text for before, text in zip(parts, own)])
        key += own.key
        count += f" + len(_s{i})" if own.value[0] == "*" else " + 1"
    several = f"(_call, [{parts.value}], ({parts.tensor})"
    several += f", ({''.join([f'{a}, ' for a in names])}))" if view else ")"
    whole = _WHOLE.format(
        parameters=", ".join(names), again=again, arguments=parts.look, key=key, specs=parts.key,
        settings=_settings_text(names, kinds, checks, again),
        several=f"return self.several{'_views' * view}{several}",
        elsewhere="_value, *_rest" if only_first else "(_value,)", rest=_REST * only_first,
        results="_value, *_rest" if only_first else "_value", values=parts.value,
        admit=parts.admit, positions=parts.position, edges=parts.edge,
        result="attach(_tensor, a0, self, ({}), None, _call.layouts)".format("".join(
            [f"{a}, " for a in names])) if view else "_tensor",
    )  # fmt: skip
    made: dict[str, Any] = {}
    exec(compile(whole, __file__, "exec"), _space, made)
    return made["call"].__code__


def written(operator, args):
    """The function that calls ``operator`` with arguments like these; None if there is none."""
    kinds = tuple([_kind(a, role) for a, role in zip(args, operator.roles, strict=True)])
    if None in kinds or not {*_OPERANDS} & {*kinds} or len(kinds) > _LONGEST:
        return None
    if operator.view is not None and kinds[0] != "tensor":
        return None
    shape = operator.view is not None, operator.differentiable, operator.only_first
    code = _code(kinds, *shape)
    # A copy for each operator: its parameters have their own names, and the interpreter notes in
    # the code which classes it meets there.
    rest = code.co_varnames[1 + len(kinds) :]
    renamed = (_own(operator.names), *operator.names, *rest)
    if len({*renamed}) < len(renamed):  # a parameter is called as one of ours
        return None
    name = operator.__name__
    code = code.replace(co_varnames=renamed, co_name=name, co_qualname=name)
    defaults = tuple([missing if d is Parameter.empty else d for d in operator.defaults])
    made = FunctionType(code, _space, name, defaults)
    made.__kwdefaults__ = {"out": missing}
    return made


def _own(names) -> str:
    """What the operator itself is called in the function; some have a parameter ``self``."""
    return "_operator" if "self" in names else "self"
