"""L-BFGS: a quasi-Newton method that remembers the last steps and gradient changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula import operators as ops
from facula import tensors
from facula.autograd import no_grad
from facula.operators.formula import formula
from facula.optim._checks import check_lr
from facula.optim._groupwise import evaluate
from facula.optim._line_search import Trial, strong_wolfe
from facula.optim.optimizer import Optimizer, ParamsT
from facula.tensors import Tensor, assign

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Full-batch optimizer; ``step`` needs a closure that it calls several times.

    ``lr`` is the step length, or the first one to try with ``line_search_fn="strong_wolfe"``.
    All parameters stand in one group. Unlike the other optimizers it reads values in each step.
    Source: Nocedal and Wright, "Numerical optimization", chapters 3 and 7.

    >>> import facula as torch
    >>> w = torch.nn.Parameter(torch.tensor([3.0, -4.0]))
    >>> optimizer = torch.optim.LBFGS([w], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((w - 1.0) ** 2).sum()
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(closure)
    >>> bool(((w - 1.0).abs() < 1e-4).all())
    True
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @no_grad()
    def step(self, closure: Callable[[], Any]) -> Any:  # type: ignore[override]
        """Run up to ``max_iter`` iterations; returns the loss before the first of them."""
        if len(self.param_groups) != 1:
            raise AssertionError(
                f"Expected exactly one param_group, but got {len(self.param_groups)}"
            )
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported")
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = evaluate(closure)
        state["func_evals"] += 1
        loss, grad = float(first_loss), self._gather_flat_grad()
        if _largest(grad) <= group["tolerance_grad"]:
            return first_loss
        self._iterate(closure, group, state, loss, grad)
        return first_loss

    def _iterate(
        self,
        closure: Callable[[], Any],
        group: dict[str, Any],
        state: dict[str, Any],
        loss: float,
        grad: Tensor,
    ) -> None:
        lr = float(group["lr"])
        tolerance = group["tolerance_change"]
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            _choose_direction(state, grad, group["history_size"])
            state["prev_flat_grad"] = grad
            state["prev_loss"] = loss
            direction = state["d"]
            first = state["n_iter"] == 1
            size = float(grad.abs().sum()) if first else 0.0
            state["t"] = t = (1.0 / size if size > 1.0 else 1.0) * lr
            slope = float(grad.dot(direction))
            if slope > -tolerance:
                break
            last = iteration == group["max_iter"]
            spent = 0
            if group["line_search_fn"] is not None:
                start = Trial(0.0, loss, grad, slope)
                budget = group["max_eval"] - evaluations
                trial, spent = self._search(closure, direction, t, start, tolerance, budget)
                state["t"] = t = trial.t
                loss, grad = trial.loss, trial.grad
                self._advance(direction, t)
            else:
                self._advance(direction, t)
                if not last:
                    loss, grad = float(evaluate(closure)), self._gather_flat_grad()
                    spent = 1
            evaluations += spent
            state["func_evals"] += spent
            if (
                last
                or evaluations >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(direction) * abs(t) <= tolerance
                or abs(loss - state["prev_loss"]) < tolerance
            ):
                break

    def _search(
        self,
        closure: Callable[[], Any],
        direction: Tensor,
        t: float,
        start: Trial,
        tolerance: float,
        budget: int,
    ) -> tuple[Trial, int]:
        """A strong Wolfe step along ``direction``; the parameters end where they began."""
        params = self.param_groups[0]["params"]
        origin = [p.detach().clone() for p in params]

        def try_length(length: float) -> Trial:
            self._advance(direction, length)
            loss = float(evaluate(closure))
            grad = self._gather_flat_grad()
            assign(params, origin)
            return Trial(length, loss, grad, float(grad.dot(direction)))

        found = strong_wolfe(try_length, t, start, _largest(direction), tolerance, budget)
        return found.trial, found.evaluations

    def _gather_flat_grad(self) -> Tensor:
        """All gradients behind one another in one vector."""
        parts = []
        for p in self.param_groups[0]["params"]:
            grad = tensors.zeros_like(p.detach()) if p.grad is None else p.grad.detach()
            if grad.is_sparse:
                grad = grad.to_dense()
            if grad.is_complex():
                grad = ops.view_as_real(grad)
            parts.append(grad.reshape(-1))
        return ops.cat(parts, 0)

    def _advance(self, direction: Tensor, t: float) -> None:
        """Move all parameters by ``t`` times their part of ``direction``."""
        params = [
            ops.view_as_real(p.detach()) if p.is_complex() else p
            for p in self.param_groups[0]["params"]
        ]
        (moved,) = _move(params, direction, float(t))
        assign(params, moved)


@formula
def _move(params: list[Tensor], direction: Tensor, t: Any) -> tuple[list[Tensor]]:
    moved = []
    start = 0
    for p in params:
        part = direction[start : start + p.numel()].reshape(p.shape)
        moved.append(p + part * t)
        start += p.numel()
    return (moved,)


def _largest(vector: Tensor) -> float:
    return float(vector.abs().max())


def _choose_direction(state: dict[str, Any], grad: Tensor, history_size: int) -> None:
    """Set ``state["d"]`` from the gradient and the remembered steps."""
    if state["n_iter"] == 1:
        state.update(d=-grad, old_dirs=[], old_stps=[], ro=[], H_diag=1)
        return
    changes, steps, weights = state["old_dirs"], state["old_stps"], state["ro"]
    change = grad - state["prev_flat_grad"]
    step = state["d"] * float(state["t"])
    curvature = change.dot(step)
    if float(curvature) > 1e-10:
        if len(changes) == history_size:
            for memory in (changes, steps, weights):
                memory.pop(0)
        changes.append(change)
        steps.append(step)
        weights.append(1.0 / curvature)
        state["H_diag"] = curvature / change.dot(change)
    state["d"] = _two_loops(grad, changes, steps, weights, state["H_diag"])


def _two_loops(
    grad: Tensor,
    changes: list[Tensor],
    steps: list[Tensor],
    weights: list[Tensor],
    scale: Any,
) -> Tensor:
    """The negative gradient times the remembered inverse Hessian."""
    vector = -grad
    parts = []
    for change, step, weight in zip(reversed(changes), reversed(steps), reversed(weights)):
        part = step.dot(vector) * weight
        parts.append(part)
        vector = vector - change * part
    vector = vector * scale
    for change, step, weight, part in zip(changes, steps, weights, reversed(parts)):
        vector = vector + step * (part - change.dot(vector) * weight)
    return vector
