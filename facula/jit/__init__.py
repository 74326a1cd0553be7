"""``torch.jit``: scripted and traced code is the code itself; programs compile as they run."""

from __future__ import annotations

import builtins
import typing
import weakref
from collections import namedtuple
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from facula.autograd.modes import no_grad
from facula.jit import annotations as annotations
from facula.nn import Module

Final = typing.Final
Attribute = namedtuple("Attribute", ["value", "type"])
Error = RuntimeError

_scripted: weakref.WeakSet = weakref.WeakSet()


class _ScriptModuleType(type):
    """Modules given to ``script`` or ``trace`` count as script modules."""

    def __instancecheck__(cls, instance: Any) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls in (ScriptModule, RecursiveScriptModule) and instance in _scripted


class ScriptModule(Module, metaclass=_ScriptModuleType):
    """A module whose methods may be marked with ``script_method``; it runs as an ordinary one."""


class RecursiveScriptModule(ScriptModule):
    """What ``script`` returns for modules, by the name PyTorch gives it."""


class TracedModule(ScriptModule):
    """What ``trace`` returns for modules, by an old name."""


def script(
    obj: Any,
    optimize: Any = None,
    _frames_up: int = 0,
    _rcb: Any = None,
    example_inputs: Any = None,
):
    """The module, function or class itself.

    >>> import facula as torch
    >>> @torch.jit.script
    ... def twice(x):
    ...     return x * 2
    >>> twice(torch.ones(1))
    tensor([2.])
    """
    if builtins.isinstance(obj, Module):
        _scripted.add(obj)
    elif not callable(obj):
        raise TypeError(f"torch.jit.script expects a module, function or class, got {type(obj)}")
    return obj


def trace(
    func: Any, example_inputs: Any = None, optimize: Any = None, check_trace: bool = True,
    check_inputs: Any = None, check_tolerance: float = 1e-5, strict: bool = True,
    _force_outplace: bool = False, _module_class: Any = None, _compilation_unit: Any = None,
    example_kwarg_inputs: dict | None = None, _store_inputs: bool = True,
):  # fmt: skip
    """The module or function itself, called once with the example inputs.

    Unlike PyTorch's, the result follows every later control flow of the Python code.
    """
    inputs = () if example_inputs is None else example_inputs
    if not builtins.isinstance(inputs, (tuple, list)):
        inputs = (inputs,)
    with no_grad():
        func(*inputs, **(example_kwarg_inputs or {}))
    if builtins.isinstance(func, Module):
        _scripted.add(func)
    return func


def trace_module(mod: Module, inputs: dict[str, Any], **options: Any) -> Module:
    """The module itself, its methods called once with example inputs."""
    for name, given in inputs.items():
        trace(getattr(mod, name), given, **options)
    _scripted.add(mod)
    return mod


def script_method(fn: Callable) -> Callable:
    """Marks a method of a ScriptModule; it stays as it is."""
    return fn


def script_if_tracing(fn: Callable) -> Callable:
    """The function itself."""
    return fn


_script_if_tracing = script_if_tracing


def export(fn: Callable) -> Callable:
    """Marks a method to be compiled although nothing calls it; it stays as it is."""
    return fn


def ignore(drop: Any = False, **kwargs: Any) -> Callable:
    """Marks a method to be left to Python (``@ignore`` or ``@ignore(drop=True)``)."""
    return drop if callable(drop) else lambda fn: fn


def unused(fn: Callable) -> Callable:
    """Marks a method that is never called from compiled code; it stays as it is."""
    return fn


def interface(obj: type) -> type:
    """Marks a class as an interface; it stays as it is."""
    return obj


def is_scripting() -> bool:
    """Whether the code runs inside TorchScript: never."""
    return False


def is_tracing() -> bool:
    """Whether a trace is being made: never."""
    return False


def annotate(the_type: Any, the_value: Any) -> Any:
    """The value, with its type written down."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Python's isinstance that also knows ``List[int]`` and the like (by their outer type)."""
    targets = target_type if type(target_type) is tuple else (target_type,)
    return any(_is_a(obj, target) for target in targets)


def _is_a(obj: Any, target: Any) -> bool:
    origin = typing.get_origin(target)
    arguments = typing.get_args(target)
    if origin is typing.Union:
        return any(_is_a(obj, a) for a in arguments)
    if origin is None:
        return builtins.isinstance(obj, target)
    if not builtins.isinstance(obj, origin):
        return False
    if origin is dict:
        return all(_is_a(k, arguments[0]) and _is_a(v, arguments[1]) for k, v in obj.items())
    if origin is tuple:
        return len(obj) == len(arguments) and all(map(_is_a, obj, arguments))
    return all(_is_a(item, arguments[0]) for item in obj)


def freeze(mod: Module, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Module:
    """The module, which has to be in eval mode."""
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. Please call .eval() "
            "on your module before freezing."
        )
    return mod


def optimize_for_inference(mod: Module, other_methods: Any = None) -> Module:
    """The module itself."""
    return mod


def fork(func: Callable, *args: Any, **kwargs: Any) -> Any:
    """Call ``func`` at once; ``wait`` returns its result."""
    return _Done(func(*args, **kwargs))


class _Done:
    """The result of a call that ``fork`` made."""

    def __init__(self, value: Any):
        self._value = value

    def wait(self) -> Any:
        """The result."""
        return self._value

    def done(self) -> bool:
        """Whether the result is there."""
        return True

    value = wait


def wait(future: Any) -> Any:
    """The result of ``fork``."""
    return future.wait()


@contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A context that switches TorchScript's optimizations: without effect."""
    yield


def _overload(func: Callable) -> Callable:
    """Marks a signature of an overloaded function."""
    return func


_overload_method = _overload


def enable_onednn_fusion(enabled: bool) -> None:
    """Let TorchScript fuse with oneDNN: without effect."""
