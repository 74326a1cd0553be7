"""Parametrisation: a parameter or buffer computed by modules whenever it is read."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from facula.autograd import no_grad
from facula.nn.modules.container import ModuleDict, ModuleList
from facula.nn.modules.module import Module
from facula.nn.parameter import Parameter
from facula.tensors import Tensor

_cache_depth = [0]
_cache: dict[tuple[int, str], Any] = {}


@contextmanager
def cached() -> Iterator[None]:
    """Inside the block every parametrised tensor is computed once and remembered."""
    _cache_depth[0] += 1
    try:
        yield
    finally:
        _cache_depth[0] -= 1
        if _cache_depth[0] == 0:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The modules that compute one tensor, with the tensor(s) they start from.

    ``original`` holds the trained tensor, or ``original0``, ``original1``, ... when the inverse
    of the first module returns several.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        old_shape, old_dtype = original.shape, original.dtype
        with no_grad():
            start: Any = original
            for module in reversed(list(self)):
                start = _inverse(module, start)
        self.is_tensor = isinstance(start, Tensor)
        if self.is_tensor:
            with no_grad():
                if start is not original:
                    original.data = start.data
            _register(self, "original", original)
        else:
            self.ntensors = len(start)
            for place, value in enumerate(start):
                if not isinstance(value, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors; element "
                        f"{place} is {type(value).__name__}"
                    )
                if isinstance(original, Parameter):
                    value = Parameter(value.detach(), original.requires_grad)
                _register(self, f"original{place}", value)
        if not unsafe:
            _same_kind(self(), old_shape, old_dtype, "parametrization")

    def right_inverse(self, value: Tensor) -> None:
        """Assign: find original tensors that give this value."""
        with no_grad():
            start: Any = value
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                start = module.right_inverse(start)
            if self.is_tensor:
                self.original.data = start.data
                return
            if len(start) != self.ntensors:
                raise ValueError(
                    f"'right_inverse' must return {self.ntensors} tensors, got {len(start)}"
                )
            for place, tensor in enumerate(start):
                getattr(self, f"original{place}").data = tensor.data

    def forward(self) -> Tensor:  # type: ignore[override]
        first, *others = list(self)
        if self.is_tensor:
            x = first(self.original)
        else:
            x = first(*(getattr(self, f"original{i}") for i in range(self.ntensors)))
        for module in others:
            x = module(x)
        return x


def _inverse(module: Module, value: Any) -> Any:
    if not hasattr(module, "right_inverse"):
        return value
    try:
        return module.right_inverse(value)
    except NotImplementedError:
        return value


def _same_kind(value: Any, shape: Any, dtype: Any, what: str) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"A {what} must return a tensor. Got {type(value).__name__}.")
    if value.dtype != dtype:
        raise ValueError(
            f"A {what} may not change the dtype of the tensor, unless `unsafe` is True: "
            f"{dtype} became {value.dtype}"
        )
    if value.shape != shape:
        raise ValueError(
            f"A {what} may not change the shape of the tensor, unless `unsafe` is True: "
            f"{shape} became {value.shape}"
        )


def _register(module: Module, name: str, value: Tensor) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


def _no_pickle(self: Any) -> Any:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). Save "
        "module.state_dict() and load it into a module parametrized in the same way."
    )


def _deepcopy(self: Any, memo: dict) -> Any:
    """Copy the module and its class, so that the copy can be changed by itself."""
    if id(self) in memo:
        return memo[id(self)]
    replica = self.__new__(type(self))
    memo[id(self)] = replica
    replica.__setstate__(copy.deepcopy(self.__dict__, memo))
    base = type(self).__bases__[0]
    replica.__class__ = _new_class(base)
    for name in replica._modules["parametrizations"]:
        _inject_property(replica, name)
    return replica


def _new_class(base: type) -> type:
    body: dict[str, Any] = {"__getstate__": _no_pickle}
    if not hasattr(base, "__deepcopy__"):
        body["__deepcopy__"] = _deepcopy
    return type("Parametrized" + base.__name__, (base,), body)


def _inject_property(module: Module, tensor_name: str) -> None:
    """Reading the name computes the tensor; assigning goes through the inverses."""

    def read(self: Any) -> Any:
        parametrization = self.parametrizations[tensor_name]
        if _cache_depth[0] == 0:
            return parametrization()
        key = (id(self), tensor_name)
        if key not in _cache:
            _cache[key] = parametrization()
        return _cache[key]

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[tensor_name].right_inverse(value)

    setattr(type(module), tensor_name, property(read, write))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute a parameter or buffer by ``parametrization`` from now on.

    Assigning to the tensor needs a ``right_inverse`` method on the parametrization. ``unsafe``
    allows it to change shape or dtype.

    >>> import facula as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).t()
    >>> layer = torch.nn.Linear(3, 3)
    >>> _ = torch.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.t()).all())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        held: Any = module.parametrizations[tensor_name]
        if not unsafe:
            before = getattr(module, tensor_name)
            _same_kind(parametrization(before), before.shape, before.dtype, "parametrization")
            if hasattr(parametrization, "right_inverse"):
                value = _inverse(parametrization, before)
                _same_kind(value, before.shape, before.dtype, "right_inverse")
        held.append(parametrization)
        held.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        held = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            module.__class__ = _new_class(type(module))  # type: ignore[assignment]
            module.parametrizations = ModuleDict()
        _inject_property(module, tensor_name)
        module.parametrizations[tensor_name] = held
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has any parametrisation, or one of the tensor named."""
    held = getattr(module, "parametrizations", None)
    if held is None or not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make the tensor a plain one again, with its computed value or with its original one."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    held: Any = module.parametrizations[tensor_name]
    if held.is_tensor:
        original = held.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name).detach()
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]  # type: ignore[assignment]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class the module had before it was parametrised."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give one module copies of the parametrisations and tensors of another."""
    if not is_parametrized(from_module):
        return to_module
    held: Any = from_module.parametrizations
    for name in list(held) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            _register(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for parametrization in held[name]:
            register_parametrization(to_module, name, copy.deepcopy(parametrization))
        target: Any = to_module.parametrizations
        with no_grad():
            for own, given in zip(
                target[name].parameters(recurse=False), held[name].parameters(recurse=False)
            ):
                own.copy_(given)
    return to_module
