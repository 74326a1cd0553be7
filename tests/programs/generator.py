"""Makes random programs: lines are drawn while they run on PyTorch, so that most are valid."""

from __future__ import annotations

import random
import re
import warnings

import numpy as np
import torch

from tests.programs import lines_grad, lines_math, lines_memory, lines_views
from tests.programs.program import Line, Program
from tests.programs.runner import NAME, environment, execute, lenient, partial, spoilt

TOLERANCE = {
    torch.float64: 1e-10, torch.complex128: 1e-10, torch.float32: 2e-4, torch.complex64: 2e-4,
    torch.float16: 2e-2, torch.bfloat16: 1e-1,
}  # fmt: skip
DTYPES = (
    ["float32"] * 40 + ["float64"] * 14 + ["int64"] * 12 + ["bool"] * 6 + ["int32"] * 5
    + ["float16"] * 4 + ["bfloat16"] * 4 + ["uint8"] * 4 + ["int16"] * 2 + ["int8"] * 3
    + ["complex64"] * 4 + ["complex128"] * 2
)  # fmt: skip
NAMES = "abcdhijklmnopqrstuvwxyz"
LARGEST = 2000.0


class Generator:
    """The state of a program while it is made: PyTorch's variables and what is known of them."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.env = environment(torch)
        self.lines: list[Line] = []
        self.tensors: dict[str, float] = {}  # name -> tolerance
        self.arrays: dict[str, float] = {}
        self.strided: set[str] = set()
        self.home: dict[str, int] = {}  # name -> number of the memory it uses
        self.count = self.homes = 0
        self.foreign: set[int] = set()  # gradients that PyTorch returns as views
        self.unwatched: set[int] = set()  # memory that PyTorch does not see all writes to
        self.coarse = 1e-10
        self.errors = 0

    # Drawing ------------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, options):
        return self.random.choice(list(options))

    def integer(self, low: int, high: int) -> int:
        return self.random.randint(low, high)

    def name(self) -> str:
        """A new variable."""
        count, self.count = self.count, self.count + 1
        return NAMES[count % len(NAMES)] + (str(count // len(NAMES)) if count >= len(NAMES) else "")

    def dtype(self) -> str:
        return self.pick(DTYPES)

    def shape(self) -> tuple[int, ...]:
        ndim = self.pick([0, 1, 1, 2, 2, 2, 3, 3, 4])
        sizes = [1, 2, 2, 3, 3, 4, 5] if not self.chance(0.03) else [0, 1, 2]
        return tuple([self.pick(sizes) for _ in range(ndim)])

    def number(self, dtype: torch.dtype | None = None) -> str:
        """A Python number, mostly one that floats hold exactly."""
        kind = self.random.random()
        if dtype in (torch.uint8,):
            return str(self.integer(0, 5))
        if dtype is not None and not dtype.is_floating_point and not dtype.is_complex:
            kind = kind * 0.45
        if kind < 0.42:
            return str(self.integer(-3, 4))
        if kind < 0.46:
            return self.pick(["True", "False"])
        if kind < 0.96 or dtype is not None:
            return repr(self.integer(-12, 12) / 4)
        return f"{self.integer(-4, 4) / 2!r}+{self.integer(1, 3) / 2!r}j"

    def tensor(self, wanted=None, exact=False) -> str | None:
        """A tensor variable that fulfils a condition; recent ones are likelier."""
        found = [
            n for n, noise in self.tensors.items()
            if (not exact or noise == 0) and (wanted is None or wanted(self.env[n]))
        ]  # fmt: skip
        if not found:
            return None
        if self.chance(0.4):
            return self.pick(found[-3:])
        return self.pick(found)

    def value(self, name: str) -> torch.Tensor:
        return self.env[name]

    def noise(self, *names) -> float:
        return max([self.tensors.get(n, self.arrays.get(n, 0.0)) for n in names], default=0.0)

    def literal(self, dtype: str, shape: tuple[int, ...]) -> str:
        """Nested lists of values of a dtype, as text."""

        def one():
            if dtype == "bool":
                return self.chance(0.5)
            if dtype == "uint8":
                return self.integer(0, 9)
            if "int" in dtype:
                return self.integer(-5, 9)
            value = self.integer(-12, 12) / 4
            return complex(value, self.integer(-6, 6) / 2) if "complex" in dtype else value

        def nested(sizes):
            return one() if not sizes else [nested(sizes[1:]) for _ in range(sizes[0])]

        return repr(nested(shape))

    # Adding lines -------------------------------------------------------------------------------

    def add(self, line: Line | None) -> bool:
        """Run a line on PyTorch and keep it; False if it was not kept and the program must end."""
        if line is None:
            return True
        read = [n for n in re.findall(NAME, line.text) if n in self.tensors or n in self.arrays]
        noise = self.noise(*read)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            state = torch.get_rng_state() if "torch.r" in line.text else None
            error = execute(line.text, self.env)
        if error is not None:
            return self._keep_error(line, error, state)
        if spoilt(self.env):
            return False
        if isinstance(line, lines_memory.Drop):
            self.forget(line.dropped)
        self._enter(line, read, noise)
        if not self._tame():
            return False
        line.noise = {**self.tensors, **self.arrays}
        line.strided = frozenset(self.strided)
        self.lines.append(line)
        return True

    def _keep_error(self, line, error, state) -> bool:
        if isinstance(error, (SyntaxError, NameError, AttributeError)):
            raise AssertionError(f"bad line {line.text}: {error}") from error
        if lenient(error):
            return not line.writes
        self.errors += 1
        line.new = ()
        line.noise = {**self.tensors, **self.arrays}
        self.lines.append(line)
        return not partial(line.text) and self.errors < 4

    def _enter(self, line, read, noise) -> None:
        """Note what the line made, and how exact everything is now."""
        for name in line.new:
            value = self.env[name]
            if isinstance(value, torch.Tensor):
                self.tensors[name] = 0.0
                self._settle(name, value, line, read)
            elif isinstance(value, np.ndarray):
                self.arrays[name] = 0.0
                self.home[name] = self._home_of(value.__array_interface__["data"][0], name)
        for name in line.writes:
            if ".data =" in line.text:  # the variable has another memory from now on
                self.home.pop(name)
                self._settle(name, self.env[name], line, ())
        for name in line.new:
            value = self.env[name]
            if (
                "autograd.grad" in line.text
                and isinstance(value, torch.Tensor)
                and value._is_view()
            ):
                self.foreign.add(self.home[name])
        if ".abs()" in line.text and any(self._complex(n) for n in read):
            line.inexact = True
        if ".data" in line.text or "numpy" in line.text or "as_tensor" in line.text:
            self.unwatched |= {self.home[n] for n in (*line.new, *read) if n in self.home}
        touched = {self.home[n] for n in (*line.new, *line.writes) if n in self.home}
        for name in (*self.tensors, *self.arrays):
            if self.home.get(name) in touched:
                own = noise
                value = self.env[name]
                if line.inexact or noise:
                    own = max(own, _tolerance(value.dtype), self._grad_noise(line))
                table = self.tensors if name in self.tensors else self.arrays
                table[name] = max(table[name], own)
        for name in self.tensors:
            self.coarse = max(self.coarse, _tolerance(self.env[name].dtype))

    def _complex(self, name) -> bool:
        value = self.env.get(name)
        return isinstance(value, torch.Tensor) and value.is_complex()

    def _grad_noise(self, line) -> float:
        return self.coarse if "grad" in line.text else 0.0

    def _settle(self, name, value, line, read) -> None:
        address = value.untyped_storage().data_ptr()
        home = self._home_of(address, name)
        self.home[name] = home
        shared = (
            read
            if "deepcopy" in line.text
            else [n for n in read if self.home.get(n) == home and n in self.tensors]
        )
        if shared:
            known = all(n in self.strided for n in shared)
        else:
            known = value.numel() > 0 and value.stride() == plain_strides(value.shape)
            if "autograd.grad" in line.text:  # stack's gradients are parts of one in PyTorch
                known = known and value.storage_offset() == 0
        if known:
            self.strided.add(name)
        else:
            self.strided.discard(name)

    def _home_of(self, address, name) -> int:
        for other in (*self.tensors, *self.arrays):
            if other == name or other not in self.home:
                continue
            value = self.env[other]
            if isinstance(value, torch.Tensor):
                start = value.untyped_storage().data_ptr()
                size = value.untyped_storage().nbytes()
            else:
                start, size = value.__array_interface__["data"][0], value.nbytes
            if start and start <= address < start + size:
                return self.home[other]
        self.homes += 1
        return self.homes

    def alone(self, name: str) -> bool:
        """Whether no other variable uses the same memory."""
        return list(self.home.values()).count(self.home[name]) == 1

    def forget(self, name: str) -> None:
        """A variable was deleted."""
        self.tensors.pop(name, None)
        self.arrays.pop(name, None)
        self.strided.discard(name)
        self.home.pop(name, None)

    def _tame(self) -> bool:
        """Whether all numbers are finite and of modest size."""
        for name in self.tensors:
            value = self.env[name].detach()
            if value.is_complex():
                value = torch.view_as_real(value.resolve_conj())
            if (
                value.numel()
                and value.is_floating_point()
                and not bool((value.abs() < LARGEST).all())
            ):
                return False
        return True


def _tolerance(dtype) -> float:
    if not isinstance(dtype, torch.dtype):
        dtype = getattr(torch, dtype.name)
    return TOLERANCE.get(dtype, 0.0)


def plain_strides(shape) -> tuple[int, ...]:
    """Strides of a row-major tensor."""
    strides = [1]
    for n in reversed(shape[1:]):
        strides.append(strides[-1] * n)
    return tuple(strides[::-1]) if shape else ()


def kinds() -> list[tuple[float, object]]:
    """(weight, maker) of every kind of line."""
    return [*lines_math.KINDS, *lines_views.KINDS, *lines_memory.KINDS, *lines_grad.KINDS]


def generate(seed: int, length: int = 22) -> Program:
    """The program of a seed."""
    torch.manual_seed(seed)
    g = Generator(seed)
    weights, makers = zip(*kinds(), strict=True)
    wanted = g.integer(4, length)
    for _ in range(g.integer(1, 3)):
        g.add(lines_math.create(g))
    while not g.tensors:
        g.add(lines_math.create(g))
    alive = True
    for _ in range(wanted * 2):
        maker = g.random.choices(makers, weights)[0]
        alive = g.add(maker(g))
        if not alive or len(g.lines) >= wanted:
            break
    if alive and g.chance(0.6):
        g.add(lines_grad.backward(g))
    nodes = g.pick([1000, 1000, 1000, 3, 1])
    return Program(
        g.lines, seed, eager=g.chance(0.15), nodes=nodes, watch=g.chance(0.35), coarse=g.coarse
    )
