"""``torch.cuda.amp.autocast`` and the decorators for custom functions, by their old names."""

from __future__ import annotations

import functools
import warnings
from typing import Any

from facula import amp
from facula.base import dtypes


class autocast(amp.autocast):
    """``torch.amp.autocast("cuda", ...)`` by its old name."""

    def __init__(
        self,
        enabled: bool = True,
        dtype: dtypes.dtype = dtypes.float16,
        cache_enabled: bool = True,
    ):
        warnings.warn(
            "`torch.cuda.amp.autocast(args...)` is deprecated. Please use "
            "`torch.amp.autocast('cuda', args...)` instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__("cuda", dtype=dtype, enabled=enabled, cache_enabled=cache_enabled)


custom_fwd: Any = functools.partial(amp.custom_fwd, device_type="cuda")
custom_bwd: Any = functools.partial(amp.custom_bwd, device_type="cuda")
