"""``torch.backends.mkldnn``: oneDNN is not used; its settings are remembered."""

from __future__ import annotations

import sys

from facula.backends.flags import flags_context

enabled = True
deterministic = False
allow_tf32 = True
fp32_precision = "none"

flags = flags_context(
    sys.modules[__name__], ("enabled", "deterministic", "allow_tf32", "fp32_precision")
)


def is_available() -> bool:
    """Whether this build calls oneDNN: no."""
    return False
