"""Matrix products and convolutions with their two gradients, from one generator of kernels."""

from facula.engines.native.contraction.lower import lower

__all__ = ["lower"]
