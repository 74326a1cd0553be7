"""Muon: momentum whose step is made orthogonal, for weight matrices."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Muon"]


class Muon(GroupwiseOptimizer):
    """Replaces the momentum of each matrix by the nearest orthogonal one, by Newton-Schulz steps.

    Only for 2-D parameters; give biases, norms and embeddings to AdamW. The iteration runs in
    bfloat16, as in PyTorch. Source: Jordan, 2024, "Muon: an optimizer for hidden layers".
    """

    _shared = ()
    _sparse_error = "Muon does not support sparse gradients"

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for what, value in (
            ("Learning rate", lr),
            ("momentum", momentum),
            ("weight decay", weight_decay),
        ):
            if not value >= 0.0:
                raise ValueError(f"{what} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                if p.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with "
                        f"size: {p.size()}"
                    )

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",)

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        if cohort.complex:
            raise RuntimeError("Muon does not support complex parameters")
        coefficients = group["ns_coefficients"]
        if len(coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        if group["ns_steps"] >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        lr, momentum = number(group["lr"]), group["momentum"]
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("momentum_buffer"),),
            (),
            (
                lr,
                number(momentum),
                number(1.0 - momentum),
                1.0 - lr * number(group["weight_decay"]),
            ),
            nesterov=bool(group["nesterov"]),
            coefficients=(*map(float, coefficients), float(group["eps"])),
            steps=int(group["ns_steps"]),
            scaling=group["adjust_lr_fn"] or "original",
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    buffers: list[Tensor],
    lr: Any,
    momentum: Any,
    gain: Any,
    keep: Any,
    *,
    nesterov: bool,
    coefficients: tuple[float, float, float, float],
    steps: int,
    scaling: str,
) -> tuple[list[Tensor], ...]:
    new_params, new_buffers = [], []
    for p, g, buffer in zip(params, grads, buffers):
        buffer = buffer + (g - buffer) * gain
        step = g + (buffer - g) * momentum if nesterov else buffer
        step = _orthogonal(step, coefficients, steps)
        rows, columns = p.shape
        if scaling == "match_rms_adamw":
            factor = 0.2 * max(rows, columns) ** 0.5
        else:
            factor = max(1.0, rows / columns) ** 0.5
        new_params.append(p * keep - step.to(p.dtype) * (lr * factor))
        new_buffers.append(buffer)
    return new_params, new_buffers


def _orthogonal(
    matrix: Tensor, coefficients: tuple[float, float, float, float], steps: int
) -> Tensor:
    """Push all singular values of ``matrix`` towards 1 by a polynomial iteration."""
    a, b, c, eps = coefficients
    x = matrix.bfloat16()
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / ops.clamp(ops.norm(x), min=eps)
    for _ in range(steps):
        gram = ops.matmul(x, x.T)
        gram = ops.addmm(gram, gram, gram, beta=b, alpha=c)
        x = ops.addmm(x, gram, x, beta=a)
    return x.T if tall else x


_RULE = Rule(_rule)
