"""Every environment variable facula reads, in one table."""

from __future__ import annotations

import os
from dataclasses import dataclass

TABLE = {
    "FACULA_EAGER": "1: run every operation at once instead of recording (for debugging)",
    "FACULA_DEBUG": "1: print each program when it is first run; 2: also its text",
    "FACULA_NODES": "most operations recorded before they are run (default 1000)",
    "FACULA_BYTES": "most bytes of pending results before they are computed (default 256 MiB)",
    "FACULA_LINES": "0: do not keep the user's line of each operation",
    "FACULA_ENGINE": "reference or native: the engine for every program (default: native for what "
    "repeats or is large, as far as it is available)",
    "FACULA_COMPARE": "1: also run each program on the reference engine; stop at what differs",
    "FACULA_VECTOR_BITS": "bits of the vectors compiled code uses; 0 for none (default: the CPU's)",
    "FACULA_CACHE": "folder for compiled code; 0 for none (default: the user's cache folder)",
    "FACULA_CACHE_BYTES": "most bytes of compiled code kept there (default 256 MiB)",
}


def _integer(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    try:
        return int(text) if text else default
    except ValueError:
        raise ValueError(f"{name} must be an integer, got {text!r}: {TABLE[name]}") from None


def _choice(name: str, options: tuple[str, ...]) -> str:
    text = os.environ.get(name, "")
    if text and text not in options:
        raise ValueError(f"{name} must be one of {', '.join(options)}, got {text!r}")
    return text


@dataclass(slots=True)
class Flags:
    """The flags in force; tests and ``facula.eager_mode`` change them in place."""

    eager: bool
    debug: int
    nodes: int
    bytes: int
    lines: bool
    compare: bool
    engine: str  # "": chosen for each program
    vector_bits: int  # -1: the CPU's own
    cache: str  # "": the user's cache folder, "0": nowhere
    cache_bytes: int


flags = Flags(
    eager=bool(_integer("FACULA_EAGER", 0)),
    debug=_integer("FACULA_DEBUG", 0),
    nodes=_integer("FACULA_NODES", 1000),
    bytes=_integer("FACULA_BYTES", 256 << 20),
    lines=bool(_integer("FACULA_LINES", 1)),
    compare=bool(_integer("FACULA_COMPARE", 0)),
    engine=_choice("FACULA_ENGINE", ("reference", "native")),
    vector_bits=_integer("FACULA_VECTOR_BITS", -1),
    cache=os.environ.get("FACULA_CACHE", ""),
    cache_bytes=_integer("FACULA_CACHE_BYTES", 256 << 20),
)
