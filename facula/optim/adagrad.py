"""Adagrad: gradients divided by the root of the sum of all their squares."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.optim._checks import check_at_least_zero, check_fused, check_lr
from facula.optim._cohorts import Cohort, Plan, make_plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Adagrad"]


class Adagrad(GroupwiseOptimizer):
    """``sum += g^2``; ``p -= lr / (1 + (t - 1) lr_decay) * g / (sqrt(sum) + eps)``.

    The state exists from the start, as in PyTorch. Sparse gradients are made dense, with the same
    result. Source: Duchi, Hazan and Singer, 2011 (JMLR 12).
    """

    _later_options = {
        "foreach": None,
        "maximize": False,
        "differentiable": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_at_least_zero("lr_decay value", lr_decay)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("initial_accumulator_value value", initial_accumulator_value)
        check_at_least_zero("epsilon value", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)
        for group in self.param_groups:
            # the parameters stand for their gradients: state is made for every one of them
            make_plan(self, group, self._buffers(group), group["params"])

    def share_memory(self) -> None:
        """Move the sums to memory that worker processes can see."""
        for group in self.param_groups:
            for p in group["params"]:
                self.state[p]["sum"].share_memory_()

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("sum",)

    def _new_buffer(self, group: dict[str, Any], param: Tensor, name: str) -> Tensor:
        start = self.defaults["initial_accumulator_value"]
        if param.is_complex():
            start = complex(start, start)
        return tensors.full_like(param.detach(), start)

    def _made_dense(self, grads: list[Tensor]) -> list[Tensor]:
        if any(group["weight_decay"] != 0 for group in self.param_groups):
            raise RuntimeError("weight_decay option is not compatible with sparse gradients")
        return super()._made_dense(grads)

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        done = cohort.values[0]
        decay = self._decay(group, plan)
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (cohort.column("sum"),),
            (done + 1.0,),
            (
                number(group["lr"]) / (1.0 + done * group["lr_decay"]),
                number(group["eps"]),
                decay,
            ),
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    sums: list[Tensor],
    counts: list[Tensor],
    lr: Any,
    eps: Any,
    decay: Any,
    *,
    decays: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    new_params, new_sums = [], []
    for p, g, total in zip(params, grads, sums):
        if maximize:
            g = -g
        if decays:
            g = g + p * decay
        total = total + g * g
        new_params.append(p - g * lr / (ops.sqrt(total) + eps))
        new_sums.append(total)
    return new_params, new_sums, [count + 1 for count in counts]


_RULE = Rule(_rule)
