"""``torch.backends.cuda``: settings are remembered; CUDA itself is not there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from facula import switches


class _Matmul:
    """Settings of matrix products on GPUs."""

    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True
    allow_fp16_accumulation = False
    fp32_precision = "none"

    @property
    def allow_tf32(self) -> bool:
        """Whether float32 products may use tf32; tied to ``set_float32_matmul_precision``."""
        return switches.get_float32_matmul_precision() != "highest"

    @allow_tf32.setter
    def allow_tf32(self, wanted: bool) -> None:
        switches.set_float32_matmul_precision("high" if wanted else "highest")


class _PlanCache:
    """The cache of cuFFT's plans, which needs CUDA."""

    @property
    def size(self) -> int:
        """Number of cached plans; refused."""
        raise AssertionError("Torch not compiled with CUDA enabled")

    max_size = size


matmul = _Matmul()
cufft_plan_cache = _PlanCache()
_sdp = {"flash": True, "mem_efficient": True, "math": True, "cudnn": True, "reduction": True}


def is_built() -> bool:
    """Whether this build has CUDA: no."""
    return False


def flash_sdp_enabled() -> bool:
    """Whether flash attention may be chosen."""
    return _sdp["flash"]


def enable_flash_sdp(enabled: bool) -> None:
    """Allow flash attention."""
    _sdp["flash"] = bool(enabled)


def mem_efficient_sdp_enabled() -> bool:
    """Whether memory-efficient attention may be chosen."""
    return _sdp["mem_efficient"]


def enable_mem_efficient_sdp(enabled: bool) -> None:
    """Allow memory-efficient attention."""
    _sdp["mem_efficient"] = bool(enabled)


def math_sdp_enabled() -> bool:
    """Whether attention may be computed step by step."""
    return _sdp["math"]


def enable_math_sdp(enabled: bool) -> None:
    """Allow attention computed step by step."""
    _sdp["math"] = bool(enabled)


def cudnn_sdp_enabled() -> bool:
    """Whether cuDNN's attention may be chosen."""
    return _sdp["cudnn"]


def enable_cudnn_sdp(enabled: bool) -> None:
    """Allow cuDNN's attention."""
    _sdp["cudnn"] = bool(enabled)


def fp16_bf16_reduction_math_sdp_allowed() -> bool:
    """Whether step-by-step attention may sum in half precision."""
    return _sdp["reduction"]


def allow_fp16_bf16_reduction_math_sdp(enabled: bool) -> None:
    """Allow step-by-step attention to sum in half precision."""
    _sdp["reduction"] = bool(enabled)


def is_flash_attention_available() -> bool:
    """Whether flash attention was compiled in: no."""
    return False


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[dict[str, Any]]:
    """Choose the kinds of attention allowed inside a ``with`` block."""
    before = dict(_sdp)
    _sdp.update(
        flash=enable_flash, math=enable_math, mem_efficient=enable_mem_efficient, cudnn=enable_cudnn
    )
    try:
        yield {}
    finally:
        _sdp.update(before)
