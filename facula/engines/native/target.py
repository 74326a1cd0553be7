"""The CPU that code is made for: its vectors, registers, features and caches."""

from __future__ import annotations

import functools
import json
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from facula.base.flags import flags
from facula.engines.native import cache, llvm

_BITS = {"i1": 8, "i8": 8, "i16": 16, "half": 16, "bfloat": 16, "i32": 32, "float": 32}
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")


@dataclass(frozen=True)
class Target:
    """What the code generators ask about a CPU; ``l1`` and ``l2`` are bytes of a core's caches."""

    cpu: str
    features: frozenset[str]
    vector_bits: int
    registers: int
    l1: int
    l2: int

    @property
    def identity(self) -> str:
        """All that code may depend on, as text."""
        return " ".join(
            [
                llvm.identity(),
                self.cpu,
                *sorted(self.features),
                str((self.vector_bits, self.l1, self.l2)),
            ]
        )


@functools.cache
def host() -> Target:
    """The CPU this process runs on; raises Unavailable where LLVM does not work.

    What LLVM says about a CPU is kept with the compiled code, so that code that is already
    compiled can run without loading LLVM, which takes longer than many a program.
    """
    name = cache.digest("host", _serial(), llvm.identity())
    kept = cache.read(name) if _serial() else None
    facts = _parsed(kept)
    if facts is None:
        binding = llvm.binding()
        known = [feature for feature, there in binding.get_host_cpu_features().items() if there]
        facts = [binding.get_host_cpu_name(), known]
        if _serial():
            cache.write({name: json.dumps(facts).encode()})
    cpu, features = facts[0], frozenset(facts[1])
    bits, registers = _vectors(platform.machine().lower(), features)
    l1, l2 = _cache_sizes()
    forced = flags.vector_bits
    return Target(cpu, features, bits if forced < 0 else forced, registers, l1, l2)


def _parsed(kept: bytes | None) -> list | None:
    try:
        facts = json.loads(kept or b"")
    except ValueError:
        return None
    return facts if isinstance(facts, list) and len(facts) == 2 else None


@functools.cache
def _serial() -> str:
    """What the system says about the CPU, if it says all that matters; otherwise nothing."""
    wanted = ("vendor_id", "cpu family", "model", "stepping", "flags", "Features", "CPU part")
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(20_000).split("\n\n")[0].splitlines()
    except OSError:
        return ""
    lines = [line for line in first if line.startswith(wanted)]
    return "\n".join(lines) if len(lines) > 1 else ""


def _vectors(machine: str, features: frozenset[str]) -> tuple[int, int]:
    """Bits of the widest vectors worth using, and how many registers hold them."""
    if machine in ("x86_64", "amd64"):
        if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= features:
            return 512, 32
        return (256, 16) if {"avx2", "fma"} <= features else (128, 16)
    if machine in ("aarch64", "arm64"):
        return 128, 32
    return 0, 16


def _cache_sizes() -> tuple[int, int]:
    """Bytes of the first-level data cache and of the second level; usual sizes where unknown."""
    sizes = {1: 32 << 10, 2: 512 << 10}
    try:
        for entry in sorted(_CACHES.glob("index*")):
            if (entry / "type").read_text().strip() == "Instruction":
                continue
            level, size = int((entry / "level").read_text()), (entry / "size").read_text().strip()
            if level in sizes and size.endswith("K"):
                sizes[level] = int(size[:-1]) << 10
    except (OSError, ValueError):
        pass
    return sizes[1], sizes[2]


def vector_bits() -> int:
    """Bits of a vector: 512, 256, 128, or 0 where code is scalar."""
    return host().vector_bits


def lanes(element: str) -> int:
    """Elements of one vector, 1 for scalar code: ``lanes("float")`` is 16 with AVX-512."""
    return max(1, host().vector_bits // _BITS.get(element, 64))


def registers() -> int:
    """Vector registers: 32 with AVX-512 and NEON, otherwise 16."""
    return host().registers


def l1() -> int:
    """Bytes of one core's first-level data cache."""
    return host().l1


def l2() -> int:
    """Bytes of one core's second-level cache."""
    return host().l2


def has(feature: str) -> bool:
    """Whether the CPU has a feature, by LLVM's name: ``avx512bf16``, ``fma``."""
    return feature in host().features


def cores() -> int:
    """Cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
