"""``torch.compile``: takes what PyTorch's takes and keeps the meaning of the plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.nn import Module

BACKENDS = ("inductor", "eager", "aot_eager", "cudagraphs", "onnxrt", "openxla", "tvm")
_MODES = ("default", "lite", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune")


class OptimizedModule(Module):
    """What ``torch.compile(module)`` returns: the module under the name ``_orig_mod``.

    Attributes are those of the module; names in ``state_dict`` begin with ``_orig_mod.``, as in
    PyTorch. Calling it calls the module, hooks included.
    """

    def __init__(self, mod: Module, dynamo_ctx: Any = None) -> None:
        super().__init__()
        self._modules["_orig_mod"] = mod
        self.__dict__["training"] = mod.training
        self.__dict__["forward"] = mod.__call__

    def __reduce__(self) -> tuple:
        return OptimizedModule, (self._modules["_orig_mod"],)

    def __getattr__(self, name: str) -> Any:
        mod = self.__dict__["_modules"]["_orig_mod"]
        return mod if name == "_orig_mod" else getattr(mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "training":
            self.__dict__[name] = value
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._orig_mod, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._orig_mod)})


def compile(
    model: Callable | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str | Callable | None = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    name: str | None = None,
    disable: bool = False,
    recompile_limit: int | None = None,
    isolate_recompiles: bool = False,
    shapes_spec: Any = None,
) -> Any:
    """The model or function, unchanged in what it does: programs compile themselves.

    A module is returned as an :class:`OptimizedModule`, a function as it is. Options are checked
    and otherwise without effect; a ``backend`` that is a function is not called. To save the
    Python of a whole training step, too, use ``facula.capture``. Raises RuntimeError for unknown
    modes and backends, and if both ``mode`` and ``options`` are given.

    >>> import facula as torch
    >>> @torch.compile(mode="max-autotune")
    ... def double(x):
    ...     return x * 2
    >>> double(torch.ones(2))
    tensor([2., 2.])
    """
    if mode is not None and options is not None:
        raise RuntimeError(
            "Either mode or options can be specified, but both can't be specified at the same time."
        )
    if mode is not None and mode not in _MODES:
        raise RuntimeError(f"Unrecognized mode={mode}, should be one of: {', '.join(_MODES)}")
    if isinstance(backend, str) and backend not in BACKENDS:
        raise RuntimeError(
            f"Invalid backend: {backend!r}, see `torch._dynamo.list_backends()` for available "
            "backends."
        )

    def made(model: Callable) -> Any:
        if not callable(model):
            raise AssertionError(f"A callable function is expected, but {type(model)} is provided.")
        if disable or not isinstance(model, Module) or isinstance(model, OptimizedModule):
            return model
        return OptimizedModule(model)

    return made if model is None else made(model)
