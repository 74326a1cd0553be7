"""Stochastic gradient descent, with momentum, Nesterov momentum and weight decay."""

from __future__ import annotations

from typing import Any

from facula.optim._checks import check_fused
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["SGD"]


class SGD(GroupwiseOptimizer):
    """Gradient descent: ``p -= lr * buf``, where ``buf = momentum * buf + (1 - dampening) * g``.

    The first ``buf`` is the gradient itself. With ``nesterov`` the step is ``g + momentum * buf``.
    ``foreach`` and ``fused`` are accepted and change nothing: every step is one fused block.

    >>> import facula as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
    >>> optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter containing:
    tensor([0.8000, 1.6000], requires_grad=True)
    """

    _shared = ()
    _steady = True
    _later_options = {
        "nesterov": False,
        "maximize": False,
        "foreach": None,
        "differentiable": False,
        "fused": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for what, value in (
            ("learning rate", lr),
            ("momentum value", momentum),
            ("weight_decay value", weight_decay),
        ):
            if value < 0.0:
                raise ValueError(f"Invalid {what}: {value}")
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("momentum_buffer",) if group["momentum"] != 0 else ()

    def _fresh_differs(self, group: dict[str, Any]) -> bool:
        return group["momentum"] != 0 and group["dampening"] != 0

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        momentum, lr = group["momentum"], group["lr"]
        uses_momentum = momentum != 0
        # the first buffer is the undampened gradient: zeros * momentum + 1 * g, the same program
        dampening = 0.0 if cohort.fresh else group["dampening"]
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("momentum_buffer"),) if uses_momentum else (),
            (),
            (
                lr if lr.__class__ is float else number(lr),
                self._decay(group, plan),
                momentum if momentum.__class__ is float else number(momentum),
                1.0 if dampening == 0.0 else number(1.0 - dampening),  # the same object every time
            ),
            momentum=uses_momentum,
            nesterov=bool(group["nesterov"]),
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )
        if cohort.fresh:
            cohort.fresh = False
            if len(plan.cohorts) > 1:
                plan.names = None  # the cohorts can be one from the next step on


def _rule(
    params: list[Tensor], grads: list[Tensor], *rest: Any, momentum: bool, **structure: bool
) -> tuple[list[Tensor], ...]:
    if momentum:
        return _with_momentum(params, grads, *rest, **structure)
    lr, decay, _, _ = rest
    new = [p - _direction(p, g, decay, **structure) * lr for p, g in zip(params, grads)]
    return (new,)


def _with_momentum(
    params: list[Tensor],
    grads: list[Tensor],
    buffers: list[Tensor],
    lr: Any,
    decay: Any,
    momentum: Any,
    gain: Any,
    **structure: bool,
) -> tuple[list[Tensor], ...]:
    new_params = []
    new_buffers = []
    for p, g, buffer in zip(params, grads, buffers):
        g = _direction(p, g, decay, **structure)
        buffer = buffer * momentum + g * gain
        step = g + buffer * momentum if structure["nesterov"] else buffer
        new_params.append(p - step * lr)
        new_buffers.append(buffer)
    return new_params, new_buffers


def _direction(
    p: Tensor, g: Tensor, decay: Any, *, decays: bool, maximize: bool, nesterov: bool
) -> Tensor:
    if maximize:
        g = -g
    return g + p * decay if decays else g


_RULE = Rule(_rule)
