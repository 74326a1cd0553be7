"""Batched fetching: bit for bit the samples one by one, with the same random draws."""

import numpy as np
import pytest

from facula import tensors
from facula.base import dtypes
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


@pytest.mark.parametrize("kind", [_Grey, _Color])
@pytest.mark.parametrize("name", PIPELINES)
@pytest.mark.parametrize("count", [1, 7, 16])
def test_a_batch_is_its_samples(kind, name, count):
    data = kind(Compose(PIPELINES[name]))
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
