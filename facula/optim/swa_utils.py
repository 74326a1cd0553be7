"""Weight averaging: AveragedModel, SWALR, and statistics for batch norm afterwards."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from facula import tensors
from facula.autograd import no_grad
from facula.base.dtypes import int64
from facula.nn.modules.batchnorm import _BatchNorm
from facula.nn.modules.module import Module
from facula.operators.formula import formula
from facula.optim._groupwise import number
from facula.optim._schedules import LRScheduler, per_group
from facula.optim.optimizer import Optimizer
from facula.tensors import Tensor, assign

__all__ = [
    "AveragedModel",
    "SWALR",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


@formula
def _blend(averages: list[Tensor], current: list[Tensor], weight: Any) -> tuple[list[Tensor]]:
    return ([a + (c - a) * weight for a, c in zip(averages, current)],)


def _check_decay(decay: float) -> None:
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def _blend_in_place(averages: Any, current: Any, weight: Any) -> None:
    averages, current = list(averages), list(current)
    if averages[0].is_floating_point() or averages[0].is_complex():
        assign(averages, _blend(averages, current, number(weight))[0])
        return
    for average, value in zip(averages, current):
        average.copy_(average + (value - average) * weight)


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., None]:
    """A function that moves lists of averages by ``1 - decay`` towards the current values."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param_list: Any, current_param_list: Any, _: Any) -> None:
        _blend_in_place(ema_param_list, current_param_list, 1 - decay)

    return ema_update


def get_swa_multi_avg_fn() -> Callable[..., None]:
    """A function that takes lists of equal averages of all values seen so far one step further."""

    @no_grad()
    def swa_update(
        averaged_param_list: Any, current_param_list: Any, num_averaged: Tensor | int
    ) -> None:
        _blend_in_place(averaged_param_list, current_param_list, 1 / (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Tensor]:
    """A function for one exponential moving average: ``decay * old + (1 - decay) * new``."""
    _check_decay(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Callable[..., Tensor]:
    """A function for one equal average of all values seen so far."""

    @no_grad()
    def swa_update(
        averaged_param: Tensor, current_param: Tensor, num_averaged: Tensor | int
    ) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages of those it is updated with.

    The default is the equal average of stochastic weight averaging (Izmailov et al., 2018,
    arXiv 1803.05407); ``avg_fn`` or ``multi_avg_fn`` give another one, such as
    ``get_ema_multi_avg_fn(0.999)``. Buffers are copied, or averaged with ``use_buffers=True``.

    >>> import facula as torch
    >>> model = torch.nn.Linear(1, 1)
    >>> average = torch.optim.swa_utils.AveragedModel(model)
    >>> for value in (1.0, 3.0):
    ...     _ = torch.nn.init.constant_(model.weight, value)
    ...     average.update_parameters(model)
    >>> average.module.weight.item()
    2.0
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[..., Tensor] | None = None,
        multi_avg_fn: Callable[..., None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensors.zeros((), dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The output of the averaged model."""
        return self.module(*args, **kwargs)

    def _averaged(self, model: Module) -> list[Tensor]:
        buffers = model.buffers() if self.use_buffers else ()
        return [t.detach() for t in chain(model.parameters(), buffers)]

    def update_parameters(self, model: Module) -> None:
        """Take the model's present parameters into the averages."""
        averages = self._averaged(self.module)
        current = [c.to(a.device) for a, c in zip(averages, self._averaged(model))]
        seen = int(self.n_averaged)
        if seen == 0:
            for average, value in zip(averages, current):
                average.copy_(value)
        else:
            self._average(averages, current)
        if not self.use_buffers:
            for own, other in zip(self.module.buffers(), model.buffers(), strict=True):
                own.detach().copy_(other.detach().to(own.device))
        self.n_averaged += 1

    def _average(self, averages: list[Tensor], current: list[Tensor]) -> None:
        if self.avg_fn is not None:
            for average, value in zip(averages, current):
                average.copy_(self.avg_fn(average, value, self.n_averaged))
            return
        update = self.multi_avg_fn or get_swa_multi_avg_fn()
        by_kind: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
        for average, value in zip(averages, current):
            lists = by_kind.setdefault((average.device, average.dtype), ([], []))
            lists[0].append(average)
            lists[1].append(value)
        for own, other in by_kind.values():
            update(own, other, self.n_averaged)


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Compute the running statistics of all batch norms anew, in one pass over ``loader``.

    Batches may be tensors, or lists and tuples that begin with one.
    """
    momenta = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for module in momenta:
        module.reset_running_stats()
        module.momentum = None  # equal weight for every batch
    for batch in loader:
        if isinstance(batch, (list, tuple)):
            batch = batch[0]
        model(batch if device is None else batch.to(device))
    for module, momentum in momenta.items():
        module.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Anneals each group's learning rate to a fixed ``swa_lr`` in ``anneal_epochs`` steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for value, group in zip(per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = value
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._set_anneal_func(anneal_strategy)
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _set_anneal_func(self, anneal_strategy: str) -> None:
        self._anneal_strategy = anneal_strategy
        self.anneal_func = _cosine if anneal_strategy == "cos" else _linear

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        lrs = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            # the present value is a blend already: take the target's share out of it first
            start = target if before == 1 else (group["lr"] - before * target) / (1 - before)
            lrs.append(target * now + start * (1 - now))
        return lrs

    def _share(self, step: int) -> float:
        """The share of ``swa_lr`` in the learning rate after ``step`` steps."""
        return self.anneal_func(max(0, min(1, step / max(1, self.anneal_epochs))))

    def state_dict(self) -> dict[str, Any]:
        """The scheduler's state without the annealing function, which follows from its name."""
        return self._state_without("optimizer", "anneal_func")

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what ``state_dict()`` returned."""
        self.__dict__.update(state_dict)
        self._set_anneal_func(self._anneal_strategy)


def _linear(t: float) -> float:
    return t


def _cosine(t: float) -> float:
    return (1 - math.cos(math.pi * t)) / 2
