"""Every operator under its PyTorch name, by family; ``namespaces`` says where users find them."""

from facula.operators import namespaces as namespaces
from facula.operators.basic import cast as cast
from facula.operators.basic import identity as identity
from facula.operators.movement import strides_of as strides_of

# Each family file lists its own public names, so that a new operator is added in one place.
globals().update({**namespaces.METHODS, **namespaces.FUNCTIONAL, **namespaces.TORCH})
