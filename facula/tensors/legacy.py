"""The old typed names: ``torch.FloatTensor`` and friends, as types and as constructors."""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.dtypes import dtype


class LegacyType(type):
    """A class that is only a name for tensors of one dtype."""

    dtype: dtype

    def __instancecheck__(cls, instance) -> bool:
        return isinstance(instance, TensorBase) and instance._value.spec.dtype is cls.dtype

    def __call__(cls, *args, **kwargs):
        return cls.build(cls.dtype, args)

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"

    __str__ = __repr__


def make_types(build) -> dict[str, LegacyType]:
    """``FloatTensor`` ... for every dtype; ``build(dtype, args)`` makes the tensor."""
    types = {}
    for own in dtypes.ALL:
        name = f"{own.legacy}Tensor"
        body = {"dtype": own, "build": staticmethod(build), "__module__": "torch", "is_cuda": False}
        types[name] = LegacyType(name, (), body)
    return types


def dtype_of_name(name: str) -> dtype | None:
    """The dtype of "torch.FloatTensor"; None for other strings."""
    for own in dtypes.ALL:
        if name == f"torch.{own.legacy}Tensor":
            return own
    return None
