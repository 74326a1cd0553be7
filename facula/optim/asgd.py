"""ASGD: gradient descent that also keeps the average of the weights it passed through."""

from __future__ import annotations

from typing import Any

from facula.optim._checks import check_at_least_zero, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["ASGD"]


class ASGD(GroupwiseOptimizer):
    """Gradient descent with a falling rate ``eta``; ``state[p]["ax"]`` is the averaged weight.

    ``eta = lr / (1 + lambd * lr * t) ** alpha``; averaging starts after ``t0`` steps.
    Source: Polyak and Juditsky, 1992, "Acceleration of stochastic approximation by averaging".
    """

    _shared = ("step", "eta", "mu")
    _sparse_error = "ASGD does not support sparse gradients"
    _later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "capturable": False,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_at_least_zero("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("ax",)

    def _initial_value(self, group: dict[str, Any], name: str) -> float:
        if name == "step":
            return 0.0
        return 1.0 if name == "mu" else float(group["lr"])

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        count, eta, mu = cohort.values
        count += 1.0
        lambd, lr = group["lambd"], float(group["lr"])
        next_eta = lr / (1.0 + lambd * lr * count) ** group["alpha"]
        next_mu = 1.0 / max(1.0, count - group["t0"])
        decay = self._decay(group, plan)
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("ax"),),
            (count, next_eta, next_mu),
            (eta, number(1.0 - lambd * eta), mu, next_eta, next_mu, decay),
            # mu is 1 until the averaging begins, and below 1 ever after
            averages=mu != 1.0,
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    averages_: list[Tensor],
    shared: list[Tensor],
    eta: Any,
    keep: Any,
    mu: Any,
    next_eta: Any,
    next_mu: Any,
    decay: Any,
    *,
    averages: bool,
    decays: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    new_params, new_averages = [], []
    for p, g, average in zip(params, grads, averages_):
        if maximize:
            g = -g
        if decays:
            g = g + p * decay
        p = p * keep - g * eta
        new_params.append(p)
        # adding nothing makes a tensor of its own: the average must not alias the weight
        new_averages.append(average + (p - average) * mu if averages else p + 0)
    count, old_eta, old_mu = shared
    # a number becomes a tensor by way of arithmetic with one
    return (
        new_params,
        new_averages,
        [count + 1, old_eta * 0 + next_eta, old_mu * 0 + next_mu],
    )


_RULE = Rule(_rule)
