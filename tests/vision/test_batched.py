"""Batched fetching: bit for bit the samples one by one, with the same random draws."""

import copy
import multiprocessing
import pickle

import numpy as np
import pytest

import facula
from facula import tensors
from facula.base import dtypes
from facula.utils.data import DataLoader, Subset
from facula.vision import datasets, transforms
from facula.vision.transforms import (
    CenterCrop,
    Compose,
    ConvertImageDtype,
    Lambda,
    Normalize,
    Pad,
    PILToTensor,
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Resize,
    ToTensor,
)

PIPELINES = {
    "plain": [ToTensor()],
    "normalized": [ToTensor(), Normalize((0.1307,), (0.3081,))],
    "augmented": [RandomCrop(24, 4), RandomHorizontalFlip(), ToTensor(), Normalize(0.5, 0.5)],
    "one flip": [RandomHorizontalFlip(0.3), ToTensor()],
    "odd draws": [RandomHorizontalFlip(), RandomCrop((20, 22), (1, 2, 3, 4), fill=7), ToTensor()],
    "on tensors": [ToTensor(), RandomCrop(22, 2), RandomVerticalFlip(0.7), Normalize(0.5, 0.3)],
    "pad after": [ToTensor(), Normalize(0.5, 0.5), Pad(2, fill=0.25), RandomHorizontalFlip()],
    "reflected": [Pad(4, padding_mode="reflect"), RandomCrop(28), PILToTensor()],
    "converted": [PILToTensor(), ConvertImageDtype(dtypes.float32), Normalize(0.5, 0.5)],
    "resized": [Resize(32), CenterCrop(24), RandomVerticalFlip(), ToTensor()],
    "odd width": [RandomCrop(21), RandomHorizontalFlip(), RandomCrop(19, 1), ToTensor()],
    "powers of two": [ToTensor(), Normalize((0.3, 0.3, 0.3), (-0.25, 4.0, 2.0**-60))],
    "tiny": [ToTensor(), Normalize((0.3, 0.3, 0.3), (2.0**-100, 4.0, 2.0**-60))],
    "by channel": [ToTensor(), Normalize([0.49, 0.48, 0.45], [0.25, 0.24, 0.26])],
    "middle first": [CenterCrop(22), RandomHorizontalFlip(), RandomVerticalFlip(), ToTensor()],
    "nested": [Compose([RandomHorizontalFlip(), ToTensor()]), Normalize(0.5, 0.5)],
}


class _Grey(datasets.MNIST):
    def __init__(self, transform):
        rng = np.random.default_rng(0)
        datasets.VisionDataset.__init__(self, None, transform=transform)
        self.data = tensors.from_numpy(rng.integers(0, 256, (50, 28, 28)).astype(np.uint8))
        self.targets = tensors.from_numpy(rng.integers(0, 10, 50))


class _Color(datasets.CIFAR10):
    def __init__(self, transform):
        rng = np.random.default_rng(0)
        datasets.VisionDataset.__init__(self, None, transform=transform)
        self.data = rng.integers(0, 256, (50, 32, 32, 3)).astype(np.uint8)
        self.targets = rng.integers(0, 10, 50).tolist()


class _Planes(_Color):
    """Images that lie in memory plane by plane, as those of CIFAR's files do."""

    def __init__(self, transform):
        super().__init__(transform)
        self.data = np.ascontiguousarray(self.data.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)


class _Wider(_Color):
    """Images that are part of larger ones."""

    def __init__(self, transform):
        super().__init__(transform)
        self.data = self.data[:, 1:31, ::-1]


@pytest.mark.parametrize("kind", [_Grey, _Color, _Planes, _Wider])
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("count", [1, 7, 16])
def test_a_batch_is_its_samples(kind, name, count):
    steps = PIPELINES[name]
    if kind is _Grey and isinstance(last := steps[-1], Normalize) and name != "nested":
        mean, std = (v if isinstance(v, float) else v[0] for v in (last.mean, last.std))
        steps = [*steps[:-1], Normalize(mean, std)]
    data = kind(Compose(steps))
    indices = np.random.default_rng(count).integers(-50, 50, count).tolist()
    tensors.manual_seed(11)
    samples = [data[i] for i in indices]
    after = tensors.rand(1).item()
    tensors.manual_seed(11)
    images, labels = data.__getbatch__(indices)
    assert tensors.rand(1).item() == after
    want = np.stack([image.numpy() for image, _ in samples])
    assert images.numpy().dtype == want.dtype and np.array_equal(images.numpy(), want)
    assert labels.dtype == dtypes.int64 and labels.tolist() == [t for _, t in samples]


def test_unknown_things_go_sample_by_sample():
    class Own(ToTensor):
        pass

    for steps in ([Own()], [Lambda(lambda x: x), ToTensor()], [transforms.ColorJitter(0.1)]):
        assert _Grey(Compose(steps)).__getbatch__([0]) is None
    data = _Grey(ToTensor())
    assert data.__getbatch__([0]) is not None
    assert data.__getbatch__([50]) is None and data.__getbatch__([tensors.tensor(0)]) is None
    data.target_transform = str
    assert data.__getbatch__([0]) is None
    assert _Grey(None).__getbatch__([0]) is None
    assert _Grey(Compose([RandomCrop(99), ToTensor()])).__getbatch__([0]) is None


def test_nothing_is_drawn_where_the_batch_is_refused():
    data = _Grey(Compose([RandomHorizontalFlip(), ToTensor()]))
    tensors.manual_seed(0)
    before = tensors.get_rng_state()
    assert data.__getbatch__([999]) is None
    assert before.tolist() == tensors.get_rng_state().tolist()


def test_determinism_is_reported():
    assert _Color(ToTensor()).__batch_is_deterministic__()
    assert not _Color(Compose(PIPELINES["augmented"])).__batch_is_deterministic__()
    assert not _Color(Compose([Lambda(abs)])).__batch_is_deterministic__()


def test_a_changed_dataset_is_read_anew():
    data = _Grey(ToTensor())
    data.data = data.data[:10]
    data.targets = data.targets[:10]
    images, _ = data.__getbatch__([9])
    assert np.array_equal(images.numpy()[0], data[9][0].numpy())
    data.data[9] = 255
    assert data.__getbatch__([9])[0].min().item() == 1.0


def _same(data, index):
    want, _ = data[index]
    return np.array_equal(data.__getbatch__([index])[0].numpy()[0], want.numpy())


def test_a_changed_transform_is_seen_at_the_next_batch():
    normalize = Normalize([0.5], [0.5])
    data = _Grey(Compose([ToTensor(), normalize]))
    assert _same(data, 3)
    normalize.mean[0] = 0.25
    assert _same(data, 3)
    normalize.std = np.array([2.0])
    assert _same(data, 3)
    normalize.std[0] = 3.0
    assert _same(data, 3)
    data.transform.transforms.append(CenterCrop(9))
    assert _same(data, 3) and data.__getbatch__([3])[0].shape == (1, 1, 9, 9)
    data.transform.transforms[2] = Pad(1, fill=0.5)
    assert _same(data, 3)
    handle = normalize.register_forward_hook(lambda *_: None)
    assert data.__getbatch__([3]) is None
    handle.remove()
    assert _same(data, 3)
    before = facula.get_default_dtype()
    facula.set_default_dtype(dtypes.float64)
    try:
        assert _same(data, 3) and data.__getbatch__([3])[0].dtype is dtypes.float64
    finally:
        facula.set_default_dtype(before)
    data.transform.transforms.clear()
    assert data.__getbatch__([3]) is None


def test_changed_labels_are_seen_at_the_next_batch():
    data = _Color(ToTensor())
    data.targets[4] = 77
    assert data.__getbatch__([4, 4])[1].tolist() == [77, 77]
    data.targets[4] = 7.5
    assert data.__getbatch__([4]) is None
    data.targets = np.arange(50, dtype=np.int32)
    assert data.__getbatch__([-1])[1].tolist() == [49]


def test_a_dataset_is_copied_and_pickled_after_batches():
    for kind in (_Grey, _Color):
        data = kind(Compose(PIPELINES["augmented"]))
        data.__getbatch__([0])
        for other in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
            other.transform = ToTensor()
            assert _same(other, 5)
            assert data.__getbatch__([0])[0].shape[-1] == 24


def test_batches_share_no_memory():
    data = _Color(PILToTensor())
    kept = data.data.copy()
    first = data.__getbatch__([1])[0]
    first.zero_()
    assert np.array_equal(data.data, kept) and data.__getbatch__([1])[0].sum().item() > 0


@pytest.mark.parametrize("name", ["plain", "augmented", "odd draws"])
@pytest.mark.parametrize("persistent", [False, True])
@pytest.mark.parametrize("size", [3, 20])
def test_batches_made_together_are_those_of_worker_processes(name, persistent, size):
    rounds = []
    for start in (None, _nothing):  # user code to run in a worker asks for real processes
        tensors.manual_seed(3)
        data = Subset(_Color(Compose(PIPELINES[name])), list(range(40, 1, -1)))
        loader = DataLoader(
            data, size, shuffle=True, num_workers=2, persistent_workers=persistent,
            prefetch_factor=3, worker_init_fn=start,
        )  # fmt: skip
        seen = []
        for stop in (99, 2, 99):
            for number, (images, labels) in enumerate(loader):
                assert bool(multiprocessing.active_children()) is (start is not None)
                seen.append((images.numpy().copy(), labels.tolist()))
                if number == stop:
                    break
        rounds.append((seen, tensors.rand(1).item()))
        del loader
    (ours, after), (theirs, after_theirs) = rounds
    assert after == after_theirs and len(ours) == len(theirs)
    for (images, labels), (images_theirs, labels_theirs) in zip(ours, theirs):
        assert labels == labels_theirs and np.array_equal(images, images_theirs)


def _nothing(worker_id):
    pass


def test_batches_made_together_share_no_memory():
    loader = DataLoader(_Color(PILToTensor()), 2, num_workers=2)
    kept = [(images, images.numpy().copy()) for images, _ in loader]
    kept[0][0].zero_()
    assert len({images.numpy().ctypes.data for images, _ in kept}) == len(kept)
    assert all(np.array_equal(images.numpy(), before) for images, before in kept[1:])


def test_what_a_subclass_changes_is_not_passed_over():
    class Upside(_Color):
        def __getbatch__(self, indices):
            images, labels = super().__getbatch__(indices)
            return [images.flip(2), labels]

    loader = DataLoader(Upside(ToTensor()), 4, num_workers=2)
    plain = _Color(ToTensor())
    images, _ = next(iter(loader))
    assert np.array_equal(images[0].numpy(), plain[0][0].flip(1).numpy())


def test_an_odd_sample_is_left_to_its_own_batch():
    data = _Color(ToTensor())
    data.targets[5] = 2.5
    labels = [labels.tolist() for _, labels in DataLoader(data, 2, num_workers=2)]
    assert labels[:4] == [data.targets[i : i + 2] for i in (0, 2, 4, 6)]
