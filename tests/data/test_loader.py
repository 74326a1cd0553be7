"""The loader in one process: arguments, collation, batch fetching; and datasets by themselves."""

import collections
import tracemalloc
import warnings

import numpy as np
import pytest

import facula as torch
from facula.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    StackDataset,
    Subset,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)


class Stream(IterableDataset):
    def __init__(self, size):
        self.size = size

    def __iter__(self):
        return iter(range(self.size))

    def __len__(self):
        return self.size


REJECTED = [
    (lambda: DataLoader([1], num_workers=-1), ValueError, "num_workers option"),
    (lambda: DataLoader([1], timeout=-1), ValueError, "timeout option"),
    (lambda: DataLoader([1], prefetch_factor=2), ValueError, "prefetch_factor option"),
    (lambda: DataLoader([1], num_workers=1, prefetch_factor=-1), ValueError, "prefetch_factor"),
    (lambda: DataLoader([1], persistent_workers=True), ValueError, "needs num_workers > 0"),
    (lambda: DataLoader(Stream(1), shuffle=True), ValueError, "unspecified shuffle"),
    (lambda: DataLoader(Stream(1), sampler=[0]), ValueError, "unspecified sampler"),
    (lambda: DataLoader(Stream(1), batch_sampler=[[0]]), ValueError, "unspecified batch_sampler"),
    (lambda: DataLoader([1], shuffle=True, sampler=[0]), ValueError, "exclusive with shuffle"),
    (lambda: DataLoader([1], 2, batch_sampler=[[0]]), ValueError, "batch_sampler option is"),
    (lambda: DataLoader([1], None, drop_last=True), ValueError, "exclusive with drop_last"),
    (lambda: DataLoader([1], 0), ValueError, "positive integer value, but got batch_size=0"),
    (lambda: DataLoader([1], True), ValueError, "batch_size=True"),
    (lambda: DataLoader([], shuffle=True), ValueError, "num_samples=0"),
    (lambda: DataLoader([1], multiprocessing_context="fork"), ValueError, "num_workers=0"),
    (
        lambda: DataLoader([1], num_workers=1, multiprocessing_context="x"),
        ValueError,
        "valid start method",
    ),
    (
        lambda: DataLoader([1], num_workers=1, multiprocessing_context=3),
        TypeError,
        "valid context",
    ),
    (lambda: setattr(DataLoader([1]), "batch_size", 2), ValueError, "should not be set after"),
    (lambda: RandomSampler([1], replacement=1), TypeError, "boolean value"),
    (lambda: RandomSampler([1], num_samples=0), ValueError, "positive integer"),
    (lambda: WeightedRandomSampler([[1, 2]], 1), ValueError, "1d sequence"),
    (lambda: WeightedRandomSampler([1], True), ValueError, "positive integer"),
    (lambda: BatchSampler([1], 1, 2), ValueError, "drop_last should be a boolean"),
    (lambda: DistributedSampler([1]), ValueError, "process group has not been initialized"),
    (lambda: DistributedSampler([1], 2, 2), ValueError, r"interval \[0, 1\]"),
    (lambda: list(Sampler()), NotImplementedError, "^$"),
    (lambda: Dataset()[0], NotImplementedError, "should implement __getitem__"),
    (lambda: IterableDataset(), TypeError, "abstract"),
    (lambda: TensorDataset(torch.zeros(2), torch.zeros(3)), AssertionError, "Size mismatch"),
    (lambda: ConcatDataset([]), AssertionError, "empty iterable"),
    (lambda: ConcatDataset([Stream(1)]), AssertionError, "does not support IterableDataset"),
    (lambda: ConcatDataset([[1]])[-2], ValueError, "absolute value of index"),
    (lambda: list(ChainDataset([[1]])), AssertionError, "only supports IterableDataset"),
    (lambda: StackDataset(), ValueError, "At least one dataset"),
    (lambda: StackDataset([1], a=[1]), ValueError, "both types are given"),
    (lambda: StackDataset([1], [1, 2]), ValueError, "Size mismatch"),
    (lambda: random_split(range(9), [3, 3]), ValueError, "Sum of input lengths"),
    (lambda: random_split(range(9), [1.5, -0.5]), ValueError, "not between 0 and 1"),
    (lambda: default_collate([None]), TypeError, "found <class 'NoneType'>"),
    (lambda: default_collate([np.array(["a"])]), TypeError, "found <U1"),
    (lambda: default_collate([[1, 2], [3]]), RuntimeError, "of equal size"),
    (
        lambda: default_collate([torch.zeros(2), torch.zeros(3)]),
        RuntimeError,
        "stack expects each tensor to be equal size",
    ),
]


@pytest.mark.parametrize("case", range(len(REJECTED)))
def test_rejected(case):
    call, kind, says = REJECTED[case]
    with pytest.raises(kind, match=says):
        call()


Point = collections.namedtuple("Point", ["x", "y"])


def same(got, want):
    assert type(got) is type(want)
    if isinstance(want, torch.Tensor):
        assert got.dtype == want.dtype and got.tolist() == want.tolist()
    elif isinstance(want, dict):
        assert list(got) == list(want)
        for key in want:
            same(got[key], want[key])
    elif isinstance(want, (list, tuple)):
        assert len(got) == len(want)
        for a, b in zip(got, want):
            same(a, b)
    else:
        assert got == want


def t(values, dtype):
    return torch.tensor(values, dtype=dtype)


# Expected values as PyTorch 2.13 gives them.
COLLATED = [
    ([1, 2], lambda: t([1, 2], torch.int64)),
    ([1.0, 2], lambda: t([1, 2], torch.float64)),
    ([True, False], lambda: t([True, False], torch.bool)),
    ([(1, 2.0), (3, 4.0)], lambda: [t([1, 3], torch.int64), t([2, 4], torch.float64)]),
    ([[1, "a"], [2, "b"]], lambda: [t([1, 2], torch.int64), ("a", "b")]),
    (
        [{"k": 1, "s": "x"}, {"k": 2, "s": "y"}],
        lambda: {"k": t([1, 2], torch.int64), "s": ["x", "y"]},
    ),
    (["a", "b"], lambda: ["a", "b"]),
    ([b"a"], lambda: [b"a"]),
    ([Point(1, 2), Point(3, 4)], lambda: Point(t([1, 3], torch.int64), t([2, 4], torch.int64))),
    ([np.float32(1), np.float32(2)], lambda: t([1, 2], torch.float32)),
    ([np.int16(1)], lambda: t([1], torch.int16)),
    ([np.bool_(True)], lambda: t([True], torch.bool)),
    ([np.zeros((1, 2), np.uint8)] * 2, lambda: t([[[0, 0]], [[0, 0]]], torch.uint8)),
    ([np.array(3)], lambda: t([3], torch.int64)),
    (
        [np.ones(1, np.float32), np.ones(1, np.float64)],
        lambda: t([[1], [1]], torch.float64),
    ),
    ([range(2), range(1, 3)], lambda: [t([0, 1], torch.int64), t([1, 2], torch.int64)]),
]


@pytest.mark.parametrize("case", range(len(COLLATED)))
def test_default_collate(case):
    batch, want = COLLATED[case]
    same(default_collate(batch), want())


def test_collate_keeps_dict_types_and_stacks_tensors():
    sample = collections.OrderedDict(a=torch.ones(2), b=torch.zeros(1, dtype=torch.bfloat16))
    batch = default_collate([sample, sample, sample])
    assert type(batch) is collections.OrderedDict
    assert tuple(batch["a"].shape) == (3, 2) and tuple(batch["b"].shape) == (3, 1)
    assert batch["b"].dtype == torch.bfloat16
    grad = torch.ones(2, requires_grad=True)
    default_collate([grad, grad]).sum().backward()
    assert grad.grad.tolist() == [2, 2]


def test_default_convert():
    same(default_convert(0), 0)
    same(default_convert("a"), "a")
    same(default_convert(Point(np.array(0), 1)), Point(t(0, torch.int64), 1))
    same(default_convert((np.float32(2), "b")), [t(2, torch.float32), "b"])
    same(default_convert({"a": [np.array([1])]}), {"a": [t([1], torch.int64)]})
    text = np.array(["a"])
    assert default_convert(text) is text


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("dtype", ["float32", "int64", "bfloat16", "bool"])
def test_tensor_dataset_batches_equal_rows(workers, dtype):
    x = torch.arange(14).reshape(7, 2).to(getattr(torch, dtype))
    data = TensorDataset(x, torch.arange(7))
    order = [6, 0, -1, 3, 3, 2, 1]
    for keys in (order, torch.tensor(order), np.array(order)):
        loader = DataLoader(data, 3, sampler=list(keys), num_workers=workers)
        for k, batch in enumerate(loader):
            rows = order[3 * k : 3 * k + 3]
            same(batch, default_collate([data[i] for i in rows]))


def test_tensor_dataset_batches_are_copies_and_keep_gradients():
    x = torch.zeros(4, 2)
    (batch,) = next(iter(DataLoader(TensorDataset(x), 4)))
    batch += 1
    assert x.sum().item() == 0
    weight = torch.ones(3, requires_grad=True)
    (batch,) = next(iter(DataLoader(TensorDataset(weight), 2, sampler=[2, 2])))
    batch.sum().backward()
    assert weight.grad.tolist() == [0, 0, 2]
    with pytest.raises(IndexError):
        list(DataLoader(TensorDataset(x), sampler=[4]))


def test_getitems_is_used_for_a_whole_batch():
    class Whole(Dataset):
        def __len__(self):
            return 4

        def __getitems__(self, indices):
            calls.append(list(indices))
            return [10 * i for i in indices]

    calls = []
    assert [b.tolist() for b in DataLoader(Whole(), 3)] == [[0, 10, 20], [30]]
    assert calls == [[0, 1, 2], [3]]
    assert Subset(Whole(), [3, 1]).__getitems__([0, 1]) == [30, 10]
    assert StackDataset(Whole(), [1, 2, 3, 4]).__getitems__([1]) == [(10, 2)]
    assert StackDataset(a=Whole(), b=[1, 2, 3, 4]).__getitems__([1]) == [{"a": 10, "b": 2}]


def test_subset_of_batched_dataset_and_its_overrides():
    subset = Subset(TensorDataset(torch.arange(10)), [9, 4, 2])
    assert [b[0].tolist() for b in DataLoader(subset, 2)] == [[9, 4], [2]]

    class Odd(Subset):
        def __getitem__(self, i):
            return -1

    with pytest.raises(NotImplementedError, match="__getitems__"):
        list(DataLoader(Odd([1, 2], [0, 1])))


def test_custom_collate_sees_single_samples():
    seen = []
    data = TensorDataset(torch.arange(3))
    list(DataLoader(data, 2, collate_fn=seen.append))
    assert [[type(sample) for sample in batch] for batch in seen] == [[tuple, tuple], [tuple]]


def test_lengths_and_attributes():
    assert len(DataLoader(range(7), 2)) == 4
    assert len(DataLoader(range(7), 2, drop_last=True)) == 3
    assert len(DataLoader(range(7), None)) == 7
    assert len(DataLoader(range(7), batch_sampler=[[1], [2]])) == 2
    assert len(DataLoader(Stream(7), 3)) == 3
    assert len(DataLoader(Stream(7), 3, drop_last=True)) == 2
    loader = DataLoader(range(7), 2, num_workers=1, pin_memory=True)
    assert (loader.prefetch_factor, loader.pin_memory, loader.batch_size) == (2, True, 2)
    assert DataLoader(range(3), batch_sampler=[[0]]).batch_size is None
    assert type(DataLoader(range(3), shuffle=True).sampler) is RandomSampler
    assert len(iter(loader)) == 4


def test_datasets_together():
    both = Dataset.__add__([1, 2], [3])
    assert [both[i] for i in range(3)] == [1, 2, 3] and both[-1] == 3 and len(both) == 3
    chain = Stream(2) + Stream(3)
    assert list(chain) == [0, 1, 0, 1, 2] and len(chain) == 5
    assert [b.tolist() for b in DataLoader(chain, 2)] == [[0, 1], [0, 1], [2]]
    assert StackDataset([1, 2], [3, 4])[1] == (2, 4)
    with pytest.warns(UserWarning, match="Length of split at index 0 is 0"):
        random_split(range(3), [0.0, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert [len(part) for part in random_split(range(10), [0.33, 0.33, 0.34])] == [4, 3, 3]


class Rows(Dataset):
    def __init__(self, rows):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return self.rows[i]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", [TensorDataset, Rows])
def test_a_batch_costs_no_copy_of_the_data(kind, shared):
    array = np.arange(2.0**20).reshape(1024, 1024)
    data = torch.from_numpy(array) if shared else torch.tensor(array)
    data.numpy()
    batches = iter(DataLoader(kind(data), 4))
    next(batches)
    tracemalloc.start()
    try:
        for _ in range(3):
            next(batches)
            data.numpy()
        assert tracemalloc.get_traced_memory()[1] < array.nbytes / 8
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [TensorDataset, Rows])
def test_batches_of_shared_memory_are_read_when_they_are_made(kind):
    array = np.zeros((6, 2), np.float32)
    data = torch.from_numpy(array)
    batches = iter(DataLoader(kind(data), 2))

    def take():
        batch = next(batches)
        return batch[0] if kind is TensorDataset else batch

    first = take()
    array[:] = 1
    second = take()
    data[4] = 2
    third = take()
    first[0] = 5
    assert first.tolist() == [[5, 5], [0, 0]] and second.tolist() == [[1, 1], [1, 1]]
    assert third.tolist() == [[2, 2], [1, 1]] and array[0].tolist() == [1, 1]


def test_dtypes_that_numpy_lacks():
    data = torch.arange(12.0).reshape(4, 3).to(torch.bfloat16)
    for batches in (DataLoader(TensorDataset(data), 2), DataLoader(Rows(data), 2)):
        first = next(iter(batches))
        same(first[0] if isinstance(first, list) else first, data[:2])
