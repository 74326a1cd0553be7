"""``Variable``: the name tensors had before they were one class; kept for old programs."""

from __future__ import annotations

from facula.tensors.tensor_class import Tensor


class _VariableType(type):
    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, Tensor)

    def __subclasscheck__(cls, subclass) -> bool:
        return issubclass(subclass, Tensor)


class Variable(metaclass=_VariableType):
    """``Variable(tensor, requires_grad=False, volatile=False)`` is a tensor over the same memory.

    >>> import facula as torch
    >>> torch.autograd.Variable(torch.ones(1), requires_grad=True)
    tensor([1.], requires_grad=True)
    """

    def __new__(cls, data=None, requires_grad=False, volatile=False):
        if data is None:
            data = Tensor()
        if data.requires_grad and not data.is_leaf:
            return data
        return data.detach().requires_grad_(requires_grad or data.requires_grad)
