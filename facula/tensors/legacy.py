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


_NO_CUDA = "type torch.cuda.{} not available. Torch not compiled with CUDA enabled."


class CudaType(LegacyType):
    """A name for tensors on a GPU: there are none, so nothing is an instance and none is made."""

    @property
    def dtype(cls):
        raise RuntimeError(_NO_CUDA.format(cls.__name__))

    def __instancecheck__(cls, instance) -> bool:
        return False

    def __call__(cls, *args, **kwargs):
        raise TypeError(_NO_CUDA.format(cls.__name__))

    def __repr__(cls) -> str:
        return f"<class 'torch.cuda.{cls.__name__}'>"

    __str__ = __repr__


def make_cuda_types() -> dict[str, LegacyType]:
    """``torch.cuda.FloatTensor`` ... for every dtype."""
    names = [f"{own.legacy}Tensor" for own in dtypes.ALL]
    body = {"__module__": "torch.cuda", "is_cuda": True}
    return {name: CudaType(name, (), dict(body)) for name in names}


def dtype_of_name(name: str) -> dtype | None:
    """The dtype of "torch.FloatTensor"; None for other strings."""
    for own in dtypes.ALL:
        if name == f"torch.{own.legacy}Tensor":
            return own
    return None
