"""Lets autocast see the calls of chosen functions, at no cost to anybody while it is off.

A check inside every operation would be paid by every program. Instead the functions themselves are
exchanged while autocast is on: an operator object changes its class, a plain function its code. So
a function that a module or a user imported long ago is affected too.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any

from facula.autograd.modes import modes
from facula.operators.operator import Operator

Handler = Callable[[tuple, dict], tuple[tuple, dict]]

_handlers: dict[str, Handler] = {}
_originals: dict[str, Callable[..., Any]] = {}
_HOOK = "_facula_intercepted_call"


class _InterceptedOperator(Operator):
    """An operator whose arguments pass through its handler first."""

    exchangeable = False

    def __call__(self, *args, **kwargs):
        if modes.trace is None:
            args, kwargs = self.handler(args, kwargs)
        return Operator.__call__(self, *args, **kwargs)


def _call(name: str, args: tuple, kwargs: dict) -> Any:
    if modes.trace is None:
        args, kwargs = _handlers[name](args, kwargs)
    return _originals[name](*args, **kwargs)


def _stand_in(*args, **kwargs):
    return _facula_intercepted_call("name", args, kwargs)  # noqa: F821 (see intercept)


def _exchangeable(function: Any) -> Any:
    """The function whose code can be exchanged: the innermost, without a closure."""
    function = inspect.unwrap(function, stop=lambda f: isinstance(f, Operator))
    if isinstance(function, types.FunctionType) and function.__closure__:
        return None
    return function


def intercept(function: Any, handler: Handler) -> Callable[[], None] | None:
    """Pass every call's arguments through ``handler``; returns what ends it, or None."""
    function = _exchangeable(function)
    if isinstance(function, Operator):
        if not function.exchangeable:  # another name of an operator that is intercepted already
            return None
        before = type(function)
        function.handler = handler
        function.__class__ = _InterceptedOperator
        return lambda: setattr(function, "__class__", before)
    if not isinstance(function, types.FunctionType) or function.__code__.co_filename == __file__:
        return None
    code = function.__code__
    name = f"{function.__module__}.{function.__qualname__}"
    copy = types.FunctionType(code, function.__globals__, function.__name__, function.__defaults__)
    copy.__kwdefaults__ = function.__kwdefaults__
    _originals[name], _handlers[name] = copy, handler
    function.__globals__[_HOOK] = _call
    template = _stand_in.__code__
    consts = tuple([name if c == "name" else c for c in template.co_consts])
    function.__code__ = template.replace(co_consts=consts, co_name=function.__name__)
    return lambda: setattr(function, "__code__", code)
