"""Transforms: equal to torchvision's recorded results, and to Pillow and NumPy done by hand."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance
from vision_cases import KINDS, SEEDS, TRANSFORMS, outcome, picture

from facula import tensors
from facula.base import dtypes
from facula.vision import transforms
from facula.vision.transforms import functional as F


@pytest.mark.parametrize("case", TRANSFORMS, ids=str)
def test_results_reprs_errors_and_draws_are_torchvisions(case, recorded):
    for kind in KINDS:
        for seed in SEEDS:
            want = recorded["transforms"][f"{case}|{kind}|{seed}"]
            got = outcome(transforms, case, kind, seed, tensors)
            # Pillow may round differently between versions, float kernels in the last bit.
            close = 1.01 if "float" not in want.get("form", "") else 2e-5
            for key in want:
                if key in ("mean", "values"):
                    np.testing.assert_allclose(got[key], want[key], atol=close, err_msg=kind)
                else:
                    assert got.get(key) == want[key], (kind, seed, key)


def test_to_tensor_divides_in_float32():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    got = F.to_tensor(Image.fromarray(levels))
    assert got.dtype == dtypes.float32
    assert np.array_equal(got.numpy()[0], levels.astype(np.float32) / np.float32(255))


def test_to_tensor_of_other_inputs():
    assert tuple(F.to_tensor(np.zeros((4, 5, 3), np.float64)).shape) == (3, 4, 5)
    assert F.to_tensor(np.zeros((4, 5), np.float64)).dtype == dtypes.float64
    black_white = Image.fromarray(np.array([[0, 255]], np.uint8)).convert("1")
    assert F.to_tensor(black_white).tolist() == [[[0.0, 1.0]]]
    assert F.to_tensor(Image.new("I", (2, 1), 70000)).tolist() == [[[70000, 70000]]]
    with pytest.raises(TypeError, match="PIL Image or ndarray"):
        F.to_tensor([1, 2])
    with pytest.raises(ValueError, match="2/3 dimensional"):
        F.to_tensor(np.zeros(3))


def test_the_tensor_does_not_share_memory_with_the_array():
    array = np.zeros((2, 2, 1), np.float32)
    tensor = F.to_tensor(array)
    array[:] = 1
    assert tensor.sum().item() == 0


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "CMYK", "YCbCr", "HSV"])
def test_pil_round_trip(mode):
    image = picture().convert(mode)
    back = F.to_pil_image(
        F.pil_to_tensor(image), mode if mode in ("CMYK", "YCbCr", "HSV") else None
    )
    assert back.mode == mode and np.array_equal(np.asarray(back), np.asarray(image))


def test_to_pil_image_of_floats_and_integers():
    assert F.to_pil_image(tensors.tensor([[0.0, 1.0, 0.5]])).getpixel((2, 0)) == 127
    assert F.to_pil_image(np.array([[1.5]], np.float32)).mode == "F"
    assert F.to_pil_image(np.array([[70000]], np.int32)).mode == "I"
    with pytest.raises(ValueError, match="Incorrect mode"):
        F.to_pil_image(np.zeros((2, 2), np.uint8), "RGB")
    with pytest.raises(ValueError, match="channels"):
        F.to_pil_image(tensors.zeros(5, 2, 2))
    with pytest.raises(TypeError, match="not supported"):
        F.to_pil_image(np.zeros((2, 2), np.float64))


def test_pillow_does_the_work_on_pillow_images():
    image = picture()
    brighter = ImageEnhance.Brightness(image).enhance(1.4)
    assert np.array_equal(np.asarray(F.adjust_brightness(image, 1.4)), np.asarray(brighter))
    smaller = image.resize((30, 20), Image.Resampling.BILINEAR)
    assert np.array_equal(np.asarray(F.resize(image, [20, 30])), np.asarray(smaller))


def test_tensor_geometry_is_indexing():
    x = tensors.arange(24).reshape(1, 4, 6)
    array = x.numpy()
    assert np.array_equal(F.hflip(x).numpy(), array[:, :, ::-1])
    assert np.array_equal(F.vflip(x).numpy(), array[:, ::-1])
    assert np.array_equal(F.crop(x, 1, 2, 2, 3).numpy(), array[:, 1:3, 2:5])
    outside = F.crop(x, -1, 4, 3, 4).numpy()
    assert np.array_equal(outside, np.pad(array, ((0, 0), (1, 0), (0, 2)))[:, 0:3, 4:8])
    for mode, name in (("reflect", "reflect"), ("edge", "edge"), ("symmetric", "symmetric")):
        got = F.pad(x, [2, 1, 3, 2], padding_mode=mode).numpy()
        assert np.array_equal(got, np.pad(array, ((0, 0), (1, 2), (2, 3)), mode=name))


def test_normalize_works_in_float32_and_leaves_its_input():
    x = tensors.rand(3, 4, 5)
    before = x.numpy().copy()
    mean, std = np.float32([0.1, 0.2, 0.3]), np.float32([0.5, 0.6, 0.7])
    got = F.normalize(x, mean.tolist(), std.tolist()).numpy()
    assert np.array_equal(got, (before - mean[:, None, None]) / std[:, None, None])
    assert np.array_equal(x.numpy(), before)
    assert F.normalize(x, [0.5], [0.5], inplace=True) is x
    with pytest.raises(TypeError, match="float tensor"):
        F.normalize(tensors.zeros(1, 2, 2, dtype=dtypes.uint8), [0.5], [0.5])


def test_normalize_passes_gradients_on():
    x = tensors.ones(1, 2, 2, requires_grad=True)
    F.normalize(x, [0.5], [0.25]).sum().backward()
    assert x.grad.tolist() == [[[4.0, 4.0], [4.0, 4.0]]]


def test_compose_and_lists_show_what_they_hold():
    steps = transforms.Compose([transforms.Lambda(lambda v: v + 1), transforms.Lambda(abs)])
    assert steps(-5) == 4
    assert repr(steps) == "Compose(\n    Lambda()\n    Lambda()\n)"
    choice = transforms.RandomChoice([abs], p=[1.0])
    assert choice(-3) == 3 and repr(choice).endswith("\n)(p=[1.0])")
    assert transforms.RandomOrder([abs, abs])(-2) == 2
    assert transforms.RandomApply([abs], p=1.0)(-1) == 1


def test_old_module_path_and_pillow_constants():
    from facula.vision.transforms.transforms import ToTensor

    assert ToTensor is transforms.ToTensor
    assert transforms.Resize(4, interpolation=3).interpolation.value == "bicubic"
    with pytest.raises(TypeError, match="interpolation"):
        transforms.Resize(4, interpolation="bilinear")


def test_ten_crop_is_five_and_five():
    image = picture()
    crops = transforms.TenCrop(20)(image)
    expected = transforms.FiveCrop(20)(image) + transforms.FiveCrop(20)(F.hflip(image))
    assert len(crops) == 10
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in zip(crops, expected))
