"""``torch.nn.functional``: layers as functions."""

from facula.operators.namespaces import FUNCTIONAL as _FUNCTIONAL

globals().update(_FUNCTIONAL)
