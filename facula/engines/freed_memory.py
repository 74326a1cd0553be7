"""What the C library does with memory that is given back."""

from __future__ import annotations

import numpy as np

_LARGE = 31 << 20  # bytes; the greatest size from which glibc learns is 32 MiB


def keep() -> None:
    """Let the C library keep arrays' memory when it is freed, for those that come next.

    At first glibc returns every array above 128 KiB to the system, and what is asked of the system
    anew is filled with zeros, page by page: that takes as long as computing. It learns from the
    first large block that is freed, and from then on keeps up to 64 MiB. Elsewhere this does
    nothing.
    """
    np.empty(_LARGE, np.uint8)
