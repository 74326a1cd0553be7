"""GradScaler: scales the loss so that small gradients survive in float16, and skips bad steps."""

from __future__ import annotations

import warnings
from enum import Enum
from typing import Any

from facula import tensors
from facula.autograd.modes import no_grad
from facula.base import dtypes
from facula.tensors import Tensor


class OptState(Enum):
    """How far an optimizer's step has come since the last update."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


class GradScaler:
    """Multiplies losses by a scale that adapts: it grows while gradients stay finite.

    ``device="cuda"`` (the default) disables itself with a warning, as there is no GPU; on
    ``device="cpu"`` it works.

    >>> import facula as torch
    >>> torch.amp.GradScaler("cpu", init_scale=4.0).scale(torch.tensor(2.0))
    tensor(8.)
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda":
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled:
            if growth_factor <= 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if backoff_factor >= 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
            self._init_scale = init_scale
            self._scale: Tensor | None = None
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            self._growth_tracker = 0
            self._optimizers: dict[int, tuple[OptState, bool]] = {}

    def _current(self) -> Tensor:
        if self._scale is None:
            self._scale = tensors.full((), self._init_scale, dtype=dtypes.float32)
        return self._scale

    def scale(self, outputs: Any) -> Any:
        """A tensor, or each of an iterable of tensors, times the scale."""
        if not self._enabled:
            return outputs
        scale = self._current()
        if isinstance(outputs, Tensor):
            return outputs * scale
        if isinstance(outputs, (list, tuple)):
            return type(outputs)([self.scale(o) for o in outputs])
        if hasattr(outputs, "__iter__"):
            return map(self.scale, outputs)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def _required_scale(self, what: str) -> Tensor:
        if self._scale is None:
            raise AssertionError(
                f"Attempted {what} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )
        return self._scale

    def _unscale(self, optimizer: Any, allow_fp16: bool) -> bool:
        """Divide the gradients by the scale; True if one of them is not finite."""
        factor = 1.0 / self._required_scale("unscale_").item()
        bad = False
        with no_grad():
            for group in optimizer.param_groups:
                for param in group["params"]:
                    grad = param.grad
                    if grad is None:
                        continue
                    if not allow_fp16 and grad.dtype is dtypes.float16:
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    values = grad._values() if grad.is_sparse else grad
                    bad = bad or not bool(values.isfinite().all().item())
                    grad.mul_(factor)
        return bad

    def unscale_(self, optimizer: Any) -> None:
        """Divide an optimizer's gradients by the scale before the step, e.g. to clip them."""
        if not self._enabled:
            return
        stage = self._optimizers.get(id(optimizer), (OptState.READY, False))[0]
        if stage is OptState.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        bad = self._unscale(optimizer, allow_fp16=False)
        self._optimizers[id(optimizer)] = (OptState.UNSCALED, bad)

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Let the optimizer step, unless a gradient is infinite or nan; returns what it returns."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        stage = self._optimizers.get(id(optimizer), (OptState.READY, False))[0]
        if stage is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if stage is OptState.READY:
            self.unscale_(optimizer)
        if not any(p.grad is not None for g in optimizer.param_groups for p in g["params"]):
            raise AssertionError("No inf checks were recorded for this optimizer.")
        bad = self._optimizers[id(optimizer)][1]
        result = None if bad else optimizer.step(*args, **kwargs)
        self._optimizers[id(optimizer)] = (OptState.STEPPED, bad)
        return result

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Adapt the scale after the steps of one iteration, or set it."""
        if not self._enabled:
            return
        scale = self._required_scale("update")
        if new_scale is not None:
            number = new_scale.item() if isinstance(new_scale, Tensor) else float(new_scale)
            self._scale = tensors.full((), float(number), dtype=dtypes.float32)
        else:
            if not self._optimizers:
                raise AssertionError("No inf checks were recorded prior to update.")
            self._adapt(scale)
        self._optimizers = {}

    def _adapt(self, scale: Tensor) -> None:
        if any(bad for _, bad in self._optimizers.values()):
            self._scale = scale * self._backoff_factor
            self._growth_tracker = 0
            return
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            self._scale = scale * self._growth_factor
            self._growth_tracker = 0

    def is_enabled(self) -> bool:
        """Whether it scales at all."""
        return self._enabled

    def get_scale(self) -> float:
        """The scale; 1.0 when disabled. Waits for the value."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        """By how much the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set by how much the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """By how much the scale shrinks after a bad gradient."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set by how much the scale shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """How many good steps in a row let the scale grow."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set how many good steps in a row let the scale grow."""
        self._growth_interval = new_interval

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs; empty when disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a checkpoint; without effect when disabled."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale = tensors.full((), self._init_scale, dtype=dtypes.float32)
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
