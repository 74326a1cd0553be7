"""Saving and loading the state of modules: state_dict, load_state_dict and their hooks."""

from __future__ import annotations

import itertools
import warnings
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Mapping
from typing import Any

from facula.autograd import no_grad
from facula.nn.modules.hooks import HookDict, RemovableHandle, add_hook
from facula.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter
from facula.tensors import Tensor

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"


class _IncompatibleKeys(namedtuple("_IncompatibleKeys", ["missing_keys", "unexpected_keys"])):
    """What load_state_dict returns: the keys that were missing and those nobody wanted."""

    __slots__ = ()

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return super().__repr__()

    __str__ = __repr__


class _WrappedHook:
    """A hook that gets its module as first argument; holds the module by reference only once."""

    def __init__(self, hook: Callable, module: Any = None) -> None:
        self.hook = hook
        self.module = module
        self.with_module = module is not None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.with_module:
            return self.hook(self.module, *args, **kwargs)
        return self.hook(*args, **kwargs)


class StateMixin:
    """The methods of ``Module`` around ``state_dict``."""

    _version: int = 1
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _state_dict_hooks: HookDict
    _state_dict_pre_hooks: HookDict
    _load_state_dict_pre_hooks: HookDict
    _load_state_dict_post_hooks: HookDict

    def get_extra_state(self) -> Any:
        """Override to add a value of your own to the state_dict (with ``set_extra_state``)."""
        raise RuntimeError(
            f"{type(self).__name__}.get_extra_state is called only when a subclass overrides it."
        )

    def set_extra_state(self, state: Any) -> None:
        """Override to take back the value that ``get_extra_state`` gave."""
        raise RuntimeError(
            f"{type(self).__name__}.set_extra_state is called only when a subclass overrides it."
        )

    def _has_extra(self, name: str) -> bool:
        return getattr(type(self), name, None) is not getattr(StateMixin, name)

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        return add_hook(self._state_dict_hooks, hook)

    def register_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata)`` after ``state_dict``."""
        hook._from_public_api = True  # type: ignore[attr-defined]
        return add_hook(self._state_dict_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before ``state_dict``."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def _register_load_state_dict_pre_hook(
        self, hook: Callable[..., None], with_module: bool = False
    ) -> RemovableHandle:
        wrapped = _WrappedHook(hook, self if with_module else None)
        return add_hook(self._load_state_dict_pre_hooks, wrapped)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)`` before this module takes its tensors."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook: Callable[..., None]) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; it may edit the lists."""
        return add_hook(self._load_state_dict_post_hooks, hook)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                destination[prefix + name] = parameter if keep_vars else parameter.detach()
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                destination[prefix + name] = buffer if keep_vars else buffer.detach()
        if self._has_extra("get_extra_state"):
            destination[prefix + _EXTRA_STATE_KEY_SUFFIX] = self.get_extra_state()

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """All parameters and persistent buffers by dotted name, detached unless ``keep_vars``.

        The values share memory with the module: copy them to keep a snapshot.

        >>> import facula as torch
        >>> list(torch.nn.Linear(2, 3).state_dict())
        ['weight', 'bias']
        """
        if args:
            warnings.warn(
                "Positional args are being deprecated, use kwargs instead.",
                FutureWarning,
                stacklevel=2,
            )
        given = dict(zip(("destination", "prefix", "keep_vars"), args))
        destination = given.get("destination", destination)
        prefix, keep_vars = given.get("prefix", prefix), given.get("keep_vars", keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=prefix + name + ".", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, local_metadata)
            if not getattr(hook, "_from_public_api", False):
                destination = destination if result is None else result
            elif result is not None:
                raise RuntimeError("state_dict post-hook must return None")
        return destination

    def _load_from_state_dict(
        self,
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for hook in self._load_state_dict_pre_hooks.values():
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        assign = local_metadata.get("assign_to_params_buffers", False)
        kept = {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}
        own = {
            name: value
            for name, value in itertools.chain(self._parameters.items(), kept.items())
            if value is not None
        }
        for name, value in own.items():
            key = prefix + name
            if key in state_dict:
                self._take(name, key, value, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        self._load_extra(state_dict, prefix, strict, missing_keys, unexpected_keys)
        if strict:
            extra = prefix + _EXTRA_STATE_KEY_SUFFIX
            unexpected_keys += [
                key
                for key in state_dict
                if key.startswith(prefix) and key != extra and not self._knows(key, prefix, own)
            ]

    def _knows(self, key: str, prefix: str, own: Mapping[str, Any]) -> bool:
        first, dot, _ = key[len(prefix) :].partition(".")
        return first in self._modules if dot else first in own

    def _load_extra(
        self, state: Any, prefix: str, strict: bool, missing: list[str], unexpected: list[str]
    ) -> None:
        key = prefix + _EXTRA_STATE_KEY_SUFFIX
        if self._has_extra("set_extra_state"):
            if key in state:
                self.set_extra_state(state[key])
            elif strict:
                missing.append(key)
        elif strict and key in state:
            unexpected.append(key)

    def _take(
        self, name: str, key: str, own: Any, given: Any, assign: bool, errors: list[str]
    ) -> None:
        """Copy (or assign) one entry of a state_dict, or note why it does not fit."""
        if not isinstance(given, Tensor):
            errors.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or '
                f"Tensor-like object from checkpoint but received {type(given)}"
            )
            return
        lazy = isinstance(own, (UninitializedParameter, UninitializedBuffer))
        if not lazy and own.dim() == 0 and given.dim() == 1 and given.shape[0] == 1:
            given = given[0]  # scalars were saved with one axis long ago
        if not lazy and given.shape != own.shape:
            errors.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from "
                f"checkpoint, the shape in current model is {own.shape}."
            )
            return
        try:
            with no_grad():
                if not assign:
                    own.copy_(given)
                    return
                if isinstance(own, Parameter):
                    if not isinstance(given, Parameter):
                        given = Parameter(given, requires_grad=own.requires_grad)
                    else:
                        given.requires_grad_(own.requires_grad)
                setattr(self, name, given)
        except Exception as error:
            action = "swapping" if assign else "copying"
            errors.append(
                f'While {action} the parameter named "{key}", whose dimensions in the model are '
                f"{own.size()} and whose dimensions in the checkpoint are {given.size()}, an "
                f"exception occurred : {error.args}."
            )

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Copy the tensors of a state_dict into this module and those below.

        ``strict`` demands the same keys on both sides; ``assign`` puts the given tensors in place
        instead of copying their values. Errors: RuntimeError listing every key that is missing,
        unexpected or of another shape. Returns (missing_keys, unexpected_keys).

        >>> import facula as torch
        >>> a, b = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3)
        >>> a.load_state_dict(b.state_dict())
        <All keys matched successfully>
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        missing: list[str] = []
        unexpected: list[str] = []
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None)
        state: Any = OrderedDict(state_dict)
        if metadata is not None:
            state._metadata = metadata

        def load(module: Any, local_state: Any, prefix: str = "") -> None:
            local: dict[str, Any] = {} if metadata is None else metadata.get(prefix[:-1], {})
            if assign:
                local["assign_to_params_buffers"] = True
            module._load_from_state_dict(
                local_state, prefix, local, True, missing, unexpected, errors
            )
            for name, child in module._modules.items():
                if child is not None:
                    start = prefix + name + "."
                    load(
                        child, {k: v for k, v in local_state.items() if k.startswith(start)}, start
                    )
            incompatible = _IncompatibleKeys(missing, unexpected)
            for hook in module._load_state_dict_post_hooks.values():
                if hook(module, incompatible) is not None:
                    raise AssertionError(
                        "Hooks registered with ``register_load_state_dict_post_hook`` are not "
                        "expected to return new values; change the lists in place instead."
                    )

        load(self, state)
        if strict:
            errors = _complaints(missing, unexpected) + errors
        if errors:
            raise RuntimeError(
                "Error(s) in loading state_dict for {}:\n\t{}".format(
                    type(self).__name__, "\n\t".join(errors)
                )
            )
        return _IncompatibleKeys(missing, unexpected)


def _complaints(missing: list[str], unexpected: list[str]) -> list[str]:
    found = []
    for what, keys in (("Missing", missing), ("Unexpected", unexpected)):
        if keys:
            listed = ", ".join(f'"{key}"' for key in keys)
            found.append(f"{what} key(s) in state_dict: {listed}. ")
    return found
