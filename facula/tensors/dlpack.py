"""DLPack: memory exchanged with other libraries without a copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from facula.autograd.handle import TensorBase
from facula.tensors.sharing import from_numpy, to_numpy

_CPU = (1, 0)


class _Capsule:
    """A DLPack capsule as the kind of object NumPy imports from."""

    def __init__(self, capsule: Any):
        self._capsule = capsule

    def __dlpack__(self, **options: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU


def export(self, *, stream=None, max_version=None, dl_device=None, copy=None) -> Any:
    """A DLPack capsule over the tensor's memory."""
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    array = to_numpy(self)
    if max_version is None:
        return array.__dlpack__()
    try:
        return array.__dlpack__(max_version=max_version)
    except TypeError:  # NumPy before 2.1 knows unversioned capsules only
        return array.__dlpack__()


def device_of(self) -> tuple[int, int]:
    """DLPack's device: (CPU, 0)."""
    return _CPU


def to_dlpack(tensor) -> Any:
    """A DLPack capsule over the tensor's memory; can be consumed once."""
    return tensor.__dlpack__()


def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None):
    """A tensor over the memory of another library's array (or a DLPack capsule).

    >>> import numpy as np, facula as torch
    >>> torch.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    if isinstance(ext_tensor, TensorBase):
        made = ext_tensor.detach()
    elif isinstance(ext_tensor, np.ndarray):  # NumPy before 2.1 imports even its own as read-only
        made = from_numpy(ext_tensor)
    else:
        source = ext_tensor if hasattr(ext_tensor, "__dlpack__") else _Capsule(ext_tensor)
        made = from_numpy(np.from_dlpack(source))
    return made.clone() if copy else made
