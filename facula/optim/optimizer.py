"""The base class of all optimizers: parameter groups, state, hooks and state dicts."""

from __future__ import annotations

import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeAlias

from facula import tensors
from facula.nn.modules.hooks import RemovableHandle
from facula.operators.formula import formula
from facula.optim import _state_dicts
from facula.optim._step_hooks import (
    add_hook,
    hooked,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from facula.tensors import Tensor, assign

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
]

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
params_t = _params_t = ParamsT


class _RequiredParameter:
    """The default of an option that every parameter group has to give itself."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _RequiredParameter()

_HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


@formula
def _zeros(grads: list[Tensor]) -> tuple[list[Tensor]]:
    return ([tensors.zeros_like(g) for g in grads],)


class Optimizer:
    """Base class of optimizers; ``params`` are tensors, ``(name, tensor)`` pairs or group dicts.

    A subclass passes its options with their values as ``defaults`` and defines ``step``.

    >>> import facula as torch
    >>> class Halve(torch.optim.Optimizer):
    ...     def __init__(self, params):
    ...         super().__init__(params, {})
    ...     @torch.no_grad()
    ...     def step(self):
    ...         for p in self.param_groups[0]["params"]:
    ...             p.mul_(0.5)
    >>> p = torch.nn.Parameter(torch.tensor([4.0]))
    >>> Halve([p]).step()
    >>> p.item()
    2.0
    """

    # options that checkpoints of older versions lack, with the value they stood for
    _later_options: dict[str, Any] = {}
    # state that is one number per parameter, kept as a 0-d tensor
    _shared: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = hooked(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._prepare()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {params.type()}"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _prepare(self) -> None:
        for name in _HOOK_TABLES:
            self.__dict__.setdefault(name, OrderedDict())
        # what a step has found out about each group, by the group's id; see _cohorts.py
        self._plans: dict[int, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._prepare()
        if self._later_options:
            for group in self.param_groups:
                for name, value in self._later_options.items():
                    group.setdefault(name, value)
        for entry in self.state.values():
            for name in self._shared:
                value = entry.get(name)
                if value is not None and not isinstance(value, Tensor):
                    entry[name] = tensors.tensor(float(value))
        self.defaults.setdefault("differentiable", False)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines += [""] * (i > 0) + [f"Parameter Group {i}"]
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join(lines) + "\n)"

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters; ``closure`` recomputes the loss and its gradients."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or fill them with zeros."""
        if set_to_none:
            for group in self.param_groups:
                for p in group["params"]:
                    p._grad = None  # what p.grad = None does, several times faster
            return
        grads = [p.grad for group in self.param_groups for p in group["params"]]
        dense = []
        for grad in grads:
            if grad is None:
                continue
            if grad.grad_fn is not None:
                grad.detach_()
            else:
                grad.requires_grad_(False)
            if grad.is_sparse:
                grad.zero_()
            else:
                dense.append(grad)
        if dense:
            assign(dense, _zeros(dense)[0])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group with options of its own, for example layers that are thawed later.

        Raises TypeError or ValueError for parameters that are not leaf tensors, stand in another
        group, or come as a set.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _list_params(param_group)
        for param in param_group["params"]:
            self._check_param(param)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization "
                    f"parameter {name}"
                )
            param_group.setdefault(name, default)
        params = param_group["params"]
        if len(params) != len(set(params)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, "
                "this will cause an error",
                stacklevel=3,
            )
        seen: set[Tensor] = set()
        for group in self.param_groups:
            seen.update(group["params"])
            if ("param_names" in param_group) != ("param_names" in group):
                kind = "with names" if "param_names" in param_group else "without names"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {kind} to the optimizer"
                )
        if not seen.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    def _check_param(self, param: Any) -> None:
        if not isinstance(param, Tensor):
            raise TypeError(
                "optimizer can only optimize Tensors, but one of the params is "
                f"{type(param).__name__}"
            )
        if not self.defaults.get("differentiable") and not (param.is_leaf or param.retains_grad):
            raise ValueError("can't optimize a non-leaf Tensor")

    def state_dict(self) -> dict[str, Any]:
        """The state and the groups, with parameters replaced by their position.

        As in PyTorch the tensors in it are those of the optimizer, not copies; the exception is
        the step count, which the parameters share here and which each entry gets a copy of.
        """
        for pre_hook in self._optimizer_state_dict_pre_hooks.values():
            pre_hook(self)
        packed = _state_dicts.pack(self.param_groups, self.state, self._shared)
        for post_hook in self._optimizer_state_dict_post_hooks.values():
            result = post_hook(self, packed)
            if result is not None:
                packed = result
        return packed

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and options of a ``state_dict()``, also of one from PyTorch.

        Raises ValueError if the groups differ in number or size from this optimizer's.
        """
        state_dict = state_dict.copy()
        for pre_hook in self._optimizer_load_state_dict_pre_hooks.values():
            result = pre_hook(self, state_dict)
            if result is not None:
                state_dict = result
        saved_groups = deepcopy(state_dict["param_groups"])
        _state_dicts.check_sizes(self.param_groups, saved_groups)
        state = _state_dicts.unpack(self.param_groups, saved_groups, state_dict["state"])
        for group, saved in zip(self.param_groups, saved_groups):
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for post_hook in self._optimizer_load_state_dict_post_hooks.values():
            post_hook(self)

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new ones."""
        return add_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return add_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` before ``state_dict()`` collects its values."""
        return add_hook(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` on the result; it may return another one."""
        return add_hook(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before loading; it may return another one."""
        return add_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after ``load_state_dict()`` has finished."""
        return add_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _list_params(param_group: dict[str, Any]) -> None:
    """Turn the group's ``params`` into a list of tensors, and names beside them if given."""
    params = param_group["params"]
    if isinstance(params, Tensor):
        params = [params]
    elif isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the "
            "ordering of tensors in sets will change between runs. Please use a list instead."
        )
    else:
        params = list(params)
    names = [entry[0] for entry in params if isinstance(entry, tuple)]
    if names:
        if len(names) != len(params):
            raise ValueError(
                "all optimizer params should be with/without names. Some param names are missing"
            )
        params = [entry[1] for entry in params]
        param_group["param_names"] = names
    param_group["params"] = params
