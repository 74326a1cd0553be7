"""Hooks of modules: the dictionaries that hold them, their handles and the call that runs them."""

from __future__ import annotations

import copy
import itertools
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula.autograd import Function
from facula.autograd.modes import is_grad_enabled
from facula.tensors import Tensor

if TYPE_CHECKING:
    from facula.nn.modules.module import Module

# False until the first hook is stored anywhere in the process: a module call without hooks
# then costs one look at this list instead of four attribute reads.
hooks_seen = [False]


class HookDict(OrderedDict):
    """An ordered dictionary of hooks that notes, once per process, that hooks are in use."""

    def __setitem__(self, key: Any, hook: Any) -> None:
        hooks_seen[0] = True
        super().__setitem__(key, hook)

    def __repr__(self) -> str:
        return f"OrderedDict({list(self.items())})" if self else "OrderedDict()"

    def __deepcopy__(self, memo: dict) -> HookDict:
        memo[id(self)] = new = HookDict()
        for key, hook in self.items():
            new[key] = copy.deepcopy(hook, memo)
        return new

    def __reduce__(self) -> Any:
        # a pickle holds a plain dictionary, so that PyTorch can read it
        return OrderedDict, (), None, None, iter(self.items())


class RemovableHandle:
    """Unregisters a hook again: by ``remove()``, or at the end of a ``with`` block."""

    _counter = itertools.count()

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        self.id = next(RemovableHandle._counter)
        extras = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extras if d is not None)

    def remove(self) -> None:
        """Unregister the hook; doing it twice is harmless."""
        for ref in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = ref()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> Any:
        return self.hooks_dict_ref(), self.id, [ref() for ref in self.extra_dict_ref]

    def __setstate__(self, state: Any) -> None:
        hooks, self.id, extras = state
        self.hooks_dict_ref = weakref.ref(HookDict() if hooks is None else hooks)
        self.extra_dict_ref = tuple(weakref.ref(d) for d in extras if d is not None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        self.remove()


def add_hook(
    hooks: HookDict, hook: Callable, *, flags: tuple[HookDict, ...] = (), prepend: bool = False
) -> RemovableHandle:
    """Store a hook, mark it in every flag dictionary, and return its handle."""
    hooks_seen[0] = True
    handle = RemovableHandle(hooks, extra_dict=list(flags))
    hooks[handle.id] = hook
    for flag in flags:
        flag[handle.id] = True
    if prepend:
        for table in (hooks, *flags):
            table.move_to_end(handle.id, last=False)
    return handle


global_forward_pre_hooks: HookDict = HookDict()
global_forward_hooks: HookDict = HookDict()
global_forward_with_kwargs: HookDict = HookDict()
global_forward_always: HookDict = HookDict()
global_backward_pre_hooks: HookDict = HookDict()
global_backward_hooks: HookDict = HookDict()
global_parameter_hooks: HookDict = HookDict()
global_buffer_hooks: HookDict = HookDict()
global_module_hooks: HookDict = HookDict()
_global_backward_kind: list[bool | None] = [None]  # True full, False legacy


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, args)`` before the forward of every module."""
    return add_hook(global_forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run ``hook(module, args, output)`` after the forward of every module."""
    flags = ((global_forward_with_kwargs,) if with_kwargs else ()) + (
        (global_forward_always,) if always_call else ()
    )
    return add_hook(global_forward_hooks, hook, flags=flags)


def _add_global_backward_hook(hook: Callable[..., Any], full: bool) -> RemovableHandle:
    if _global_backward_kind[0] is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module "
            "hook. Please use only one of them."
        )
    _global_backward_kind[0] = full
    return add_hook(global_backward_hooks, hook)


def register_module_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` in every backward, the legacy way."""
    return _add_global_backward_hook(hook, full=False)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, grad_input, grad_output)`` in the backward of every module."""
    return _add_global_backward_hook(hook, full=True)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, grad_output)`` before the backward of every module."""
    return add_hook(global_backward_pre_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, name, parameter)`` at every ``register_parameter``."""
    return add_hook(global_parameter_hooks, hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, name, buffer)`` at every ``register_buffer``."""
    return add_hook(global_buffer_hooks, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Run ``hook(module, name, submodule)`` at every ``add_module``."""
    return add_hook(global_module_hooks, hook)


def run_registration_hooks(hooks: HookDict, module: Module, name: str, value: Any) -> Any:
    """Let each registration hook replace the value about to be stored."""
    for hook in hooks.values():
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value


def call_with_hooks(module: Module, args: tuple, kwargs: dict) -> Any:
    """``module(*args, **kwargs)`` when hooks may be there; falls through when there are none."""
    own = module.__dict__
    if not (
        own["_forward_hooks"]
        or own["_forward_pre_hooks"]
        or own["_backward_hooks"]
        or own["_backward_pre_hooks"]
        or global_forward_hooks
        or global_forward_pre_hooks
        or global_backward_hooks
        or global_backward_pre_hooks
    ):
        return module.forward(*args, **kwargs)
    called: set[int] = set()
    try:
        return _call(module, args, kwargs, called)
    except Exception:
        _run_always_called(module, args, kwargs, called)
        raise


def _call(module: Module, args: tuple, kwargs: dict, called: set[int]) -> Any:
    full, legacy, before = _backward_hooks(module)
    args, kwargs = _run_forward_pre_hooks(module, args, kwargs)
    watch = BackwardHook(module, full, before) if full or before else None
    if watch is not None:
        args = watch.setup_input_hook(args)
    result = module.forward(*args, **kwargs)
    for key, hook, with_kwargs in _forward_hooks(module):
        called.add(key)
        new = hook(module, args, kwargs, result) if with_kwargs else hook(module, args, result)
        if new is not None:
            result = new
    if watch is not None:
        if not isinstance(result, (Tensor, tuple)):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(result)}",
                stacklevel=4,
            )
        result = watch.setup_output_hook(result)
    if legacy:
        _attach_legacy_hooks(module, legacy, result)
    return result


def _backward_hooks(module: Module) -> tuple[list, list, list]:
    own = list(module._backward_hooks.values())
    full = own if module._is_full_backward_hook is True else []
    legacy = own if module._is_full_backward_hook is False else []
    everywhere = list(global_backward_hooks.values())
    if _global_backward_kind[0]:
        full = everywhere + full
    else:
        legacy = everywhere + legacy
    before = list(global_backward_pre_hooks.values()) + list(module._backward_pre_hooks.values())
    return full, legacy, before


def _run_forward_pre_hooks(module: Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    hooks = list(global_forward_pre_hooks.values())
    marked = [(hook, False) for hook in hooks]
    marked += [
        (hook, key in module._forward_pre_hooks_with_kwargs)
        for key, hook in list(module._forward_pre_hooks.items())
    ]
    for hook, with_kwargs in marked:
        if with_kwargs:
            new = hook(module, args, kwargs)
            if new is None:
                continue
            if not (isinstance(new, tuple) and len(new) == 2):
                raise RuntimeError(
                    "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {new}."
                )
            args, kwargs = new
        else:
            new = hook(module, args)
            if new is not None:
                args = new if isinstance(new, tuple) else (new,)
    return args, kwargs


def _forward_hooks(module: Module) -> list[tuple[int, Callable, bool]]:
    found = [(k, h, k in global_forward_with_kwargs) for k, h in global_forward_hooks.items()]
    own = module._forward_hooks_with_kwargs
    found += [(k, h, k in own) for k, h in module._forward_hooks.items()]
    return found


def _run_always_called(module: Module, args: tuple, kwargs: dict, called: set[int]) -> None:
    """After a failure, run the hooks that asked to be called in any case, without raising."""
    for key, hook, with_kwargs in _forward_hooks(module):
        wanted = key in module._forward_hooks_always_called or key in global_forward_always
        if not wanted or key in called:
            continue
        try:
            hook(module, args, kwargs, None) if with_kwargs else hook(module, args, None)
        except Exception as error:
            warnings.warn(
                "module forward hook with ``always_call=True`` raised an exception that was "
                f"silenced as another error was raised in forward: {error}",
                stacklevel=4,
            )


def _attach_legacy_hooks(module: Module, hooks: list[Callable], result: Any) -> None:
    """Hook the node that made the (first) output, as ``register_backward_hook`` always did."""
    first = result
    while not isinstance(first, Tensor):
        if isinstance(first, dict):
            first = next((v for v in first.values() if isinstance(v, Tensor)), None)
        elif isinstance(first, (tuple, list)) and first:
            first = first[0]
        else:
            return
        if first is None:
            return
    node = first.grad_fn
    if node is None:
        return
    for hook in hooks:
        node.register_hook(lambda gi, go, hook=hook: hook(module, gi, go))


class BackwardHookFunction(Function):
    """Pass tensors through unchanged and show their gradients to a callback on the way back."""

    @staticmethod
    def forward(ctx: Any, callback: Callable, zeros: bool, *values: Tensor) -> tuple[Tensor, ...]:
        ctx.callback = callback
        ctx.set_materialize_grads(zeros)
        passed = tuple(v.view_as(v) for v in values)
        fixed = [out for out, v in zip(passed, values) if not v.requires_grad]
        ctx.mark_non_differentiable(*fixed)
        return passed

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return (None, None, *ctx.callback(grads))


class BackwardHook:
    """One module call watched by full backward hooks.

    Gradients are seen where they enter the module (at its outputs) and where they leave it (at
    its inputs), so the hooks get both whatever the module computes between.
    """

    def __init__(self, module: Module, hooks: list[Callable], pre_hooks: list[Callable]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: tuple | None = None
        self.input_places: list[int] | None = None
        self.n_inputs = -1
        self.output_places: list[int] | None = None
        self.n_outputs = -1

    def setup_input_hook(self, args: tuple) -> tuple:
        """Wrap the tensors among the positional arguments; return the new arguments."""
        values, self.input_places = _watch(args, self._at_inputs, True)
        self.n_inputs = len(args)
        return values

    def setup_output_hook(self, result: Any) -> Any:
        """Wrap the tensors of the result; return the result with them in place."""
        values = result if isinstance(result, tuple) else (result,)
        self.n_outputs = len(values)
        wrapped, self.output_places = _watch(values, self._at_outputs, False)
        return wrapped if isinstance(result, tuple) else wrapped[0]

    def _at_outputs(self, grads: tuple) -> tuple:
        places = self.output_places or []
        grad_outputs = _spread(places, grads, self.n_outputs)
        for hook in self.pre_hooks:
            new = hook(self.module, grad_outputs)
            if new is not None:
                grad_outputs = _same_length(new, grad_outputs, "pre hook", "grad_output")
        self.grad_outputs = grad_outputs
        if self.input_places is None:
            self._call_without_inputs()
        return tuple(grad_outputs[i] for i in places)

    def _call_without_inputs(self) -> None:
        if self.hooks:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients.",
                stacklevel=5,
            )
        grad_inputs = (None,) * self.n_inputs
        for hook in self.hooks:
            new = hook(self.module, grad_inputs, self.grad_outputs)
            if new is not None and not (isinstance(new, tuple) and all(g is None for g in new)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None

    def _at_inputs(self, grads: tuple) -> tuple:
        if self.grad_outputs is None:
            return grads
        places = self.input_places or []
        grad_inputs = _spread(places, grads, self.n_inputs)
        for hook in self.hooks:
            new = hook(self.module, grad_inputs, self.grad_outputs)
            if new is not None:
                grad_inputs = _same_length(new, grad_inputs, "hook", "grad_input")
        self.grad_outputs = None
        return tuple(grad_inputs[i] for i in places)


def _watch(values: tuple, callback: Callable, zeros: bool) -> tuple[tuple, list[int] | None]:
    """Pass the tensors among ``values`` through a node that shows their gradients.

    A missing gradient is shown as zeros or, as PyTorch does at the outputs, as None.
    """
    places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
    if not is_grad_enabled() or not any(values[i].requires_grad for i in places):
        return values, None
    passed = BackwardHookFunction.apply(callback, zeros, *(values[i] for i in places))
    renewed = list(values)
    for place, value in zip(places, passed):
        renewed[place] = value
    return tuple(renewed), places


def _spread(places: list[int], grads: tuple, size: int) -> tuple:
    full: list[Any] = [None] * size
    for place, grad in zip(places, grads):
        full[place] = grad
    return tuple(full)


def _same_length(new: Any, old: tuple, what: str, name: str) -> tuple:
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(old):
        raise RuntimeError(
            f"Backward {what} returned an invalid number of {name}, got {len(new)}, "
            f"but expected {len(old)}"
        )
    return new
