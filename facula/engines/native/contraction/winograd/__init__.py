"""Convolutions by 3x3 kernels of stride 1 with fewer multiplications (Winograd's F(2x2, 3x3))."""

from facula.engines.native.contraction.winograd.lower import pieces

__all__ = ["pieces"]
