"""Kernels that are neither elementwise, nor reductions, nor contractions.

``lower`` takes a primitive's name, its parameters and the specs of its operands and result, all
of them C-contiguous buffers, and gives the pieces that compute it; None for what is not done here.
"""

from __future__ import annotations

from facula.engines.native.structured.lowering import lower, lower_attention, lower_max_pool_grad

__all__ = ["lower", "lower_attention", "lower_max_pool_grad"]
