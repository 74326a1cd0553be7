"""``torch.random``: the default random stream."""

from facula.tensors import default_generator as default_generator
from facula.tensors import fork_rng as fork_rng
from facula.tensors import get_rng_state as get_rng_state
from facula.tensors import initial_seed as initial_seed
from facula.tensors import manual_seed as manual_seed
from facula.tensors import seed as seed
from facula.tensors import set_rng_state as set_rng_state

__all__ = [
    "fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state",
]  # fmt: skip
