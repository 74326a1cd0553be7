"""``torch.functional``: those of ``torch``'s functions that PyTorch writes in Python."""

from facula._lowrank import pca_lowrank as pca_lowrank
from facula._lowrank import svd_lowrank as svd_lowrank
from facula.operators.namespaces import TORCH as _TORCH

_NAMES = """
    atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors cartesian_prod
    cdist chain_matmul einsum istft lu meshgrid norm split stft tensordot unique unique_consecutive
    unravel_index
"""
globals().update({name: _TORCH[name] for name in _NAMES.split()})
