"""Linear systems: solve, inverse, determinant, least squares, pseudo-inverse."""

from __future__ import annotations

import numpy as np

from facula.autograd.handle import TensorBase
from facula.autograd.modes import modes
from facula.base import dtypes
from facula.graph.primitives import host
from facula.operators import kit
from facula.operators.basic import cast, conj, imag_part, real_part
from facula.operators.linear_algebra import (
    as_complex,
    check_matrix,
    check_square,
    column,
    conj as conj,
    constant,
    dtype_of,
    hermitian,
    identity_like,
    is_complex,
    matmul,
    raise_if_failed,
    row,
    same_dtypes,
    shape_of,
    swapped,
    tril,
    triu,
)
from facula.operators.movement import expand, narrow
from facula.operators.operator import Operand, operator
from facula.operators.pointwise import log
from facula.operators.comparison import where
from facula.operators.results import result
