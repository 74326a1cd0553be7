"""``torch.utils.dlpack``: the same two functions as ``torch.from_dlpack`` and ``torch.to_dlpack``."""

from facula.tensors.dlpack import from_dlpack as from_dlpack
from facula.tensors.dlpack import to_dlpack as to_dlpack
