"""Points for TensorBoard's projector: plain files beside the event files."""

from __future__ import annotations

import math
import os

import numpy as np
from PIL import Image

_QUOTED = {"%": "%25", "/": "%2F", "\\": "%5C", ":": "%3A", "*": "%2A", "?": "%3F", '"': "%22"}


def _write_labels(path: str, labels: list, header: list | None) -> None:
    with open(path, "w", encoding="utf-8") as file:
        rows = [header, *labels] if header else labels
        for row in rows:
            parts = row if header else [row]
            file.write("\t".join(str(part) for part in parts) + "\n")


def _write_sprite(path: str, images: np.ndarray) -> None:
    """Images (N, C, H, W) in a square of them."""
    count, _, height, width = images.shape
    side = math.ceil(math.sqrt(count))
    scale = 1 if images.dtype == np.uint8 else 255
    sheet = np.zeros((side * height, side * width, 3), np.uint8)
    for i, image in enumerate(images.transpose(0, 2, 3, 1)):
        y, x = i // side * height, i % side * width
        sheet[y : y + height, x : x + width] = (image * scale).clip(0, 255).astype(np.uint8)
    Image.fromarray(sheet).save(path)


def add_points(
    folder: str, points: np.ndarray, labels: list | None, images: np.ndarray | None,
    step: int | None, tag: str, header: list | None,
) -> None:  # fmt: skip
    """Writes points (N, D), their labels and pictures, and lists them for the projector."""
    name = "".join(_QUOTED.get(letter, letter) for letter in tag)
    sub = f"{str(step or 0).zfill(5)}/{name}"
    place = os.path.join(folder, sub)
    os.makedirs(place, exist_ok=True)
    lines = ["embeddings {", f'tensor_name: "{tag}:{str(step or 0).zfill(5)}"']
    lines.append(f'tensor_path: "{sub}/tensors.tsv"')
    if labels is not None:
        if len(labels) != len(points):
            raise AssertionError("#labels should equal with #data points")
        _write_labels(os.path.join(place, "metadata.tsv"), labels, header)
        lines.append(f'metadata_path: "{sub}/metadata.tsv"')
    if images is not None:
        if len(images) != len(points):
            raise AssertionError("#images should equal with #data points")
        _write_sprite(os.path.join(place, "sprite.png"), images)
        height, width = images.shape[2:]
        lines += ["sprite {", f'image_path: "{sub}/sprite.png"']
        lines += [f"single_image_dim: {width}", f"single_image_dim: {height}", "}"]
    if points.ndim != 2:
        raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
    np.savetxt(os.path.join(place, "tensors.tsv"), points, fmt="%s", delimiter="\t")
    with open(os.path.join(folder, "projector_config.pbtxt"), "a", encoding="utf-8") as file:
        file.write("\n".join([*lines, "}"]) + "\n")
