"""``torch.autocast``: inside it, products and convolutions run in bfloat16 (or float16) on the CPU.

Operations that lose too much in few bits (most losses) run in float32. Both lists are PyTorch's for
CPUs; an operation in neither keeps the dtype of its arguments.
"""

from __future__ import annotations

import collections.abc
import functools
import warnings
from typing import Any

import numpy as np

from facula import operators as ops
from facula.amp.interception import intercept
from facula.autograd.handle import TensorBase
from facula.base import dtypes
from facula.base.devices import device as _device

_LOWER = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "conv_tbc",
    "linear",
    "matmul",
    "mm",
    "bmm",
    "addmm",
    "addbmm",
    "baddbmm",
    "scaled_dot_product_attention",
    "einsum",
    "tensordot",
    "chain_matmul",
    "prelu",
]
_FLOAT32 = [
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "nll_loss",
    "cross_entropy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
    "soft_margin_loss",
    "hinge_embedding_loss",
    "cosine_embedding_loss",
    "triplet_margin_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "margin_ranking_loss",
    "poisson_nll_loss",
    "ctc_loss",
    "prod",
    "cdist",
    "trace",
    "quantile",
    "nanquantile",
    "grid_sample",
    "avg_pool3d",
    "adaptive_avg_pool3d",
    "max_pool3d",
    "cholesky",
    "inverse",
    "pinverse",
    "view_as_complex",
    "stft",
    "istft",
]
_SUPPORTED = (dtypes.bfloat16, dtypes.float16)


class _State:
    """What autocast is set to on one type of device."""

    __slots__ = ("dtype", "enabled")

    def __init__(self, dtype: dtypes.dtype):
        self.enabled = False
        self.dtype = dtype


_states = {"cpu": _State(dtypes.bfloat16)}
_cache = {"enabled": True}
_endings: list = []


def _state(device_type: str) -> _State:
    if device_type not in _states:
        _states[_device(device_type).type] = _State(dtypes.float16)
    return _states[device_type]


def _convert(value: Any, to: dtypes.dtype, eligible: tuple) -> Any:
    if isinstance(value, TensorBase):
        own = value._value.spec.dtype
        return ops.cast(value, to) if own is not to and own in eligible else value
    if type(value) in (list, tuple):
        return type(value)([_convert(v, to, eligible) for v in value])
    return value


def _handler(to: dtypes.dtype, eligible: tuple):
    def handle(args: tuple, kwargs: dict) -> tuple[tuple, dict]:
        return (
            tuple([_convert(a, to, eligible) for a in args]),
            {name: _convert(a, to, eligible) for name, a in kwargs.items()},
        )

    return handle


def _apply() -> None:
    """Make the operations follow the state of the CPU."""
    while _endings:
        _endings.pop()()
    state = _states["cpu"]
    if not state.enabled:
        return
    lower = _handler(state.dtype, (dtypes.float32, dtypes.float16, dtypes.bfloat16))
    full = _handler(dtypes.float32, _SUPPORTED)
    for names, handler in ((_LOWER, lower), (_FLOAT32, full)):
        for name in names:
            function = getattr(ops, name, None)
            ending = None if function is None else intercept(function, handler)
            if ending is not None:
                _endings.append(ending)


class autocast:
    """A context (or decorator) in which operations choose cheaper dtypes where that is safe.

    On the CPU ``dtype`` is bfloat16 (default) or float16. ``device_type="cuda"`` warns and does
    nothing, as there is no GPU.

    >>> import facula as torch
    >>> with torch.autocast("cpu"):
    ...     y = torch.ones(2, 2) @ torch.ones(2, 2)
    >>> y.dtype
    torch.bfloat16
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtypes.dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        self.device = _device(device_type).type
        if self.device == "meta":
            raise RuntimeError("User specified an unsupported autocast device_type 'meta'")
        self.fast_dtype = _state(self.device).dtype if dtype is None else dtype
        self._cache_enabled = _cache["enabled"] if cache_enabled is None else cache_enabled
        self._enabled = enabled and self._usable()

    def _usable(self) -> bool:
        if self.device == "cuda":
            warnings.warn(
                "CUDA is not available or torch_xla is imported. Disabling autocast.", stacklevel=4
            )
            return False
        if self.device == "cpu" and self.fast_dtype not in _SUPPORTED:
            warnings.warn(
                "In CPU autocast, but the target dtype is not supported. Disabling autocast.\n"
                "CPU Autocast only supports dtypes of torch.bfloat16, torch.float16 currently.",
                stacklevel=4,
            )
            return False
        return True

    def __enter__(self) -> autocast:
        state = _state(self.device)
        self._before = (state.enabled, state.dtype, _cache["enabled"])
        _set(self.device, self._enabled, self.fast_dtype)
        _cache["enabled"] = self._cache_enabled
        return self

    def __exit__(self, *exc: object) -> bool:
        enabled, dtype, _cache["enabled"] = self._before
        _set(self.device, enabled, dtype)
        return False

    def __call__(self, function):
        @functools.wraps(function)
        def wrapped(*args, **kwargs):
            with self:
                return function(*args, **kwargs)

        return wrapped


def _set(device_type: str, enabled: bool, dtype: dtypes.dtype) -> None:
    state = _state(device_type)
    changed = (state.enabled, state.dtype) != (enabled, dtype)
    state.enabled, state.dtype = bool(enabled), dtype
    if changed and device_type == "cpu":
        _apply()


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows the type of device."""
    return _device(device_type).type != "meta"


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether autocast is on; without an argument, on GPUs."""
    return _state(device_type).enabled


def is_autocast_cpu_enabled() -> bool:
    """Whether autocast is on for the CPU."""
    return _state("cpu").enabled


def set_autocast_enabled(device_type: str | bool, enabled: bool | None = None) -> None:
    """Switch autocast on or off for a type of device (GPUs when only a bool is given)."""
    if enabled is None:
        device_type, enabled = "cuda", bool(device_type)
    assert isinstance(device_type, str)
    _set(device_type, enabled, _state(device_type).dtype)


def get_autocast_dtype(device_type: str) -> dtypes.dtype:
    """The cheaper dtype of a type of device."""
    return _state(device_type).dtype


def set_autocast_dtype(device_type: str, dtype: dtypes.dtype) -> None:
    """Set the cheaper dtype of a type of device."""
    _set(device_type, _state(device_type).enabled, dtype)


def get_autocast_cpu_dtype() -> dtypes.dtype:
    """The cheaper dtype on the CPU."""
    return _state("cpu").dtype


def get_autocast_gpu_dtype() -> dtypes.dtype:
    """The cheaper dtype on GPUs."""
    return _state("cuda").dtype


def is_autocast_cache_enabled() -> bool:
    """Whether casts of weights may be kept; facula has nothing to keep."""
    return _cache["enabled"]


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Allow casts of weights to be kept."""
    _cache["enabled"] = bool(enabled)


def clear_autocast_cache() -> None:
    """Forget kept casts: there are none."""


def _cast_inputs(value: Any, device_type: str, dtype: dtypes.dtype) -> Any:
    if isinstance(value, TensorBase):
        floating = value.is_floating_point() and value.dtype is not dtypes.float64
        return value.to(dtype) if floating and value.device.type == device_type else value
    if isinstance(value, (str, bytes, np.ndarray)):
        return value
    if isinstance(value, collections.abc.Mapping):
        return {k: _cast_inputs(v, device_type, dtype) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)([_cast_inputs(v, device_type, dtype) for v in value])
    return value


def custom_fwd(fwd=None, *, device_type: str, cast_inputs: dtypes.dtype | None = None):
    """Decorates ``forward`` of a custom Function: says how it runs when autocast is on.

    With ``cast_inputs`` floating tensors are converted to that dtype and autocast is off inside.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def wrapped(*args, **kwargs):
        ctx = args[0]
        ctx._dtype = get_autocast_dtype(device_type)
        on = is_autocast_enabled(device_type)
        if cast_inputs is None or not on:
            ctx._fwd_used_autocast = on
            return fwd(*args, **kwargs)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(
                *_cast_inputs(args, device_type, cast_inputs),
                **_cast_inputs(kwargs, device_type, cast_inputs),
            )

    return wrapped


def custom_bwd(bwd=None, *, device_type: str):
    """Decorates ``backward`` of a custom Function: autocast as it was in ``forward``."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def wrapped(*args, **kwargs):
        ctx = args[0]
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(*args, **kwargs)

    return wrapped
