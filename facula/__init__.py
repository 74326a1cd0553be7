"""facula: PyTorch's programming model, in Python, that compiles itself."""

import facula.tensors as t
from facula.tensors import *
