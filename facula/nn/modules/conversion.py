"""Changing all tensors of a module at once: dtype, place, gradients wanted or cleared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import tensors
from facula.autograd import no_grad
from facula.base import dtypes
from facula.base.devices import device as device_type
from facula.tensors import Tensor


class ConversionMixin:
    """The methods of ``Module`` that replace or mark its tensors."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    children: Any
    parameters: Any

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """Replace the data of every parameter and gradient, and every buffer, by ``fn`` of it.

        Parameters stay the same objects, so an optimizer made before keeps working.
        """
        if recurse:
            for module in self.children():
                module._apply(fn)
        for parameter in self._parameters.values():
            if parameter is None:
                continue
            with no_grad():
                new = fn(parameter)
                if new is not parameter:
                    parameter.data = new
                if parameter.grad is not None:
                    grad = fn(parameter.grad)
                    if grad is not parameter.grad:
                        wanted = parameter.grad.requires_grad
                        parameter.grad = grad.detach().requires_grad_(wanted)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Move to a device and/or convert floating point tensors to a dtype, in place.

        Forms: ``to(device, dtype, non_blocking)``, ``to(dtype)``, ``to(tensor)``,
        ``to(memory_format=...)``. Integer tensors keep their dtype. Returns the module itself.
        """
        device, dtype, non_blocking, memory_format = _parse_to(*args, **kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )

        def convert(value: Tensor) -> Tensor:
            wanted = dtype if value.is_floating_point() or value.is_complex() else None
            options: dict[str, Any] = {}
            if memory_format is not None and value.dim() in (4, 5):
                options["memory_format"] = memory_format
            if device is not None:
                options["device"] = device
            if wanted is not None:
                options["dtype"] = wanted
            return value.to(non_blocking=non_blocking, **options) if options else value

        return self._apply(convert)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Any:
        """Give every tensor new, uninitialised memory on a device."""
        return self._apply(lambda t: tensors.empty_like(t, device=device), recurse=recurse)

    def cpu(self) -> Any:
        """Move all parameters and buffers to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device: Any = None) -> Any:
        """Move all parameters and buffers to a GPU: an error, as in a CPU build of PyTorch."""
        return self._apply(lambda t: t.cuda(device))

    def float(self) -> Any:
        """Convert floating point parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)

    def double(self) -> Any:
        """Convert floating point parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self) -> Any:
        """Convert floating point parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self) -> Any:
        """Convert floating point parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def type(self, dst_type: Any) -> Any:
        """Convert all parameters and buffers to a dtype."""
        return self._apply(lambda t: t.type(dst_type))

    def share_memory(self) -> Any:
        """Move all tensors to shared memory, so that other processes see changes."""
        return self._apply(lambda t: t.share_memory_())

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Say for all parameters whether gradients are wanted."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            grad = parameter.grad
            if grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            elif grad.grad_fn is not None:
                parameter.grad = tensors.zeros_like(grad)
            else:
                grad.requires_grad_(False)
                grad.zero_()


def _parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, bool, Any]:
    """Sort the arguments of ``to`` into (device, dtype, non_blocking, memory_format)."""
    device = kwargs.pop("device", None)
    dtype = kwargs.pop("dtype", None)
    non_blocking = kwargs.pop("non_blocking", False)
    kwargs.pop("copy", None)
    memory_format = kwargs.pop("memory_format", None)
    other = kwargs.pop("tensor", None)
    if kwargs:
        raise TypeError(f"to() received an unexpected keyword argument {next(iter(kwargs))!r}")
    rest = list(args)
    if rest and isinstance(rest[0], Tensor):
        other = rest.pop(0)
    elif rest and (rest[0] is None or isinstance(rest[0], (str, int, device_type))):
        device = rest.pop(0)
    if rest and (rest[0] is None or isinstance(rest[0], (dtypes.dtype, type))):
        dtype = dtypes.meant(rest.pop(0))
    if rest and isinstance(rest[0], bool):
        non_blocking = rest.pop(0)
    if rest:
        raise TypeError(
            "to() received an invalid combination of arguments - got "
            f"({', '.join(type(a).__name__ for a in args)}); it takes (device, dtype, "
            "non_blocking), (dtype, non_blocking) or (tensor, non_blocking)"
        )
    if other is not None:
        device, dtype = other.device, other.dtype
    if device is not None and not isinstance(device, device_type):
        device = device_type(device)
    return device, dtype, non_blocking, memory_format
