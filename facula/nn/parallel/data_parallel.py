"""DataParallel: the wrapper that splits a batch over devices; here there is one."""

from __future__ import annotations

from typing import Any

from facula.nn.modules.module import Module
from facula.nn.parallel.parallel_apply import parallel_apply
from facula.nn.parallel.replicate import replicate
from facula.nn.parallel.scatter_gather import gather, scatter_kwargs


class DataParallel(Module):
    """Wraps a module as ``.module`` and, on the CPU, calls it unchanged.

    The keys of its state_dict start with ``module.``, as PyTorch's do.
    """

    def __init__(
        self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0
    ) -> None:
        super().__init__()
        self.device_ids: list = []
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        return self.module(*inputs, **kwargs)

    def replicate(self, module: Module, device_ids: Any) -> list[Module]:
        """Copies of the module, one per device."""
        return replicate(module, device_ids)

    def scatter(self, inputs: tuple, kwargs: dict[str, Any] | None, device_ids: Any) -> Any:
        """The arguments split along the batch."""
        return scatter_kwargs(inputs, kwargs, device_ids)

    def parallel_apply(self, replicas: Any, inputs: Any, kwargs: Any) -> list[Any]:
        """The outputs of all copies."""
        return parallel_apply(replicas, inputs, kwargs)

    def gather(self, outputs: Any, output_device: Any) -> Any:
        """The outputs joined along the batch."""
        return gather(outputs, output_device)


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Any = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Call a module as ``DataParallel`` does."""
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*args, **(module_kwargs or {}))
