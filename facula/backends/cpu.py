"""``torch.backends.cpu``: what the processor can do."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def get_cpu_capability() -> str:
    """The widest vector instructions: "AVX512", "AVX2" or "DEFAULT" (also where unknown)."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return "DEFAULT"
    flags = next((line for line in text.splitlines() if line.startswith("flags")), "")
    words = set(flags.split())
    if {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= words:
        return "AVX512"
    return "AVX2" if {"avx2", "fma"} <= words else "DEFAULT"
