"""Orders, batches and random draws of samplers and loaders, against values recorded with PyTorch.

`python tests/data/test_recorded.py` (with torch installed) records them anew.
"""

import hashlib
import json
import pathlib
import random

import numpy as np
import pytest

RECORDED = pathlib.Path(__file__).with_name("recorded.json")


def state(torch):
    return hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()[:16]


def plain(value):
    """Tensors to nested lists, for JSON."""
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    return value


class Numbers:
    """Sample i is i."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, i):
        if not 0 <= i < self.size:
            raise IndexError(i)
        return i


class Draws(Numbers):
    """Samples that use all three random streams."""

    def __init__(self, size, torch):
        super().__init__(size)
        self.torch = torch

    def __getitem__(self, i):
        info = self.torch.utils.data.get_worker_info()
        who = -1 if info is None else info.id
        return i, who, self.torch.rand(()).item(), random.random(), np.random.rand()


def epochs(torch, loader, count=2):
    """The batches of some epochs, a draw in the middle of each, and the state after it."""
    out = []
    for _ in range(count):
        batches = []
        for number, batch in enumerate(loader):
            batches.append(plain(batch))
            if number == 0:
                batches.append(torch.rand(1).item())
        out.append([batches, state(torch)])
    return out


def loader_case(size=11, **options):
    def case(torch):
        if options.get("generator"):
            options["generator"] = torch.Generator().manual_seed(5)
        torch.manual_seed(3)
        loader = torch.utils.data.DataLoader(Numbers(size), **options)
        result = epochs(torch, loader)
        if options.get("generator"):
            result.append(torch.rand(1, generator=options["generator"]).item())
        return result

    return case


def draws_case(**options):
    def case(torch):
        torch.manual_seed(7)
        random.seed(1)
        np.random.seed(2)
        loader = torch.utils.data.DataLoader(Draws(9, torch), batch_size=2, **options)
        return epochs(torch, loader)

    return case


def sampler_case(make):
    def case(torch):
        torch.manual_seed(11)
        generator = torch.Generator().manual_seed(12)
        sampler = make(torch, torch.utils.data, generator)
        passes = [[plain(list(sampler)), len(sampler), state(torch)] for _ in range(2)]
        return [passes, torch.rand(1, generator=generator).item()]

    return case


def early_stop(torch):
    torch.manual_seed(0)
    loader = torch.utils.data.DataLoader(
        Draws(9, torch), batch_size=2, shuffle=True, num_workers=2, persistent_workers=True
    )
    first = plain(next(iter(loader)))
    return [first, [plain(batch) for batch in loader], state(torch)]


def stream(torch, sizes, **options):
    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            info = torch.utils.data.get_worker_info()
            who = 0 if info is None else info.id
            return iter(range(100 * who, 100 * who + sizes[who]))

    loader = torch.utils.data.DataLoader(Stream(), **options)
    return [[plain(batch) for batch in loader] for _ in range(2)]


def splits(torch):
    torch.manual_seed(4)
    data = torch.utils.data
    parts = data.random_split(Numbers(10), [3, 7]) + data.random_split(
        Numbers(10), [0.35, 0.3, 0.35]
    )
    parts += data.random_split(Numbers(5), [2, 3], generator=torch.Generator().manual_seed(42))
    return [[list(part.indices) for part in parts], state(torch)]


def drawing_sampler(torch, **options):
    """A sampler that draws as it goes: the moment each key is taken shows in the state."""

    class Drawing(torch.utils.data.Sampler):
        def __iter__(self):
            for _ in range(7):
                yield int(torch.randint(10, (1,)).item())

        def __len__(self):
            return 7

    torch.manual_seed(9)
    loader = torch.utils.data.DataLoader(Numbers(10), sampler=Drawing(), **options)
    return epochs(torch, loader)


CASES = {
    "shuffle": loader_case(batch_size=4, shuffle=True),
    "shuffle, 2 workers": loader_case(batch_size=4, shuffle=True, num_workers=2),
    "shuffle, drop_last": loader_case(batch_size=4, shuffle=True, drop_last=True),
    "shuffle, generator": loader_case(batch_size=4, shuffle=True, generator=True),
    "shuffle, generator, workers": loader_case(
        batch_size=4, shuffle=True, generator=True, num_workers=3
    ),
    "in order": loader_case(batch_size=3, num_workers=1),
    "no batches": loader_case(size=3, batch_size=None, shuffle=True),
    "persistent": loader_case(batch_size=4, shuffle=True, num_workers=2, persistent_workers=True),
    "prefetch 1": loader_case(batch_size=4, shuffle=True, num_workers=2, prefetch_factor=1),
    "draws, main process": draws_case(shuffle=True),
    "draws, 2 workers": draws_case(shuffle=True, num_workers=2),
    "draws, persistent": draws_case(shuffle=True, num_workers=2, persistent_workers=True),
    "draws, early stop": early_stop,
    "drawing sampler": lambda torch: drawing_sampler(torch, batch_size=2),
    "drawing sampler, workers": lambda torch: drawing_sampler(torch, batch_size=2, num_workers=1),
    "drawing sampler, no batches": lambda torch: drawing_sampler(torch, batch_size=None),
    "stream": lambda torch: stream(torch, [7], batch_size=3),
    "stream, drop_last": lambda torch: stream(torch, [7], batch_size=3, drop_last=True),
    "stream, samples": lambda torch: stream(torch, [3], batch_size=None),
    "stream, 2 workers": lambda torch: stream(torch, [9, 2], batch_size=2, num_workers=2),
    "stream, persistent": lambda torch: stream(
        torch, [4, 5], batch_size=2, num_workers=2, persistent_workers=True
    ),
    "random_split": splits,
    "random": sampler_case(lambda t, d, g: d.RandomSampler(range(9))),
    "random, generator": sampler_case(lambda t, d, g: d.RandomSampler(range(9), generator=g)),
    "random, many": sampler_case(lambda t, d, g: d.RandomSampler(range(4), num_samples=10)),
    "random, replacement": sampler_case(
        lambda t, d, g: d.RandomSampler(range(50), replacement=True, num_samples=70, generator=g)
    ),
    "subset": sampler_case(lambda t, d, g: d.SubsetRandomSampler([3, 1, 4, 1, 5])),
    "subset, generator": sampler_case(lambda t, d, g: d.SubsetRandomSampler([3, 1, 4], g)),
    "weighted": sampler_case(lambda t, d, g: d.WeightedRandomSampler([0.1, 0.7, 2.0], 12)),
    "weighted, no replacement": sampler_case(
        lambda t, d, g: d.WeightedRandomSampler([0.1, 0.7, 2.0, 1], 3, replacement=False)
    ),
    "batches": sampler_case(lambda t, d, g: d.BatchSampler(range(7), 3, False)),
    "batches, drop_last": sampler_case(lambda t, d, g: d.BatchSampler(range(7), 3, True)),
    "distributed": sampler_case(
        lambda t, d, g: d.DistributedSampler(range(10), num_replicas=4, rank=3, seed=5)
    ),
    "distributed, drop_last": sampler_case(
        lambda t, d, g: d.DistributedSampler(range(10), 4, 0, shuffle=False, drop_last=True)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_recorded(name):
    import facula

    assert CASES[name](facula) == json.loads(RECORDED.read_text())["cases"][name]


def test_long_orders():
    import facula as torch

    for row in json.loads(RECORDED.read_text())["long"]:
        if row["epoch"] == 0:
            torch.manual_seed(row["seed"])
            loader = torch.utils.data.DataLoader(
                Numbers(row["n"]), batch_size=row["batch_size"], shuffle=True
            )
        order = np.concatenate([batch.numpy() for batch in loader])
        assert order[:8].tolist() == row["first8"]
        assert hashlib.sha256(order.tobytes()).hexdigest() == row["sha256"]
        assert (
            hashlib.sha256(torch.get_rng_state().numpy().tobytes()).hexdigest()
            == (row["state_sha256"])
        )


if __name__ == "__main__":
    import torch as pytorch

    kept = json.loads(RECORDED.read_text())["long"] if RECORDED.exists() else []
    cases = {name: case(pytorch) for name, case in CASES.items()}
    RECORDED.write_text(json.dumps({"cases": cases, "long": kept}, separators=(",", ":")) + "\n")
