"""The numbers of an optimizer's step: learning rates, decays, bias corrections, step counts.

They change from step to step although no tensor holds them, so each replay asks the optimizer for
the numbers of its own step: it runs the update up to the point where the formula would be recorded.
"""

from __future__ import annotations

from typing import Any

_PLAIN = (bool, int, float, str, type(None))


class StepNumbers:
    """The numbers that one update of one group of parameters takes, in order."""

    __slots__ = (
        "_caught", "_options", "_plan", "_plans", "_sizes", "cohort", "count", "group", "numbers",
        "optimizer", "places", "structure",
    )  # fmt: skip

    def __init__(self, optimizer, group, cohort, values, numbers, structure):
        self.optimizer = optimizer
        self.group = group
        self.cohort = cohort
        self.structure = structure
        self.places = [i for i, n in enumerate(numbers) if type(n) is float]
        self.numbers = [numbers[i] for i in self.places]
        self.count = len(numbers)
        self._plans = optimizer._plans
        self._plan = optimizer._plans[id(group)]
        self._options: list | None = None
        self._caught: tuple | None = None
        self._sizes = len(optimizer.param_groups), len(group["params"])

    def current(self) -> list[float] | None:
        """The numbers of the step to come; None if that step would be another program."""
        optimizer, group = self.optimizer, self.group
        plans = optimizer._plans
        if plans is not self._plans or plans.get(id(group)) is not self._plan:
            return None
        if self._sizes != (len(optimizer.param_groups), len(group["params"])):
            return None
        if [*group.values()] == self._options:
            return self.numbers
        optimizer.__dict__["_apply"] = self._catch
        try:
            self.cohort.refresh()
            optimizer._update(group, self._plan, self.cohort, ())
        finally:
            del optimizer.__dict__["_apply"]
        caught, self._caught = self._caught, None
        assert caught is not None
        values, numbers, structure = caught
        places = [i for i, n in enumerate(numbers) if type(n) is float]
        if structure != self.structure or places != self.places or len(numbers) != self.count:
            return None
        self.numbers = [numbers[i] for i in places]
        if values:
            self._caught = values
        else:  # they depend on the options alone
            self._options = _plain_options(group)
        return self.numbers

    def _catch(self, rule, group, cohort, grads, buffers, values, numbers, **structure):
        self._caught = values, numbers, structure

    def commit(self) -> None:
        """The step was taken: note the counts that its tensors hold now."""
        if self._caught is not None:
            cohort = self.cohort
            cohort.values, self._caught = self._caught, None
            cohort.versions = [t._version for t in cohort.tensors]

    def signature(self) -> tuple:
        """What must be equal for two recordings to be of one program."""
        options = tuple(sorted(self.structure.items(), key=str))
        return (id(self.optimizer), id(self.group), id(self.cohort), tuple(self.places), options)


def _plain_options(group: dict) -> list | None:
    """A group's options, if all of them are plain values that can be compared.

    The list of parameters stays in its place; it is equal to itself without a look inside.
    """
    for name, value in group.items():
        parts = value if type(value) is tuple else (value,)
        if name not in ("params", "param_names") and any(type(x) not in _PLAIN for x in parts):
            return None
    return list(group.values())


def hyperparameters(optimizer) -> list[dict]:
    """The options of all groups as they are now, tensors by identity."""
    return [
        {name: _comparable(value) for name, value in group.items() if name != "params"}
        for group in optimizer.param_groups
    ]


def _comparable(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if type(value) is tuple:
        return tuple([_comparable(part) for part in value])
    return id(value)
