"""Hooks around ``step()``: registered per optimizer or for all optimizers of the process."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula.autograd.profiler import active, record_function
from facula.nn.modules.hooks import RemovableHandle
from facula.runtime.recorder import recorder

if TYPE_CHECKING:
    from facula.optim.optimizer import Optimizer

_global_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
_global_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()


def add_hook(
    hooks: OrderedDict[int, Callable[..., Any]], hook: Callable[..., Any], prepend: bool = False
) -> RemovableHandle:
    """Register ``hook`` at the end (or the start) of ``hooks``."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before every step of every optimizer."""
    return add_hook(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after every step of every optimizer."""
    return add_hook(_global_post_hooks, hook)


def hooked(step: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a class's ``step`` so that hooks run and schedulers can see that it was called."""

    @functools.wraps(step)
    def wrapper(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if recorder.capture is not None:
            recorder.capture.note_step(self)
        if active.collector is not None:  # a profiler is on
            with record_function(f"Optimizer.step#{type(self).__name__}.step"):
                return run(self, args, kwargs)
        if (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_pre_hooks
            or _global_post_hooks
        ):
            return run(self, args, kwargs)
        result = step(self, *args, **kwargs)
        recorder.flush()  # a training step ends here: one program holds all of it
        return result

    def run(self: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if getattr(type(self).step, "__wrapped__", None) is not step:
            # reached through super().step(): the outer call runs the hooks
            return step(self, *args, **kwargs)
        result = _step_with_hooks(self, step, (self, *args), kwargs)
        recorder.flush()
        return result

    # the mark by which schedulers recognise a step that sets _opt_called
    wrapper._wrapped_by_lr_sched = True  # type: ignore[attr-defined]
    return wrapper


def _step_with_hooks(
    optimizer: Optimizer,
    step: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    before = [*_global_pre_hooks.values(), *optimizer._optimizer_step_pre_hooks.values()]
    for hook in before:
        changed = hook(optimizer, args, kwargs)
        if changed is None:
            continue
        if not (isinstance(changed, tuple) and len(changed) == 2):
            raise RuntimeError(
                f"a step pre-hook must return None or a tuple of (new_args, new_kwargs), "
                f"but got {changed}."
            )
        args, kwargs = changed
    result = step(*args, **kwargs)
    after = [*optimizer._optimizer_step_post_hooks.values(), *_global_post_hooks.values()]
    for hook in after:
        hook(optimizer, args, kwargs)
    return result
