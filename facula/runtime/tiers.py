"""Which engine runs a program: counts sightings and estimates work, never looks at a clock."""

from __future__ import annotations

DEFAULT = "reference"


def engine_for(plan) -> str:
    """The engine for a program at this sighting; so far there is one."""
    return DEFAULT


def should_recompile(plan) -> bool:
    """Whether a program has been seen often enough for a better engine."""
    return False
