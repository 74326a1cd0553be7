"""PyTorch's CPU random streams: the same seed gives the same bits.

Every function takes a `Stream`, draws from it exactly what PyTorch draws, and returns a fresh
NumPy array (flat, unless it follows the shape of an argument). Types are given by name;
bfloat16 values come as float32 arrays that hold them exactly. Checking of arguments is left to
the operators. Results are those of PyTorch on x86-64 with AVX2.
"""

from facula.runtime.streams.bernoulli import bernoulli_scalar as bernoulli_scalar
from facula.runtime.streams.bernoulli import bernoulli_tensor as bernoulli_tensor
from facula.runtime.streams.bernoulli import rrelu_slopes as rrelu_slopes
from facula.runtime.streams.continuous import cauchy as cauchy
from facula.runtime.streams.continuous import exponential as exponential
from facula.runtime.streams.continuous import geometric as geometric
from facula.runtime.streams.continuous import log_normal as log_normal
from facula.runtime.streams.integers import randint as randint
from facula.runtime.streams.integers import random_from as random_from
from facula.runtime.streams.integers import random_full as random_full
from facula.runtime.streams.integers import seed_draw as seed_draw
from facula.runtime.streams.mt19937 import DEFAULT_SEED as DEFAULT_SEED
from facula.runtime.streams.mt19937 import STATE_BYTES as STATE_BYTES
from facula.runtime.streams.mt19937 import Stream as Stream
from facula.runtime.streams.mt19937 import check_state as check_state
from facula.runtime.streams.multinomial import multinomial as multinomial
from facula.runtime.streams.normal import normal as normal
from facula.runtime.streams.permutation import randperm as randperm
from facula.runtime.streams.poisson import poisson as poisson
from facula.runtime.streams.uniform import uniform as uniform
