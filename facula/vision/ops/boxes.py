"""Boxes: areas, overlaps, conversions between formats, and non-maximum suppression."""

from __future__ import annotations

import numpy as np

from facula import operators, tensors
from facula.autograd import no_grad
from facula.base import dtypes
from facula.tensors import Tensor
from facula.vision._arrays import read, tensor_of

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
]


def _suppress(boxes: np.ndarray, scores: np.ndarray, iou_threshold: float) -> np.ndarray:
    """Indices that survive greedy suppression, best score first."""
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes.T
    areas = (right - left) * (bottom - top)
    kept = []
    while order.size:
        best, order = order[0], order[1:]
        kept.append(best)
        width = np.minimum(right[best], right[order]) - np.maximum(left[best], left[order])
        height = np.minimum(bottom[best], bottom[order]) - np.maximum(top[best], top[order])
        inter = np.clip(width, 0, None) * np.clip(height, 0, None)
        with np.errstate(divide="ignore", invalid="ignore"):
            overlap = inter / (areas[best] + areas[order] - inter)
        order = order[~(overlap > iou_threshold)]
    return np.array(kept, dtype=np.int64)


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Keeps the best boxes, dropping each that overlaps a kept one by more than the threshold.

    boxes: (N, 4) as (x1, y1, x2, y2); scores: (N,). Returns int64 indices, best score first.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes should be (N, 4), got {tuple(boxes.shape)}")
    if scores.ndim != 1 or scores.shape[0] != boxes.shape[0]:
        raise ValueError(
            f"boxes and scores should have same number of elements in dimension 0, got "
            f"{boxes.shape[0]} and {tuple(scores.shape)}"
        )
    kept = _suppress(read(boxes), read(scores), float(iou_threshold))
    return tensor_of(kept).to(boxes.device)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`nms` within each class: boxes with different `idxs` never suppress one another."""
    keep = tensors.zeros_like(scores, dtype=dtypes.bool_)
    for label in sorted(set(idxs.tolist())):
        members = operators.where(idxs == label)[0]
        keep[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    survivors = operators.where(keep)[0]
    return survivors[scores[survivors].sort(descending=True)[1]]


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Returns the indices of boxes whose sides are both at least `min_size`."""
    width, height = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return operators.where((width >= min_size) & (height >= min_size))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Moves corners that lie outside of a (height, width) image onto its edge."""
    height, width = size
    x = boxes[..., 0::2].clamp(min=0, max=width)
    y = boxes[..., 1::2].clamp(min=0, max=height)
    return operators.stack((x, y), dim=boxes.dim()).reshape(boxes.shape)


_FORMATS = ("xyxy", "xywh", "cxcywh")


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Converts (..., 4) boxes between "xyxy", "xywh" and "cxcywh".

    Example:
        >>> import facula as torch
        >>> from facula.vision.ops import box_convert
        >>> box_convert(torch.tensor([[1., 2., 4., 6.]]), "xyxy", "cxcywh")
        tensor([[2.5000, 4.0000, 3.0000, 4.0000]])
    """
    if in_fmt not in _FORMATS or out_fmt not in _FORMATS:
        raise ValueError(
            f"Unsupported Bounding Box Conversions for given in_fmt {in_fmt} and out_fmt {out_fmt}"
        )
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "xywh":
        a, b, c, d = a, b, a + c, b + d
    elif in_fmt == "cxcywh":
        a, b, c, d = a - 0.5 * c, b - 0.5 * d, a + 0.5 * c, b + 0.5 * d
    if out_fmt == "xywh":
        a, b, c, d = a, b, c - a, d - b
    elif out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    return operators.stack((a, b, c, d), dim=-1)


def _widen(values: Tensor) -> Tensor:
    """A dtype in which products of coordinates do not overflow."""
    if values.is_floating_point():
        return values if values.dtype in (dtypes.float32, dtypes.float64) else values.float()
    return values if values.dtype in (dtypes.int32, dtypes.int64) else values.int()


def box_area(boxes: Tensor, fmt: str = "xyxy") -> Tensor:
    """Returns the areas (N,) of (N, 4) boxes."""
    boxes = _widen(boxes)
    if fmt == "xyxy":
        return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
    if fmt not in _FORMATS:
        raise ValueError(f"Unsupported Bounding Box area for given format {fmt}")
    return boxes[..., 2] * boxes[..., 3]


def _inter_union(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> tuple[Tensor, Tensor]:
    area1, area2 = box_area(boxes1, fmt), box_area(boxes2, fmt)
    if fmt != "xyxy":
        boxes1, boxes2 = (box_convert(b, fmt, "xyxy") for b in (boxes1, boxes2))
    top_left = operators.max(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    bottom_right = operators.min(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = _widen(bottom_right - top_left).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter, area1[..., :, None] + area2[..., None, :] - inter


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str = "xyxy") -> Tensor:
    """Returns intersection over union (N, M) of every pair of boxes."""
    if fmt not in _FORMATS:
        raise ValueError(f"Unsupported Box IoU Calculation for given format {fmt}.")
    inter, union = _inter_union(boxes1, boxes2, fmt)
    return inter / union


def _enclosing(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Sides (N, M, 2) of the smallest box around every pair."""
    top_left = operators.min(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    bottom_right = operators.max(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    return _widen(bottom_right - top_left).clamp(min=0)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Returns the generalised IoU (Rezatofighi et al., 2019) of every pair, in (-1, 1]."""
    inter, union = _inter_union(boxes1, boxes2)
    sides = _enclosing(boxes1, boxes2)
    around = sides[..., 0] * sides[..., 1]
    return inter / union - (around - union) / around


def _distance_iou(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    iou = box_iou(boxes1, boxes2)
    sides = _enclosing(boxes1, boxes2)
    diagonal = sides[..., 0] ** 2 + sides[..., 1] ** 2 + eps
    x1, y1 = (boxes1[..., 0] + boxes1[..., 2]) / 2, (boxes1[..., 1] + boxes1[..., 3]) / 2
    x2, y2 = (boxes2[..., 0] + boxes2[..., 2]) / 2, (boxes2[..., 1] + boxes2[..., 3]) / 2
    across = _widen(x1[..., :, None] - x2[..., None, :])
    down = _widen(y1[..., :, None] - y2[..., None, :])
    return iou - (across**2 + down**2) / diagonal, iou


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Returns IoU minus the squared distance of centres, relative to the enclosing diagonal."""
    return _distance_iou(_widen(boxes1), _widen(boxes2), eps)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Returns the distance IoU with a further penalty for different aspect ratios."""
    boxes1, boxes2 = _widen(boxes1), _widen(boxes2)
    distance, iou = _distance_iou(boxes1, boxes2, eps)
    w1, h1 = boxes1[..., 2] - boxes1[..., 0], boxes1[..., 3] - boxes1[..., 1]
    w2, h2 = boxes2[..., 2] - boxes2[..., 0], boxes2[..., 3] - boxes2[..., 1]
    angle = operators.atan(w1 / h1)[..., :, None] - operators.atan(w2 / h2)[..., None, :]
    v = (4 / np.pi**2) * angle**2
    with no_grad():
        alpha = v / (1 - iou + v + eps)
    return distance - alpha * v


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Returns the (N, 4) bounding boxes of (N, H, W) masks, pixel positions included."""
    out = np.zeros((masks.shape[0], 4), dtype=np.float32)
    for i, mask in enumerate(read(masks)):
        y, x = np.nonzero(mask)
        if y.size:
            out[i] = x.min(), y.min(), x.max(), y.max()
    return tensor_of(out).to(masks.device)
