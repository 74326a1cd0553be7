"""SparseAdam: Adam for sparse gradients, which touches only the rows that have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.operators.formula import formula
from facula.optim._checks import check_betas
from facula.optim._groupwise import evaluate, number
from facula.optim.optimizer import Optimizer, ParamsT
from facula.tensors import Tensor, assign

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam applied lazily: averages and weights change only where the gradient has an entry.

    For layers such as ``nn.Embedding(..., sparse=True)``; dense gradients raise RuntimeError.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr > 0.0:
            raise ValueError(f"Invalid learning rate: {lr}")
        if not eps > 0.0:
            raise ValueError(f"Invalid epsilon value: {eps}")
        check_betas(betas)
        defaults = {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize}
        super().__init__(params, defaults)
        self._reject("Sparse", "requires dense parameter tensors", lambda p: p.is_sparse)
        self._reject("Complex", "does not support complex parameters", lambda p: p.is_complex())

    def _reject(self, kind: str, rule: str, is_bad: Callable[[Tensor], bool]) -> None:
        found = [
            [i, j]
            for i, group in enumerate(self.param_groups)
            for j, param in enumerate(group["params"])
            if is_bad(param)
        ]
        if found:
            raise ValueError(f"{kind} params at indices {found}: SparseAdam {rule}")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the rows that have a gradient; returns the closure's loss, if any."""
        loss = evaluate(closure)
        for group in self.param_groups:
            for param in group["params"]:
                grad = param.grad
                if grad is None:
                    continue
                if not grad.is_sparse:
                    raise RuntimeError(
                        "SparseAdam does not support dense gradients, please consider Adam instead"
                    )
                self._step_one(group, param, grad)
        return loss

    def _step_one(self, group: dict[str, Any], param: Tensor, grad: Tensor) -> None:
        state = self.state[param]
        if not state:
            state["step"] = 0
            state["exp_avg"] = tensors.zeros_like(param.detach())
            state["exp_avg_sq"] = tensors.zeros_like(param.detach())
        state["step"] += 1
        # the update is not linear: entries at the same place have to be added up before it
        grad = grad.detach().coalesce()
        values = grad._values()
        if values.numel() == 0:
            return
        places = list(grad._indices().unbind(0))
        count = state["step"]
        beta1, beta2 = group["betas"]
        correction = (1.0 - beta2**count) ** 0.5 / (1.0 - beta1**count)
        targets = [param, state["exp_avg"], state["exp_avg_sq"]]
        assign(
            targets,
            _rule(
                targets,
                places,
                values,
                number(group["lr"]) * correction,
                number(1.0 - beta1),
                number(1.0 - beta2),
                number(group["eps"]),
                maximize=bool(group.get("maximize", False)),
            )[0],
        )


@formula
def _rule(
    targets: list[Tensor],
    places: list[Tensor],
    g: Tensor,
    step_size: Any,
    gain1: Any,
    gain2: Any,
    eps: Any,
    *,
    maximize: bool,
) -> tuple[list[Tensor]]:
    index = tuple(places)
    if maximize:
        g = -g
    p, mean, square = [t[index] for t in targets]
    mean = mean + (g - mean) * gain1
    square = square + (g * g - square) * gain2
    p = p - mean * step_size / (ops.sqrt(square) + eps)
    return ([ops.index_put(t, index, new) for t, new in zip(targets, (p, mean, square))],)
