"""Which parameters of a group are updated together, with the state and step counts they share."""

from __future__ import annotations

from itertools import repeat
from operator import is_
from typing import TYPE_CHECKING, Any

from facula import operators as ops
from facula import tensors
from facula.tensors import Tensor

if TYPE_CHECKING:
    from facula.optim._groupwise import GroupwiseOptimizer


class Cohort:
    """Parameters of one group that have taken the same number of steps.

    PyTorch keeps one step count per parameter. Parameters that always step together would then
    add one input and one output each to the recorded update, so here they share one tensor, and a
    Python float beside it so that no step has to read a tensor.
    """

    __slots__ = (
        "complex",
        "fresh",
        "index",
        "members",
        "names",
        "states",
        "steady",
        "tensors",
        "updates",
        "values",
        "versions",
    )

    def __init__(self, names: tuple[str, ...], values: tuple[float, ...], fresh: bool) -> None:
        self.names = names  # of the shared scalars, e.g. ("step",)
        self.values = values  # as Python floats
        self.tensors: list[Tensor] = []  # the same, as the state dict shows them
        self.versions: list[int] = []
        self.fresh = fresh  # the buffers were made for the step to come
        self.index: list[int] = []  # positions in group["params"]
        self.members: list[Tensor] = []
        self.states: list[dict[str, Any]] = []
        self.complex = False
        self.updates: dict[Any, Any] = {}  # by formula, what is remembered of its last call
        self.steady: Steady | None = None  # what the next step has to do as well

    def column(self, name: str) -> list[Tensor]:
        """The buffer called ``name`` of every parameter, as it stands in the state now."""
        found = [state[name] for state in self.states]
        return [as_real(t) for t in found] if self.complex else found

    def is_intact(self) -> bool:
        """False once someone put other tensors in the place of the shared ones."""
        for name, tensor in zip(self.names, self.tensors):
            if not all(map(is_, map(_get, self.states, repeat(name)), repeat(tensor))):
                return False
        return True

    def refresh(self) -> None:
        """Read the shared scalars again where someone wrote to their tensors."""
        versions = [t._version for t in self.tensors]
        if versions != self.versions:
            self.values = tuple(float(t) for t in self.tensors)
            self.versions = versions


class Steady:
    """The last step of a cohort, for optimizers whose numbers depend on the options alone.

    While a group's options are the very objects they were, the next step is the same again.
    """

    __slots__ = ("numbers", "options", "rule", "structure")

    def __init__(self, group: dict[str, Any], rule: Any, numbers: tuple, structure: dict) -> None:
        self.options = [*group.values()]
        self.rule = rule
        self.numbers = numbers
        self.structure = structure

    def holds(self, group: dict[str, Any]) -> bool:
        """Whether no option was changed, added or removed."""
        return len(group) == len(self.options) and all(map(is_, group.values(), self.options))


class Plan:
    """The cohorts of one parameter group, valid while the parameters in use stay the same."""

    __slots__ = ("cohorts", "decays", "group", "members", "missing", "names", "states", "used")

    def __init__(self, group: dict[str, Any], names: tuple[str, ...], decays: bool) -> None:
        self.group = group
        self.names: tuple[str, ...] | None = names  # of the buffers each parameter needs
        self.decays = decays  # weight decay has been used, so it stays part of the program
        self.members: list[Tensor] = list(group["params"])
        self.missing: list[bool] = []
        self.used: list[Tensor] = []
        self.states: list[dict[str, Any]] = []
        self.cohorts: list[Cohort] = []

    def holds(
        self, optimizer: GroupwiseOptimizer, names: tuple[str, ...], grads: list[Tensor | None]
    ) -> bool:
        """True while nothing that the plan was made from has changed."""
        members = self.group["params"]
        if self.names != names or len(self.members) != len(members):
            return False
        if not all(map(is_, members, self.members)):
            return False
        if [*map(is_, grads, _NONE)] != self.missing:
            return False
        if not self._has_states(optimizer.state):
            return False
        if optimizer._shared:
            for cohort in self.cohorts:
                if not cohort.is_intact():
                    return False
        return True

    def _has_states(self, state: Any) -> bool:
        """Whether the parameters in use still have the states they had.

        Most optimizers have one group: then the entries come in the plan's order, and comparing
        those is cheaper than asking for each parameter.
        """
        used, states = self.used, self.states
        if len(state) == len(used) and all(map(is_, state, used)):
            return all(map(is_, state.values(), states))
        return all(map(is_, states, map(state.get, used)))


_get = dict.get
_NONE = repeat(None)


def as_real(tensor: Tensor) -> Tensor:
    """A complex tensor seen as pairs of real numbers, which is how optimizers treat it."""
    return ops.view_as_real(tensor.detach()) if tensor.is_complex() else tensor


def make_plan(
    optimizer: GroupwiseOptimizer,
    group: dict[str, Any],
    names: tuple[str, ...],
    grads: list[Tensor | None],
) -> Plan:
    """Create missing state and sort the parameters that have a gradient into cohorts."""
    old = optimizer._plans.get(id(group))
    plan = Plan(group, names, old.decays if old else optimizer._decays_by_default(group))
    plan.missing = [g is None for g in grads]
    known = _known_values(optimizer)
    cohorts: dict[Any, Cohort] = {}
    for i, (param, grad) in enumerate(zip(plan.members, grads)):
        if grad is None:
            continue
        # an optimizer that keeps nothing leaves no empty entries either
        state = optimizer.state[param] if names or optimizer._shared else {}
        values = _shared_values(optimizer, group, state, known)
        fresh = _add_buffers(optimizer, group, param, state, names)
        key = (values, fresh and optimizer._fresh_differs(group))
        cohort = cohorts.get(key)
        if cohort is None:
            cohort = cohorts[key] = Cohort(optimizer._shared, values, fresh)
        cohort.index.append(i)
        cohort.members.append(param)
        cohort.states.append(state)
        cohort.complex |= param.is_complex()
        if names or optimizer._shared:
            plan.used.append(param)
            plan.states.append(state)
    plan.cohorts = list(cohorts.values())
    _share_tensors(optimizer, plan)
    return plan


def _known_values(optimizer: GroupwiseOptimizer) -> dict[int, float]:
    """What the shared tensors of earlier plans hold, so that they need not be read."""
    return {
        id(tensor): value
        for plan in optimizer._plans.values()
        for cohort in plan.cohorts
        for tensor, value, version in zip(cohort.tensors, cohort.values, cohort.versions)
        if tensor._version == version
    }


def _shared_values(
    optimizer: GroupwiseOptimizer,
    group: dict[str, Any],
    state: dict[str, Any],
    known: dict[int, float],
) -> tuple[float, ...]:
    values = []
    for name in optimizer._shared:
        entry = state.get(name)
        if entry is None:
            state[name] = None  # keeps PyTorch's order of keys; the tensor follows
            values.append(optimizer._initial_value(group, name))
        else:
            value = known.get(id(entry))
            values.append(float(entry) if value is None else value)
    return tuple(values)


def _add_buffers(
    optimizer: GroupwiseOptimizer,
    group: dict[str, Any],
    param: Tensor,
    state: dict[str, Any],
    names: tuple[str, ...],
) -> bool:
    fresh = False
    for name in names:
        if state.get(name) is None:
            buffer = optimizer._new_buffer(group, param, name)
            if buffer is not None:
                state[name] = buffer
                fresh = True
    return fresh


def _share_tensors(optimizer: GroupwiseOptimizer, plan: Plan) -> None:
    """Give each cohort its own tensors for the shared scalars, keeping those that can stay."""
    if not optimizer._shared:
        return
    inside = {id(state) for state in plan.states}
    taken = {
        id(state.get(name))
        for state in optimizer.state.values()
        if id(state) not in inside
        for name in optimizer._shared
    }
    for cohort in plan.cohorts:
        for name, value in zip(cohort.names, cohort.values):
            tensor = cohort.states[0][name]
            if not (
                isinstance(tensor, Tensor)
                and id(tensor) not in taken
                and all(state[name] is tensor for state in cohort.states)
            ):
                tensor = tensors.tensor(value)
                for state in cohort.states:
                    state[name] = tensor
            taken.add(id(tensor))
            cohort.tensors.append(tensor)
            cohort.versions.append(tensor._version)
