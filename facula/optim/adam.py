"""Adam, with L2 or decoupled weight decay and AMSGrad."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula.optim._checks import check_at_least_zero, check_betas, check_fused, check_lr
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule, number
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Adam"]


class Adam(GroupwiseOptimizer):
    """Steps of about ``lr`` per weight, from running averages of the gradient and its square.

    ``m = b1 m + (1 - b1) g``, ``v = b2 v + (1 - b2) g^2``, both divided by ``1 - beta^t``;
    ``p -= lr * m / (sqrt(v) + eps)``. ``amsgrad`` uses the largest ``v`` so far.
    ``foreach``, ``fused`` and ``capturable`` are accepted and change nothing.
    Source: Kingma and Ba, 2015 (arXiv 1412.6980).

    >>> import facula as torch
    >>> w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
    >>> optimizer = torch.optim.Adam([w], lr=0.1)
    >>> (w * w).sum().backward()
    >>> optimizer.step()
    >>> w
    Parameter containing:
    tensor([ 0.9000, -1.9000], requires_grad=True)
    """

    _sparse_error = "Adam does not support sparse gradients, please consider SparseAdam instead"
    _later_options = {
        "amsgrad": False,
        "maximize": False,
        "foreach": None,
        "capturable": False,
        "differentiable": False,
        "decoupled_weight_decay": False,
        "fused": None,
    }

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        check_lr(lr)
        check_at_least_zero("epsilon value", eps)
        check_betas(betas)
        check_at_least_zero("weight_decay value", weight_decay)
        betas = _checked_betas(betas, foreach=bool(foreach) and not capturable)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)
        check_fused(fused, foreach, differentiable)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        if group["amsgrad"]:
            return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
        return ("exp_avg", "exp_avg_sq")

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        count = cohort.values[0] + 1.0
        beta1, beta2 = group["betas"]
        beta1, beta2, lr = number(beta1), number(beta2), number(group["lr"])
        decay = self._decay(group, plan)
        decoupled = bool(group["decoupled_weight_decay"])
        amsgrad = bool(group["amsgrad"])
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            (
                cohort.column("exp_avg"),
                cohort.column("exp_avg_sq"),
                *((cohort.column("max_exp_avg_sq"),) if amsgrad else ()),
            ),
            (count,),
            (
                lr / (1.0 - beta1**count),
                1.0 - beta1,
                beta2,
                1.0 - beta2,
                (1.0 - beta2**count) ** 0.5,
                number(group["eps"]),
                1.0 - lr * decay if decoupled else decay,
            ),
            amsgrad=amsgrad,
            decays=plan.decays,
            decoupled=decoupled,
            maximize=bool(group["maximize"]),
        )


def _checked_betas(betas: Any, foreach: bool) -> tuple[Any, Any]:
    first, second = betas
    if isinstance(first, Tensor) != isinstance(second, Tensor) or not (
        isinstance(first, (float, Tensor)) and isinstance(second, (float, Tensor))
    ):
        raise ValueError("betas must be either both floats or both Tensors")
    for i, beta in enumerate((first, second)):
        if not isinstance(beta, Tensor):
            continue
        if foreach:
            raise ValueError(
                f"betas[{i}] as a Tensor is not supported for capturable=False and foreach=True"
            )
        if beta.numel() != 1:
            raise ValueError(f"Tensor betas[{i}] must be 1-element")
    return tuple(b.squeeze() if isinstance(b, Tensor) else b for b in (first, second))


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    *rest: Any,
    amsgrad: bool,
    decays: bool,
    decoupled: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    tops = rest[0] if amsgrad else squares
    counts, step_size, gain1, beta2, gain2, root, eps, decay = rest[-8:]
    new_params, new_means, new_squares, new_tops = [], [], [], []
    for p, g, mean, square, top in zip(params, grads, means, squares, tops):
        if maximize:
            g = -g
        if decays and decoupled:
            p = p * decay
        elif decays:
            g = g + p * decay
        mean = mean + (g - mean) * gain1
        square = square * beta2 + g * gain2 * g
        top = ops.maximum(top, square) if amsgrad else square
        new_params.append(p - mean * step_size / (ops.sqrt(top) / root + eps))
        new_means.append(mean)
        new_squares.append(square)
        new_tops.append(top)
    new_counts = [count + 1 for count in counts]
    if amsgrad:
        return new_params, new_means, new_squares, new_tops, new_counts
    return new_params, new_means, new_squares, new_counts


_RULE = Rule(_rule)
