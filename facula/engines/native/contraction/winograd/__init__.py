"""Convolutions by 3x3 kernels of stride 1 with fewer multiplications (Winograd's F(2x2, 3x3))."""

from facula.engines.native.contraction.winograd.lower import pieces
from facula.engines.native.contraction.winograd.shape import Winograd, fitting

__all__ = ["Winograd", "fitting", "pieces"]
