"""Tensors as users hold them: the class, how to make them, how they print and share memory."""

from facula.autograd.modes import modes as _modes
from facula.operators import results as _results
from facula.operators.basic import write_view as _write_view
from facula.operators.views import assign as _assign_one
from facula.operators.views import assign_values as _assign_values
from facula.tensors import return_types as return_types
from facula.tensors.build import adopt as adopt
from facula.tensors.conversion import channels_last as channels_last
from facula.tensors.conversion import channels_last_3d as channels_last_3d
from facula.tensors.conversion import contiguous_format as contiguous_format
from facula.tensors.conversion import layout as layout
from facula.tensors.conversion import memory_format as memory_format
from facula.tensors.conversion import preserve_format as preserve_format
from facula.tensors.conversion import sparse_coo as sparse_coo
from facula.tensors.conversion import strided as strided
from facula.tensors.creation import arange as arange
from facula.tensors.creation import as_tensor as as_tensor
from facula.tensors.creation import asarray as asarray
from facula.tensors.creation import empty as empty
from facula.tensors.creation import empty_like as empty_like
from facula.tensors.creation import empty_strided as empty_strided
from facula.tensors.creation import eye as eye
from facula.tensors.creation import full as full
from facula.tensors.creation import full_like as full_like
from facula.tensors.creation import linspace as linspace
from facula.tensors.creation import logspace as logspace
from facula.tensors.creation import ones as ones
from facula.tensors.creation import ones_like as ones_like
from facula.tensors.creation import range as range
from facula.tensors.creation import scalar_tensor as scalar_tensor
from facula.tensors.creation import tensor as tensor
from facula.tensors.creation import tril_indices as tril_indices
from facula.tensors.creation import triu_indices as triu_indices
from facula.tensors.creation import zeros as zeros
from facula.tensors.creation import zeros_like as zeros_like
from facula.tensors.generator import Generator as Generator
from facula.tensors.generator import default_generator as default_generator
from facula.tensors.generator import fork_rng as fork_rng
from facula.tensors.generator import get_rng_state as get_rng_state
from facula.tensors.generator import initial_seed as initial_seed
from facula.tensors.generator import manual_seed as manual_seed
from facula.tensors.generator import seed as seed
from facula.tensors.generator import set_rng_state as set_rng_state
from facula.tensors.printing import set_printoptions as set_printoptions
from facula.tensors.random import bernoulli as bernoulli
from facula.tensors.random import multinomial as multinomial
from facula.tensors.random import normal as normal
from facula.tensors.random import poisson as poisson
from facula.tensors.random import rand as rand
from facula.tensors.random import rand_like as rand_like
from facula.tensors.random import randint as randint
from facula.tensors.random import randint_like as randint_like
from facula.tensors.random import randn as randn
from facula.tensors.random import randn_like as randn_like
from facula.tensors.random import randperm as randperm
from facula.tensors.sharing import from_numpy as from_numpy
from facula.tensors.tensor_class import Tensor as Tensor
from facula.tensors.tensor_class import legacy_types as legacy_types
from facula.tensors.variable import Variable as Variable

from facula.tensors import methods as _methods  # isort: skip (installs Tensor's methods)

_results.register_results({c.__name__: c for c in return_types.all_return_types})


def assign(targets, values) -> None:
    """Write new values into tensors in place, outside the gradient graph: lists, or one of each."""
    if isinstance(targets, Tensor):
        targets, values = [targets], [values]
    before, _modes.grad = _modes.grad, False
    try:
        for target, value in zip(targets, values, strict=True):
            _assign_one(target, value, _write_view)
    finally:
        _modes.grad = before


def assign_values(targets, values) -> None:
    """The same for lists, with values in the place of tensors over them."""
    _assign_values(targets, values, _write_view)


__all__ = [
    "adopt",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "layout",
    "memory_format",
    "preserve_format",
    "sparse_coo",
    "strided",
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "empty_strided",
    "eye",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "range",
    "scalar_tensor",
    "tensor",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
    "set_printoptions",
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "from_numpy",
    "Tensor",
]
