"""Losses of detection: focal loss, and those made of IoU."""

from __future__ import annotations

import numpy as np

from facula import operators, tensors
from facula.autograd import no_grad
from facula.base import dtypes
from facula.nn import functional as F
from facula.tensors import Tensor

__all__ = [
    "complete_box_iou_loss",
    "distance_box_iou_loss",
    "generalized_box_iou_loss",
    "sigmoid_focal_loss",
]


def _reduced(loss: Tensor, reduction: str, empty_is_zero: bool = True) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean() if loss.numel() or not empty_is_zero else 0.0 * loss.sum()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(
        f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: 'none', "
        "'mean', 'sum'"
    )


def sigmoid_focal_loss(
    inputs: Tensor,
    targets: Tensor,
    alpha: float = 0.25,
    gamma: float = 2,
    reduction: str = "none",
) -> Tensor:
    """Binary cross entropy that weighs down easy examples (Lin et al., 2017).

    inputs are logits, targets 0 or 1 of the same shape; alpha -1 means no class weights.
    """
    if not (0 <= alpha <= 1 or alpha == -1):
        raise ValueError(
            f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore."
        )
    p = operators.sigmoid(inputs)
    entropy = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    correct = p * targets + (1 - p) * (1 - targets)
    loss = entropy * ((1 - correct) ** gamma)
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction, empty_is_zero=False)


def _float(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (dtypes.float32, dtypes.float64) else boxes.float()


def _overlap(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Intersections and unions of boxes taken pair by pair."""
    ax1, ay1, ax2, ay2 = boxes1.unbind(dim=-1)
    bx1, by1, bx2, by2 = boxes2.unbind(dim=-1)
    left, right = operators.max(ax1, bx1), operators.min(ax2, bx2)
    top, bottom = operators.max(ay1, by1), operators.min(ay2, by2)
    meet = (bottom > top) & (right > left)
    inter = operators.where(meet, (right - left) * (bottom - top), tensors.zeros_like(left))
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inter
    return inter, union


def _around(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest box around each pair."""
    ax1, ay1, ax2, ay2 = boxes1.unbind(dim=-1)
    bx1, by1, bx2, by2 = boxes2.unbind(dim=-1)
    width = operators.max(ax2, bx2) - operators.min(ax1, bx1)
    return width, operators.max(ay2, by2) - operators.min(ay1, by1)


def generalized_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 minus the generalised IoU of (N, 4) boxes, pair by pair."""
    boxes1, boxes2 = _float(boxes1), _float(boxes2)
    inter, union = _overlap(boxes1, boxes2)
    width, height = _around(boxes1, boxes2)
    area = width * height
    value = inter / (union + eps) - (area - union) / (area + eps)
    return _reduced(1 - value, reduction)


def _distance(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    inter, union = _overlap(boxes1, boxes2)
    iou = inter / (union + eps)
    width, height = _around(boxes1, boxes2)
    ax1, ay1, ax2, ay2 = boxes1.unbind(dim=-1)
    bx1, by1, bx2, by2 = boxes2.unbind(dim=-1)
    across, down = (bx1 + bx2) / 2 - (ax1 + ax2) / 2, (by1 + by2) / 2 - (ay1 + ay2) / 2
    return 1 - iou + (across**2 + down**2) / (width**2 + height**2 + eps), iou


def distance_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 minus the distance IoU (Zheng et al., 2019) of (N, 4) boxes, pair by pair."""
    return _reduced(_distance(_float(boxes1), _float(boxes2), eps)[0], reduction)


def complete_box_iou_loss(
    boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7
) -> Tensor:
    """1 minus the complete IoU (Zheng et al., 2019) of (N, 4) boxes, pair by pair."""
    boxes1, boxes2 = _float(boxes1), _float(boxes2)
    distance, iou = _distance(boxes1, boxes2, eps)
    ax1, ay1, ax2, ay2 = boxes1.unbind(dim=-1)
    bx1, by1, bx2, by2 = boxes2.unbind(dim=-1)
    angle = operators.atan((bx2 - bx1) / (by2 - by1)) - operators.atan((ax2 - ax1) / (ay2 - ay1))
    v = (4 / np.pi**2) * angle**2
    with no_grad():
        alpha = v / (1 - iou + v + eps)
    return _reduced(distance + alpha * v, reduction)
