"""DistributedSampler: each of several processes gets its share of a dataset."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from facula import tensors
from facula.utils.data.sampler import Sampler

_group: Callable[[], tuple[int, int]] | None = None


def use_process_group(group: Callable[[], tuple[int, int]] | None) -> None:
    """Tells samplers where to ask for (world size, rank); called by the distributed package."""
    global _group
    _group = group


class DistributedSampler(Sampler[int]):
    """The indices of one of `num_replicas` processes; together they cover the dataset once.

    The common order is shuffled with seed + epoch, so call `set_epoch` before every epoch. It is
    padded from its front (or cut, with `drop_last`) to a multiple of `num_replicas`.

    >>> import facula as torch
    >>> list(torch.utils.data.DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False))
    [1, 3, 0]
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            if _group is None:
                raise ValueError(
                    "Default process group has not been initialized, "
                    "please make sure to call init_process_group, or pass num_replicas and rank."
                )
            world, own = _group()
            num_replicas = world if num_replicas is None else num_replicas
            rank = own if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        self.shuffle = shuffle
        self.seed = seed
        size = len(dataset)
        self.num_samples = size // num_replicas if drop_last else math.ceil(size / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            generator = tensors.Generator()
            generator.manual_seed(self.seed + self.epoch)
            order = tensors.randperm(size, generator=generator).tolist()
        else:
            order = list(range(size))
        if self.drop_last:
            order = order[: self.total_size]
        elif order:
            order = (order * math.ceil(self.total_size / len(order)))[: self.total_size]
        if len(order) != self.total_size:
            raise AssertionError(
                f"Number of indices ({len(order)}) does not match total_size ({self.total_size})"
            )
        return iter(order[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Chooses the shuffle of this epoch; without it every epoch has the same order."""
        self.epoch = epoch
