"""Renews recorded_vision.json; run it where torch and torchvision are installed."""

from __future__ import annotations

import json
import zlib
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision import models, ops, transforms, utils
from vision_cases import KINDS, SEEDS, TRANSFORMS, outcome

MODELS = [
    "alexnet",
    "densenet121",
    "densenet161",
    "efficientnet_b0",
    "mobilenet_v2",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext50_32x4d",
    "shufflenet_v2_x1_0",
    "squeezenet1_0",
    "squeezenet1_1",
    "vgg11",
    "vgg16_bn",
    "wide_resnet50_2",
]
SMALL = [
    "resnet18",
    "mobilenet_v2",
    "squeezenet1_1",
    "densenet121",
    "efficientnet_b0",
    "shufflenet_v2_x1_0",
]


def keys_sum(state) -> int:
    """A checksum over names and shapes of a state dict."""
    text = "\n".join(f"{key} {tuple(value.shape)}" for key, value in state.items())
    return zlib.crc32(text.encode())


def probe(state) -> dict:
    """Two values of some entries, in order."""
    names = list(state)
    chosen = [names[i] for i in np.linspace(0, len(names) - 1, 12).astype(int)]
    return {name: [float(v) for v in state[name].reshape(-1)[[0, -1]]] for name in chosen}


def recorded_models() -> dict:
    """Keys, sizes and some initial weights of every model at seed 0."""
    result = {}
    for name in MODELS:
        torch.manual_seed(0)
        state = models.get_model(name).state_dict()
        entry = {"keys": len(state), "sum": keys_sum(state), "first": list(state)[:3]}
        if name in SMALL:
            torch.manual_seed(0)
            model = models.get_model(name, num_classes=7)
            entry["weights"] = probe(model.state_dict())
            x = torch.linspace(-1, 1, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
            with torch.no_grad():
                entry["scores"] = model.eval()(x).tolist()
        result[name] = entry
    return result


def recorded_boxes() -> dict:
    """Overlaps of a few boxes."""
    a = torch.tensor([[0.0, 0, 10, 10], [5, 5, 20, 15], [30, 2, 40, 30]])
    b = torch.tensor([[2.0, 3, 9, 12], [4, 4, 21, 14], [31, 1, 39, 35]])
    names = ("box_iou", "generalized_box_iou", "distance_box_iou", "complete_box_iou")
    result = {name: getattr(ops, name)(a, b).tolist() for name in names}
    for name in ("generalized_box_iou_loss", "distance_box_iou_loss", "complete_box_iou_loss"):
        result[name] = getattr(ops, name)(a, b).tolist()
    logits = torch.linspace(-3, 3, 7)
    result["sigmoid_focal_loss"] = ops.sigmoid_focal_loss(logits, (logits > 0.5).float()).tolist()
    return result


def recorded_grid() -> dict:
    """A grid of five images."""
    images = torch.linspace(-1, 2, 5 * 3 * 4 * 6).reshape(5, 3, 4, 6)
    grid = utils.make_grid(images, nrow=3, padding=1, normalize=True, pad_value=0.5)
    return {"shape": list(grid.shape), "values": grid.flatten()[::7].tolist()}


def main() -> None:
    """Writes the file."""
    cases = {}
    for case in TRANSFORMS:
        for kind in KINDS:
            for seed in SEEDS:
                cases[f"{case}|{kind}|{seed}"] = outcome(transforms, case, kind, seed, torch)
    data = {
        "torchvision": torchvision.__version__,
        "transforms": cases,
        "models": recorded_models(),
        "boxes": recorded_boxes(),
        "grid": recorded_grid(),
    }
    path = Path(__file__).with_name("recorded_vision.json")
    path.write_text(json.dumps(data, indent=0) + "\n")


if __name__ == "__main__":
    main()
