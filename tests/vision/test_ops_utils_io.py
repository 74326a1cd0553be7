"""Boxes and losses, grids and drawing, image files."""

import io

import numpy as np
import pytest
from PIL import Image

from facula import tensors
from facula.base import dtypes
from facula.vision import io as vio
from facula.vision import ops, utils

A = [[0.0, 0, 10, 10], [5, 5, 20, 15], [30, 2, 40, 30]]
B = [[2.0, 3, 9, 12], [4, 4, 21, 14], [31, 1, 39, 35]]


def test_overlaps_and_losses_are_torchvisions(recorded):
    a, b = tensors.tensor(A), tensors.tensor(B)
    for name, want in recorded["boxes"].items():
        if name == "sigmoid_focal_loss":
            logits = tensors.linspace(-3, 3, 7)
            got = ops.sigmoid_focal_loss(logits, (logits > 0.5).float())
        else:
            got = getattr(ops, name)(a, b)
        np.testing.assert_allclose(got.numpy(), want, rtol=1e-5, atol=1e-6, err_msg=name)


def test_box_formats():
    boxes = tensors.tensor([[1.0, 2.0, 5.0, 10.0]])
    assert ops.box_convert(boxes, "xyxy", "xywh").tolist() == [[1, 2, 4, 8]]
    assert ops.box_convert(boxes, "xyxy", "cxcywh").tolist() == [[3, 6, 4, 8]]
    back = ops.box_convert(ops.box_convert(boxes, "xyxy", "cxcywh"), "cxcywh", "xyxy")
    assert back.tolist() == boxes.tolist()
    assert ops.box_area(boxes).tolist() == [32]
    assert ops.clip_boxes_to_image(boxes, (6, 4)).tolist() == [[1, 2, 4, 6]]
    assert ops.remove_small_boxes(boxes, 5).tolist() == []
    with pytest.raises(ValueError, match="Unsupported"):
        ops.box_convert(boxes, "xyxy", "yxyx")


def _greedy(boxes, scores, threshold):
    """Suppression by the definition, one pair at a time."""
    kept = []
    for i in np.argsort(-scores):
        for j in kept:
            w = min(boxes[i, 2], boxes[j, 2]) - max(boxes[i, 0], boxes[j, 0])
            h = min(boxes[i, 3], boxes[j, 3]) - max(boxes[i, 1], boxes[j, 1])
            inter = max(w, 0) * max(h, 0)
            sizes = [(boxes[k, 2] - boxes[k, 0]) * (boxes[k, 3] - boxes[k, 1]) for k in (i, j)]
            if inter / (sum(sizes) - inter) > threshold:
                break
        else:
            kept.append(int(i))
    return kept


def test_nms_keeps_what_the_definition_keeps():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 50, (60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 40, (60, 2))], 1)
    scores = rng.permutation(60) / 60
    got = ops.nms(tensors.from_numpy(boxes), tensors.from_numpy(scores), 0.3).tolist()
    assert got == _greedy(boxes, scores, 0.3)
    classes = tensors.from_numpy(np.arange(60) % 2)
    both = ops.batched_nms(tensors.from_numpy(boxes), tensors.from_numpy(scores), classes, 0.3)
    halves = [np.arange(60)[k::2] for k in (0, 1)]
    want = [int(h[i]) for h in halves for i in _greedy(boxes[h], scores[h], 0.3)]
    assert both.tolist() == sorted(want, key=lambda i: -scores[i])


def test_grid_is_torchvisions(recorded):
    images = tensors.linspace(-1, 2, 5 * 3 * 4 * 6).reshape(5, 3, 4, 6)
    before = images.numpy().copy()
    grid = utils.make_grid(images, nrow=3, padding=1, normalize=True, pad_value=0.5)
    assert list(grid.shape) == recorded["grid"]["shape"]
    np.testing.assert_allclose(grid.flatten()[::7].tolist(), recorded["grid"]["values"], atol=1e-6)
    assert np.array_equal(images.numpy(), before)


def test_grid_of_other_inputs():
    assert tuple(utils.make_grid(tensors.zeros(4, 5)).shape) == (3, 4, 5)
    assert tuple(utils.make_grid([tensors.zeros(1, 4, 4)] * 3, nrow=2).shape) == (3, 14, 14)
    with pytest.raises(TypeError, match="tensor or list of tensors"):
        utils.make_grid("abc")


def test_save_image_rounds_to_levels(tmp_path):
    values = tensors.tensor([[[0.0, 0.5, 1.0, 2.0]]])
    utils.save_image(values, tmp_path / "x.png")
    assert np.asarray(Image.open(tmp_path / "x.png"))[0, :, 0].tolist() == [0, 128, 255, 255]
    buffer = io.BytesIO()
    utils.save_image(values, buffer, format="png")
    assert Image.open(buffer).mode == "RGB"


def test_drawing():
    image = tensors.zeros(3, 20, 20, dtype=dtypes.uint8)
    boxes = tensors.tensor([[2, 3, 10, 12]])
    drawn = utils.draw_bounding_boxes(image, boxes, colors="red", labels=["x"]).numpy()
    assert drawn[0, 3, 2:11].tolist() == [255] * 9 and drawn[1].sum() == 0
    assert image.numpy().sum() == 0
    mask = tensors.zeros(20, 20, dtype=dtypes.bool_)
    mask[4, 5] = True
    painted = utils.draw_segmentation_masks(image, mask, alpha=0.5, colors="blue").numpy()
    assert painted[2, 4, 5] == 127 and painted.sum() == 127


def test_files(tmp_path):
    image = tensors.from_numpy(
        np.random.default_rng(0).integers(0, 256, (3, 6, 7)).astype(np.uint8)
    )
    path = str(tmp_path / "a.png")
    vio.write_png(image, path)
    assert np.array_equal(vio.read_image(path).numpy(), image.numpy())
    grey = vio.read_image(path, vio.ImageReadMode.GRAY)
    assert np.array_equal(grey.numpy()[0], np.asarray(Image.open(path).convert("L")))
    assert tuple(vio.decode_jpeg(vio.encode_jpeg(image)).shape) == (3, 6, 7)
    with pytest.raises(RuntimeError, match="No such file"):
        vio.read_image(str(tmp_path / "none.png"))
    with pytest.raises(RuntimeError, match="not a PNG"):
        vio.decode_png(vio.encode_jpeg(image))
    with pytest.raises(RuntimeError, match="uint8"):
        vio.write_png(image.float(), path)
