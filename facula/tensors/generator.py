"""Generators: ``torch.Generator``, ``manual_seed`` and the state of the default stream."""

from __future__ import annotations

from facula.autograd.handle import TensorBase
from facula.base import devices, dtypes
from facula.runtime import generator as _runtime
from facula.runtime.streams import Stream
from facula.tensors.build import adopt


class Generator:
    """A random stream of its own.

    >>> import facula as torch
    >>> g = torch.Generator().manual_seed(0)
    >>> torch.rand(1, generator=g)
    tensor([0.4963])
    """

    __module__ = "facula"  # its public place, and what type() shows

    def __init__(self, device="cpu"):
        self.device = devices.usable(device)
        self._own = Stream()

    @property
    def _stream(self) -> Stream:
        return self._own

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream at ``seed``; returns the generator."""
        if type(seed) is not int:
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        self._stream.reseed(_checked_seed(seed))
        return self

    def seed(self) -> int:
        """Start at a number from the operating system and return it."""
        return self._stream.reseed_from_system()

    def initial_seed(self) -> int:
        """The seed the stream was started with."""
        return self._stream.seed

    def get_state(self):
        """The state of the stream as a tensor of bytes."""
        return adopt(self._stream.get_state())

    def set_state(self, new_state) -> Generator:
        """Put the stream into a state that ``get_state`` returned."""
        if not isinstance(new_state, TensorBase) or new_state._value.spec.dtype is not dtypes.uint8:
            raise TypeError("RNG state must be a torch.ByteTensor")
        self._stream.set_state(new_state._buffer())
        return self

    def clone_state(self) -> Generator:
        """A generator with the same state and a life of its own."""
        other = Generator()
        other._own = self._stream.clone()
        return other

    def __reduce__(self):
        return (_restore, (self._stream.get_state(),))

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {hex(id(self))}>"


class _DefaultGenerator(Generator):
    """The generator of the process's default stream."""

    def __init__(self):
        self.device = devices.CPU

    @property
    def _stream(self) -> Stream:
        return _runtime.default_stream()


def _restore(state) -> Generator:
    made = Generator()
    made._own.set_state(state)
    return made


def _checked_seed(seed: int) -> int:
    if not -(2**63) <= seed < 2**64:
        raise ValueError("Overflow when unpacking long long")
    return seed % 2**64


default_generator = _DefaultGenerator()


def stream_of(generator: Generator | None) -> Stream:
    """The stream to draw from."""
    return _runtime.default_stream() if generator is None else generator._stream


def manual_seed(seed) -> Generator:
    """Start the default stream at ``seed``; the same numbers as PyTorch's on a CPU follow."""
    default_generator._stream.reseed(_checked_seed(int(seed)))
    return default_generator


def seed() -> int:
    """Start the default stream at a number from the operating system."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default stream."""
    return default_generator.initial_seed()


def get_rng_state():
    """State of the default stream."""
    return default_generator.get_state()


def set_rng_state(new_state) -> None:
    """Put the default stream into an earlier state."""
    default_generator.set_state(new_state)


class fork_rng:
    """A context at whose end the default stream is where it was at the start."""

    def __init__(self, devices=None, enabled=True, device_type="cuda"):
        self.enabled = enabled

    def __enter__(self):
        if self.enabled:
            self._state = default_generator._stream.get_state()

    def __exit__(self, *exc):
        if self.enabled:
            default_generator._stream.set_state(self._state)
