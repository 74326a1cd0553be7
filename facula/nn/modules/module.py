"""Module: the base class of all layers and networks; attributes, calls, modes, printing."""

from __future__ import annotations

from typing import Any, TypeVar

from facula.nn.modules import hooks as _hooks
from facula.nn.modules.conversion import ConversionMixin
from facula.nn.modules.held import HeldBuffer, HeldModule, HeldParameter, let_find
from facula.nn.modules.hooks import HookDict, call_with_hooks, hooks_seen
from facula.nn.modules.hooks import (
    register_module_backward_hook as register_module_backward_hook,
)
from facula.nn.modules.hooks import (
    register_module_buffer_registration_hook as register_module_buffer_registration_hook,
)
from facula.nn.modules.hooks import (
    register_module_forward_hook as register_module_forward_hook,
)
from facula.nn.modules.hooks import (
    register_module_forward_pre_hook as register_module_forward_pre_hook,
)
from facula.nn.modules.hooks import (
    register_module_full_backward_hook as register_module_full_backward_hook,
)
from facula.nn.modules.hooks import (
    register_module_full_backward_pre_hook as register_module_full_backward_pre_hook,
)
from facula.nn.modules.hooks import (
    register_module_module_registration_hook as register_module_module_registration_hook,
)
from facula.nn.modules.hooks import (
    register_module_parameter_registration_hook as register_module_parameter_registration_hook,
)
from facula.nn.modules.registration import HookRegistrationMixin
from facula.nn.modules.state import StateMixin
from facula.nn.modules.state import _IncompatibleKeys as _IncompatibleKeys
from facula.nn.modules.traversal import TraversalMixin
from facula.nn.parameter import Buffer, Parameter
from facula.tensors import Tensor

T = TypeVar("T", bound="Module")
_NOT_GIVEN: Any = object()

_HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def _type_name(value: Any) -> str:
    return value.type() if isinstance(value, Tensor) else type(value).__name__


class Module(TraversalMixin, ConversionMixin, StateMixin, HookRegistrationMixin):
    """Base class of layers and networks: it keeps parameters, buffers and modules assigned to it.

    Write ``__init__`` (calling ``super().__init__()`` first) and ``forward``; call the object.

    >>> import facula as torch
    >>> class Net(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = torch.nn.Linear(4, 2)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> Net()(torch.ones(3, 4)).shape
    torch.Size([3, 2])
    """

    dump_patches: bool = False
    training: bool
    call_super_init: bool = False
    T_destination = TypeVar("T_destination", bound=dict)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            got = (
                f"got an unexpected keyword argument '{next(iter(kwargs))}'"
                if kwargs
                else f"takes 1 positional argument but {len(args) + 1} were given"
            )
            raise TypeError(f"{type(self).__name__}.__init__() {got}")
        own = self.__dict__
        own["training"] = True
        own["_parameters"] = {}
        own["_buffers"] = {}
        own["_non_persistent_buffers_set"] = set()
        own["_is_full_backward_hook"] = None
        for table in _HOOK_TABLES:
            own[table] = HookDict()
        own["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input: Any) -> Any:
        """Compute the output; every subclass defines its own."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, first: Any = _NOT_GIVEN, /, *args: Any, **kwargs: Any) -> Any:
        if hooks_seen[0]:
            given = args if first is _NOT_GIVEN else (first, *args)
            return call_with_hooks(self, given, kwargs)
        if args or kwargs:
            if first is _NOT_GIVEN:
                return self.forward(**kwargs)
            if len(args) == 1 and not kwargs:
                return self.forward(first, args[0])  # a loss
            return self.forward(first, *args, **kwargs)
        if first is _NOT_GIVEN:
            return self.forward()
        return self.forward(first)  # nearly all calls; no arguments to pack and unpack

    _call_impl = __call__
    _wrapped_call_impl = __call__

    # Attributes ------------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        if "_modules" in own:  # written out: this runs for every self.layer and self.weight
            held = own["_modules"]
            if name in held:
                return held[name]
            held = own["_parameters"]
            if name in held:
                return held[name]
            held = own["_buffers"]
            if name in held:
                return held[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        if isinstance(value, Parameter):
            if "_parameters" not in own:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, own, own["_buffers"], own["_modules"])
            self._non_persistent_buffers_set.discard(name)
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if "_modules" not in own:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, own, own["_parameters"], own["_buffers"])
            self._non_persistent_buffers_set.discard(name)
            own["_modules"][name] = _hooks.run_registration_hooks(
                _hooks.global_module_hooks, self, name, value
            )
            let_find(HeldModule, type(self), name, Module.__getattr__)
        elif "_parameters" not in own:
            object.__setattr__(self, name, value)
        elif name in own["_parameters"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            self.register_parameter(name, value)
        elif name in own["_modules"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{_type_name(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            own["_modules"][name] = value
        elif name in own["_buffers"] or isinstance(value, Buffer):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    @staticmethod
    def _forget(name: str, *tables: Any) -> None:
        for table in tables:
            table.pop(name, None)

    def _set_buffer(self, name: str, value: Any) -> None:
        own = self.__dict__
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{_type_name(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            persistent = value.persistent
        else:
            persistent = name not in own["_non_persistent_buffers_set"]
        self._forget(name, own, own["_parameters"], own["_modules"])
        if name in own["_buffers"]:
            own["_buffers"][name] = _hooks.run_registration_hooks(
                _hooks.global_buffer_hooks, self, name, value
            )
        else:
            self.register_buffer(name, value, persistent)

    def __delattr__(self, name: str) -> None:
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        names = dir(type(self))
        for table in (self.__dict__, self._parameters, self._modules, self._buffers):
            names += list(table)
        return sorted({name for name in names if not name[0].isdigit()})

    def _check_name(self, kind: str, name: Any, table: dict[str, Any]) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {type(name).__name__}")
        if hasattr(self, name) and name not in table:
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Keep a parameter (or a place for one, with None) under a name."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{_type_name(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                "created explicitly. To express it as a function of another Tensor, compute the "
                "value in the forward() method."
            )
        if param is not None:
            param = _hooks.run_registration_hooks(_hooks.global_parameter_hooks, self, name, param)
        self._parameters[name] = param
        let_find(HeldParameter, type(self), name, Module.__getattr__)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Keep a tensor that is state but not trained; ``persistent`` puts it in state_dict."""
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{_type_name(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._buffers[name] = _hooks.run_registration_hooks(
            _hooks.global_buffer_hooks, self, name, tensor
        )
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)
        let_find(HeldBuffer, type(self), name, Module.__getattr__)

    def add_module(self, name: str, module: Module | None) -> None:
        """Keep a child module under a name."""
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._modules[name] = _hooks.run_registration_hooks(
            _hooks.global_module_hooks, self, name, module
        )

    def register_module(self, name: str, module: Module | None) -> None:
        """The same as ``add_module``."""
        self.add_module(name, module)

    # Modes -----------------------------------------------------------------------------------

    def train(self: T, mode: bool = True) -> T:
        """Set training mode here and below: dropout and batch normalisation look at it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: T) -> T:
        """Set evaluation mode here and below."""
        return self.train(False)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted and not needed: every program is compiled by itself."""

    # Printing, copying -----------------------------------------------------------------------

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Override to print settings of the layer."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        extra_lines = extra.split("\n") if extra else []
        child_lines = [
            f"({name}): " + repr(module).replace("\n", "\n  ")
            for name, module in self._modules.items()
        ]
        lines = extra_lines + child_lines
        if not lines:
            return self._get_name() + "()"
        if len(extra_lines) == 1 and not child_lines:
            return f"{self._get_name()}({extra_lines[0]})"
        return self._get_name() + "(\n  " + "\n  ".join(lines) + "\n)"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__.copy()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for table in _HOOK_TABLES:
            if self.__dict__.setdefault(table, HookDict()):
                hooks_seen[0] = True  # hooks from a pickle sit in a plain dictionary
        self.__dict__.setdefault("_non_persistent_buffers_set", set())
        self.__dict__.setdefault("_is_full_backward_hook", None)

    def _replicate_for_data_parallel(self: T) -> T:
        replica = type(self).__new__(type(self))
        replica.__dict__.update(self.__dict__)
        for table in ("_parameters", "_buffers", "_modules"):
            replica.__dict__[table] = getattr(self, table).copy()
        return replica


# pickles name classes by the module where PyTorch has them
_IncompatibleKeys.__module__ = __name__


def _addindent(text: str, spaces: int) -> str:
    return text.replace("\n", "\n" + " " * spaces)


def _has_any_global_hook() -> bool:
    return bool(
        _hooks.global_forward_hooks
        or _hooks.global_forward_pre_hooks
        or _hooks.global_backward_hooks
        or _hooks.global_backward_pre_hooks
    )
