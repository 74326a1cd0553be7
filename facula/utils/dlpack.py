"""``torch.utils.dlpack``: the functions that are also ``torch.from_dlpack`` and ``to_dlpack``."""

from facula.tensors.dlpack import from_dlpack as from_dlpack
from facula.tensors.dlpack import to_dlpack as to_dlpack
