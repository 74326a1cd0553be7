"""Parameter and Buffer: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

import numpy as np

from facula import tensors
from facula.tensors import Tensor
from facula.tensors.conversion import as_subclass, rebuild
from facula.tensors.creation import set_requires_grad


class _ParameterType(type(Tensor)):
    """isinstance(x, Parameter) also holds for tensors of other classes marked as parameters."""

    def __instancecheck__(cls, instance) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is Parameter and getattr(instance, "_is_param", False) is True


class Parameter(Tensor, metaclass=_ParameterType):
    """A tensor that is a parameter of a module.

    >>> import facula as torch
    >>> torch.nn.Parameter(torch.ones(2))
    Parameter containing:
    tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = tensors.empty(0)
        made = as_subclass(data.detach(), cls)
        if requires_grad:
            set_requires_grad(made, True)
        return made

    def __repr__(self, *, tensor_contents=None) -> str:
        return "Parameter containing:\n" + super().__repr__()

    __str__ = __repr__

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        made = type(self)(self.detach().clone(), self.requires_grad)
        made.__dict__.update(self.__dict__)  # but not the gradient, as in PyTorch
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol):
        array = np.array(self.detach()._buffer())
        return rebuild, (array, self.dtype, self.requires_grad, type(self), dict(self.__dict__))


class _BufferType(type(Tensor)):
    def __instancecheck__(cls, instance) -> bool:
        if super().__instancecheck__(instance):
            return True
        return cls is Buffer and getattr(instance, "_is_buffer", False) is True


class Buffer(Tensor, metaclass=_BufferType):
    """A tensor that is a buffer of a module: part of its state, not trained."""

    __slots__ = ()

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = tensors.empty(0)
        made = data.detach().requires_grad_(data.requires_grad)
        made._is_buffer = True
        made.persistent = persistent
        return made


class UninitializedTensorMixin:
    """A tensor whose shape a lazy module finds out at its first call."""

    def materialize(self, shape, device=None, dtype=None) -> None:
        """Give the parameter its shape; the values are still to be set."""
        self.data = tensors.empty(shape, dtype=dtype or self.dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self):
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter without a shape yet."""

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        made = as_subclass(tensors.empty(0, dtype=dtype), cls)
        if requires_grad:
            set_requires_grad(made, True)
        return made

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        made = memo[id(self)] = type(self)(self.requires_grad)
        return made


class UninitializedBuffer(UninitializedTensorMixin, Tensor):
    """A buffer without a shape yet."""

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        made = as_subclass(tensors.empty(0, dtype=dtype), cls)
        made.persistent = persistent
        made._is_buffer = True
        return made


def is_lazy(param) -> bool:
    """Whether a parameter still waits for its shape."""
    return isinstance(param, UninitializedTensorMixin)
