"""Adafactor: Adam's mean square kept as one row and one column per matrix."""

from __future__ import annotations

from typing import Any

from facula import operators as ops
from facula import tensors
from facula.optim._cohorts import Cohort, Plan
from facula.optim._groupwise import GroupwiseOptimizer, Rule
from facula.optim.optimizer import ParamsT
from facula.tensors import Tensor

__all__ = ["Adafactor"]

# the distance from 1 to the next number
_PRECISION = {
    "float16": 2.0**-10,
    "bfloat16": 2.0**-7,
    "float32": 2.0**-23,
    "float64": 2.0**-52,
}


class Adafactor(GroupwiseOptimizer):
    """Adaptive steps relative to the size of the weights, in little memory.

    ``eps`` holds the smallest mean square (None: the precision of the dtype) and the smallest
    weight size; ``d`` limits the size of a step. Source: Shazeer and Stern, 2018
    (arXiv 1804.04235).
    """

    _sparse_error = "Adafactor does not support sparse gradients"
    _later_options = {"foreach": None}

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for rule, value, holds in (
            ("Learning rate should be >= 0", lr, lr >= 0.0),
            ("beta2_decay should be <= 0", beta2_decay, beta2_decay <= 0.0),
            ("epsilon1 should be >= 0", eps[0], eps[0] is None or eps[0] >= 0.0),
            ("epsilon2 should be >= 0", eps[1], eps[1] >= 0.0),
            ("Clipping threshold d should be >= 1", d, d >= 1.0),
            ("weight_decay should be >= 0", weight_decay, weight_decay >= 0.0),
        ):
            if not holds:
                raise ValueError(f"{rule} but is: {value}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("row_var", "col_var", "variance")

    def _new_buffer(self, group: dict[str, Any], param: Tensor, name: str) -> Tensor | None:
        if (name == "variance") == (param.ndim > 1):
            return None  # matrices keep a row and a column, everything else a full tensor
        shape = list(param.shape)
        if name != "variance":
            shape[-1 if name == "row_var" else -2] = 1
        return tensors.zeros(shape, dtype=param.dtype, device=param.device)

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        if cohort.complex:
            raise RuntimeError("Adafactor does not support complex parameters")
        count = cohort.values[0] + 1.0
        lr = float(group["lr"])
        smallest_square, smallest_weight = group["eps"]
        if smallest_square is None:
            smallest_square = _PRECISION[str(cohort.members[0].dtype).split(".")[-1]]
        columns = [
            [state[name] for state in cohort.states if name in state]
            for name in ("row_var", "col_var", "variance")
        ]
        decay = self._decay(group, plan)
        self._apply(
            _RULE,
            group,
            cohort,
            grads,
            tuple(columns),
            (count,),
            (count ** group["beta2_decay"], min(lr, count**-0.5), 1.0 - lr * decay),
            limits=(float(smallest_square), float(smallest_weight), float(group["d"])),
            decays=plan.decays,
            maximize=bool(group["maximize"]),
        )


def _rule(
    params: list[Tensor],
    grads: list[Tensor],
    rows: list[Tensor],
    columns: list[Tensor],
    squares: list[Tensor],
    counts: list[Tensor],
    gain: Any,
    size: Any,
    keep: Any,
    *,
    limits: tuple[float, float, float],
    decays: bool,
    maximize: bool,
) -> tuple[list[Tensor], ...]:
    smallest_square, smallest_weight, longest = limits
    factors, full = iter(zip(rows, columns)), iter(squares)
    new_params, new_rows, new_columns, new_squares = [], [], [], []
    for p, g in zip(params, grads):
        if maximize:
            g = -g
        if g.ndim > 1:
            row, column = next(factors)
            row = row + (ops.mean(g * g, dim=-1, keepdim=True) - row) * gain
            column = column + (ops.mean(g * g, dim=-2, keepdim=True) - column) * gain
            scale = ops.clamp(ops.mean(row, dim=-2, keepdim=True), min=smallest_square)
            square = row * column / scale
            new_rows.append(row)
            new_columns.append(column)
        else:
            square = next(full)
            square = square + (g * g - square) * gain
            new_squares.append(square)
        step = g * ops.rsqrt(ops.clamp(square, min=smallest_square * smallest_square))
        step = step / ops.clamp(_root_mean_square(step) / longest, min=1.0)
        step = step * ops.clamp(_root_mean_square(p), min=smallest_weight)
        new_params.append((p * keep if decays else p) - step * size)
    return new_params, new_rows, new_columns, new_squares, [count + 1 for count in counts]


def _root_mean_square(x: Tensor) -> Tensor:
    return ops.sqrt(ops.mean(x * x))


_RULE = Rule(_rule)
