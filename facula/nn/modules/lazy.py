"""Layers whose input size is taken from the first input they see."""

from __future__ import annotations

from typing import Any

from facula.nn.parameter import Parameter, UninitializedBuffer, UninitializedParameter

_UNINITIALIZED = (UninitializedParameter, UninitializedBuffer)


def is_lazy(value: Any) -> bool:
    """Whether a parameter or buffer still waits for its shape."""
    return isinstance(value, _UNINITIALIZED)


class LazyModuleMixin:
    """Put before a layer class: the first call fixes the shapes, then the class becomes plain.

    A subclass sets ``cls_to_become`` and writes ``initialize_parameters(input, ...)``.
    """

    cls_to_become: type | None = None
    _parameters: dict[str, Any]
    _buffers: dict[str, Any]

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def _save_to_state_dict(self: Any, destination: Any, prefix: str, keep_vars: bool) -> None:
        kept = {k: v for k, v in self._buffers.items() if k not in self._non_persistent_buffers_set}
        for name, value in [*self._parameters.items(), *kept.items()]:
            if value is not None:
                whole = keep_vars or is_lazy(value)
                destination[prefix + name] = value if whole else value.detach()

    def _lazy_load_hook(self: Any, state_dict: Any, prefix: str, *rest: Any) -> None:
        """Take the shapes from the checkpoint, so that the values can be copied."""
        for name, value in [*self._parameters.items(), *self._buffers.items()]:
            given = state_dict.get(prefix + name)
            if given is not None and is_lazy(value) and not is_lazy(given):
                value.materialize(given.shape)

    def initialize_parameters(self: Any, *args: Any, **kwargs: Any) -> None:
        """Give shapes to the waiting parameters, from the first input."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self: Any) -> bool:
        """Whether some parameter or buffer still waits for its shape."""
        return any(is_lazy(v) for v in [*self._parameters.values(), *self._buffers.values()])

    def _infer_parameters(self: Any, module: Any, args: tuple, kwargs: Any = None) -> None:
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(
                f"module {self._get_name()} has not been fully initialized after its first input"
            )
        module._initialize_hook.remove()
        module._load_hook.remove()
        delattr(module, "_initialize_hook")
        delattr(module, "_load_hook")
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become


def waiting_parameter(device: Any, dtype: Any) -> Parameter:
    """A parameter that gets its shape later."""
    return UninitializedParameter(device=device, dtype=dtype)
