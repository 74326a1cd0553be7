"""``torch.backends.nnpack``: NNPACK is not used; its setting is remembered."""

from __future__ import annotations

import sys

from facula.backends.flags import flags_context

enabled = True
flags = flags_context(sys.modules[__name__], ("enabled",))


def is_available() -> bool:
    """Whether this build calls NNPACK: no."""
    return False


def set_flags(_enabled: bool) -> tuple[bool]:
    """Set the setting; returns the old one."""
    global enabled
    before, enabled = enabled, _enabled
    return (before,)
