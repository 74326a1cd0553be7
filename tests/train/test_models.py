"""The selectable networks: sizes known from the literature, and shapes."""

import pytest

import facula as torch
from facula.train import MLP, TrainError
from facula.train.models import MODEL_NAMES, build_model, image_size, wants_colour


def weights(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_lenet_has_the_published_number_of_weights():
    """LeNet-5 for 28 x 28 with dense second convolution: 61,706; the CIFAR form: 62,006."""
    assert weights(build_model("lenet", 1, 28, 10)) == 61_706
    assert weights(build_model("lenet", 3, 32, 10)) == 62_006


def test_mlp_size():
    assert weights(MLP(1, 28, 10)) == 784 * 128 + 128 + 128 * 128 + 128 + 128 * 10 + 10


@pytest.mark.parametrize("size", [8, 16, 28, 32, 64])
@pytest.mark.parametrize("name", ["lenet", "mlp"])
def test_any_size(name, size):
    assert build_model(name, 2, size, 7)(torch.zeros(3, 2, size, size)).shape == (3, 7)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_every_name_builds(name):
    channels = 3 if wants_colour(name) else 1
    size = image_size(name, 16)
    model = build_model(name, channels, size, 5).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, channels, size, size)).shape == (2, 5)


def test_unknown_name():
    with pytest.raises(TrainError, match="unknown model 'vgg': choose one of lenet, mlp"):
        build_model("vgg", 1, 28, 10)
