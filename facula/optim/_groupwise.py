"""The step shared by all optimizers that update each parameter by a formula."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from operator import attrgetter
from typing import Any

from facula import tensors
from facula.autograd import enable_grad
from facula.operators.formula import Update, formula
from facula.optim._cohorts import Cohort, Plan, Steady, as_real, make_plan
from facula.optim.optimizer import Optimizer
from facula.runtime.recorder import recorder
from facula.tensors import Tensor, assign_values

_is_sparse = attrgetter("is_sparse")
_TENSORS = {Tensor}  # most gradients have this very class, and are not sparse


class Rule:
    """An update formula: recorded as one block, or run op by op where it must be differentiable.

    The function takes ``params, grads, *buffers, shared, *numbers, **structure``: lists of
    tensors, then runtime numbers, then what may be branched on. It returns the new values of
    ``params, *buffers, shared``, each as a list. ``shared`` is left out when there is none.
    """

    __slots__ = ("plain", "recorded")

    def __init__(self, function: Callable[..., tuple[list[Tensor], ...]]) -> None:
        self.plain = function
        recorded = formula(function)

        def values(cohort, lists, numbers, structure):
            """The results without tensors around them."""
            update = cohort.updates.get(recorded)
            if update is None:
                update = cohort.updates[recorded] = Update(recorded)
            return update.values(lists, numbers, structure)

        self.recorded = values


def number(value: Any) -> Any:
    """A hyper-parameter as a runtime input: a float, or a 0-d tensor where one was given."""
    if type(value) is float:
        return value
    if isinstance(value, Tensor):
        return value.squeeze() if value.ndim else value
    return float(value)


def evaluate(closure: Callable[[], Any] | None) -> Any:
    """Run a closure with gradients on, whatever the caller's mode; None without a closure."""
    if closure is None:
        return None
    with enable_grad():
        return closure()


class GroupwiseOptimizer(Optimizer):
    """An optimizer whose step is one recorded block per parameter group.

    Subclasses name the state they keep and turn a group's options into the numbers of their rule;
    finding parameters, gradients and state, and writing the results, is done here.
    """

    _shared: tuple[str, ...] = ("step",)
    _steady = False  # whether the numbers of the rule depend on nothing but the group's options
    _sparse_error: str | None = None  # None: sparse gradients are accepted and made dense

    def _buffers(self, group: dict[str, Any]) -> tuple[str, ...]:
        """Names of the per-parameter state that the group's options call for."""
        raise NotImplementedError

    def _update(
        self, group: dict[str, Any], plan: Plan, cohort: Cohort, grads: list[Tensor]
    ) -> None:
        """Take one step for the parameters of a cohort."""
        raise NotImplementedError

    def _initial_value(self, group: dict[str, Any], name: str) -> float:
        return 0.0

    def _new_buffer(self, group: dict[str, Any], param: Tensor, name: str) -> Tensor | None:
        """The state called ``name`` before the first step; None if this parameter has none."""
        return tensors.zeros_like(param.detach())

    def _fresh_differs(self, group: dict[str, Any]) -> bool:
        """True if the first update of a parameter needs other numbers than the later ones."""
        return False

    def _decays_by_default(self, group: dict[str, Any]) -> bool:
        decay = self.defaults.get("weight_decay", 0)
        return isinstance(decay, Tensor) or decay != 0

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update all parameters that have a gradient; returns the closure's loss, if any."""
        loss = None if closure is None else evaluate(closure)
        for group in self.param_groups:
            grads = [p._grad for p in group["params"]]
            plan = self._plan(group, grads)
            for cohort in plan.cohorts:
                index = cohort.index
                present = grads if len(index) == len(grads) else [grads[i] for i in index]
                if not _TENSORS.issuperset(map(type, present)) and any(map(_is_sparse, present)):
                    present = self._made_dense(present)
                if cohort.complex:
                    present = [as_real(g) for g in present]
                steady = cohort.steady
                if steady is not None and recorder.capture is None and steady.holds(group):
                    self._repeat(plan, cohort, present, steady)
                else:
                    self._update(group, plan, cohort, present)
        return loss

    def _repeat(self, plan: Plan, cohort: Cohort, grads: list[Tensor], steady: Steady) -> None:
        """Take the step that :meth:`_apply` would take for the same options."""
        params = cohort.members
        buffers = [cohort.column(name) for name in plan.names or ()]
        lists = (params, grads, *buffers)
        new = steady.rule.recorded(cohort, lists, steady.numbers, steady.structure)
        assign_values([*chain(params, *buffers)], new)

    def _plan(self, group: dict[str, Any], grads: list[Tensor | None]) -> Plan:
        names = self._buffers(group)
        plan = self._plans.get(id(group))
        if plan is None or not plan.holds(self, names, grads):
            plan = self._plans[id(group)] = make_plan(self, group, names, grads)
        return plan

    def _made_dense(self, grads: list[Tensor]) -> list[Tensor]:
        if self._sparse_error is not None:
            raise RuntimeError(self._sparse_error)
        return [g.to_dense() if g.is_sparse else g for g in grads]

    def _decay(self, group: dict[str, Any], plan: Plan) -> Any:
        """The group's weight decay; from its first use on, zero no longer changes the program."""
        decay = number(group["weight_decay"])
        if not plan.decays:
            plan.decays = isinstance(decay, Tensor) or decay != 0.0
        return decay

    def _apply(
        self,
        rule: Rule,
        group: dict[str, Any],
        cohort: Cohort,
        grads: list[Tensor],
        buffers: tuple[list[Tensor], ...],
        values: tuple[float, ...],
        numbers: tuple[Any, ...],
        **structure: Any,
    ) -> None:
        """Compute a rule, write what it returns, and note the new shared values."""
        differentiable = group.get("differentiable", False)
        params = cohort.members
        if cohort.complex:
            params = [as_real(p) for p in params]
        lists = (*buffers, cohort.tensors) if cohort.tensors else buffers
        captured = recorder.capture is not None
        if captured:  # each replay asks for the numbers of its own step
            numbers = recorder.capture.note_numbers(
                self, group, cohort, values, numbers, structure, differentiable
            )
        targets = [*params]
        for old in lists:
            targets += old
        if differentiable:
            results = rule.plain(params, grads, *lists, *numbers, **structure)
            for target, value in zip(targets, [v for result in results for v in result]):
                target.copy_(value)
        else:
            new = rule.recorded(cohort, (params, grads, *lists), numbers, structure)
            assign_values(targets, new)
            if self._steady and not (cohort.fresh or cohort.complex or captured):
                cohort.steady = Steady(group, rule, numbers, structure)
        if cohort.tensors:
            cohort.values = values
            cohort.versions = [t._version for t in cohort.tensors]
