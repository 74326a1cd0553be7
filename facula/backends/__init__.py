"""``torch.backends``: settings of libraries, and whether they are there (most are not)."""

from __future__ import annotations

from facula.backends import cpu as cpu
from facula.backends import cuda as cuda
from facula.backends import cudnn as cudnn
from facula.backends import mha as mha
from facula.backends import mkl as mkl
from facula.backends import mkldnn as mkldnn
from facula.backends import mps as mps
from facula.backends import nnpack as nnpack
from facula.backends import openmp as openmp
from facula.backends import opt_einsum as opt_einsum
from facula.backends import quantized as quantized

fp32_precision = "none"


def disable_global_flags() -> None:
    """Let settings be changed by ``flags()`` contexts only: accepted, and not enforced."""
