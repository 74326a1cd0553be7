"""Models: torchvision's state_dict keys, sizes, initial weights and outputs."""

import warnings
import zlib

import numpy as np
import pytest

from facula import tensors
from facula.autograd import no_grad
from facula.vision import models

# Published by torchvision with the weights.
PARAMETERS = {
    "resnet18": 11689512,
    "resnet34": 21797672,
    "resnet50": 25557032,
    "alexnet": 61100840,
    "vgg11": 132863336,
    "mobilenet_v2": 3504872,
    "densenet121": 7978856,
    "efficientnet_b0": 5288548,
    "shufflenet_v2_x1_0": 2278604,
    "squeezenet1_0": 1248424,
    "squeezenet1_1": 1235496,
    "resnext50_32x4d": 25028904,
    "wide_resnet50_2": 68883240,
}


@pytest.fixture
def undrawn(monkeypatch):
    """Weights are not drawn: where only shapes matter, a hundred million numbers are too many."""
    for name in ("uniform_", "normal_"):
        monkeypatch.setattr(tensors.Tensor, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("name", PARAMETERS)
def test_keys_shapes_and_parameter_counts(name, recorded):
    model = models.get_model(name)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    state, want = model.state_dict(), recorded["models"][name]
    assert list(state)[:3] == want["first"] and len(state) == want["keys"]
    text = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    assert zlib.crc32(text.encode()) == want["sum"]


@pytest.mark.parametrize(
    "name",
    [
        "resnet18",
        "mobilenet_v2",
        "squeezenet1_1",
        "densenet121",
        "efficientnet_b0",
        "shufflenet_v2_x1_0",
    ],
)
def test_the_same_seed_gives_the_same_weights_and_scores(name, recorded):
    tensors.manual_seed(0)
    model = models.get_model(name, num_classes=7)
    state, want = model.state_dict(), recorded["models"][name]
    for key, (first, last) in want["weights"].items():
        flat = state[key].reshape(-1)
        assert (flat[0].item(), flat[-1].item()) == (first, last), key
    x = tensors.linspace(-1, 1, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
    with no_grad():
        scores = model.eval()(x)
    np.testing.assert_allclose(scores.numpy(), want["scores"], rtol=2e-3, atol=2e-5)


def test_weights_enums_say_what_they_are():
    weights = models.ResNet50_Weights.DEFAULT
    assert repr(weights) == "ResNet50_Weights.IMAGENET1K_V2" == str(weights)
    assert models.ResNet18_Weights.DEFAULT is models.ResNet18_Weights.IMAGENET1K_V1
    assert weights.url.endswith("resnet50-11ad3fa6.pth")
    assert weights.meta["num_params"] == 25557032 and len(weights.meta["categories"]) == 1000
    preset = weights.transforms()
    assert preset.crop_size == [224] and preset.resize_size == [232]
    assert models.get_weight("VGG16_Weights.IMAGENET1K_V1") is models.VGG16_Weights.DEFAULT
    assert models.get_model_weights("resnet34") is models.ResNet34_Weights
    with pytest.raises(TypeError, match="Invalid Weight class"):
        models.resnet18(weights=models.VGG11_Weights.DEFAULT)


def test_presets_prepare_images():
    from PIL import Image

    batch = models.ResNet18_Weights.DEFAULT.transforms()(Image.new("RGB", (300, 400), (255, 0, 0)))
    assert tuple(batch.shape) == (3, 224, 224)
    np.testing.assert_allclose(batch[:, 0, 0].tolist(), [2.2489, -2.0357, -1.8044], atol=1e-4)


def test_old_flags_work_with_a_warning():
    for call in (
        lambda: models.squeezenet1_1(False),
        lambda: models.squeezenet1_1(pretrained=False),
    ):
        with pytest.warns(UserWarning, match="deprecated since 0.13"):
            call()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        models.squeezenet1_1(num_classes=3, weights=None)


def test_offline_weights_say_where_to_place_them(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    from facula.vision.datasets import utils

    def unreachable(*args):
        raise OSError("no network")

    monkeypatch.setattr(utils, "_receive", unreachable)
    with pytest.raises(OSError, match=r"place it at .*hub/checkpoints/resnet18-f37072fd\.pth"):
        models.resnet18(weights="DEFAULT")


def test_names_are_found_as_scripts_look_for_them():
    assert callable(models.__dict__["resnet18"])
    names = sorted(n for n in models.__dict__ if n.islower() and not n.startswith("__"))
    assert "vgg16_bn" in names
    assert models.list_models(include="resnet*")[0] == "resnet101"
    assert "resnet18" in models.list_models() and "resnet18" not in models.list_models(
        exclude="res*"
    )
    assert models.resnet.BasicBlock.expansion == 1
    assert models.vgg.cfgs["A"][:3] == [64, "M", 128]
    with pytest.raises(ValueError, match="Unknown model"):
        models.get_model("resnet19")


@pytest.mark.parametrize("size", [8, 28, 32])
def test_lenet_fits_the_image(size):
    model = models.lenet(in_channels=1, image_size=size)
    assert tuple(model(tensors.zeros(2, 1, size, size)).shape) == (2, 10)


def test_resnet_options():
    dilated = models.resnet50(replace_stride_with_dilation=[False, True, True], num_classes=3)
    assert tuple(dilated.eval()(tensors.zeros(1, 3, 32, 32)).shape) == (1, 3)
    assert dilated.layer4[1].conv2.dilation == (4, 4)
    zeroed = models.resnet18(zero_init_residual=True)
    assert zeroed.layer1[0].bn2.weight.abs().sum().item() == 0
    with pytest.raises(ValueError, match="3-element"):
        models.resnet18(replace_stride_with_dilation=[True])
