"""Cases of the recorded comparison with torchvision; used by the tests and by the recorder."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

# A string "mode:x" stands for InterpolationMode(x), "policy:x" for AutoAugmentPolicy(x).
TRANSFORMS = [
    ("ToTensor",),
    ("PILToTensor",),
    ("ToPILImage",),
    ("Resize", 17),
    ("Resize", (50, 60)),
    ("Resize", (20, 30), "mode:bicubic"),
    ("Resize", (20, 30), "mode:nearest"),
    ("Resize", [17], "mode:bilinear", 20),
    ("CenterCrop", 20),
    ("CenterCrop", (40, 60)),
    ("CenterCrop", (21, 47)),
    ("RandomCrop", 20),
    ("RandomCrop", (20, 24), 4),
    ("RandomCrop", 60),
    ("RandomCrop", (60, 70), None, True),
    ("RandomCrop", 20, (1, 2), False, 7, "reflect"),
    ("RandomCrop", 20, [1, 2, 3, 4], False, 0, "edge"),
    ("RandomResizedCrop", 16),
    ("RandomResizedCrop", (16, 20), (0.5, 1.0), (1.0, 1.0)),
    ("RandomResizedCrop", 16, (0.9, 1), (3, 4)),
    ("RandomHorizontalFlip",),
    ("RandomVerticalFlip", 0.7),
    ("Pad", 3),
    ("Pad", (1, 2), 9),
    ("Pad", (1, 2, 3, 4), 0, "reflect"),
    ("Pad", 3, 0, "symmetric"),
    ("Pad", [4], 0, "edge"),
    ("Pad", (-2, 1), 0, "symmetric"),
    ("RandomRotation", 30),
    ("RandomRotation", (10, 50), "mode:bilinear", True),
    ("RandomRotation", 30, "mode:bilinear", False, (3, 4), 7),
    ("RandomRotation", (90, 90), "mode:nearest", True),
    ("RandomAffine", 30, (0.1, 0.2), (0.5, 1.5), 10),
    ("RandomAffine", (3, 9), None, (0.9, 1.1), (1, 2, 3, 4), "mode:bilinear", 5),
    ("ColorJitter", 0.4, 0.4, 0.4, 0.2),
    ("ColorJitter", 0.5),
    ("Grayscale",),
    ("Grayscale", 3),
    ("RandomGrayscale", 0.5),
    ("GaussianBlur", 5),
    ("GaussianBlur", (3, 7), (0.5, 3.0)),
    ("RandomPerspective", 0.5, 0.9),
    ("RandomInvert", 0.7),
    ("RandomPosterize", 3, 0.7),
    ("RandomSolarize", 100, 0.7),
    ("RandomAdjustSharpness", 2, 0.7),
    ("RandomAutocontrast", 0.7),
    ("RandomEqualize", 0.7),
    ("ElasticTransform", 30.0, [3.0, 4.0]),
    ("RandomErasing",),
    ("RandomErasing", 1.0, (0.1, 0.2), (0.3, 3), "random"),
    ("AutoAugment",),
    ("AutoAugment", "policy:cifar10"),
    ("AutoAugment", "policy:svhn", "mode:bilinear", 3.0),
    ("RandAugment",),
    ("RandAugment", 3, 20, 31, "mode:bilinear", [1.0, 2.0, 3.0]),
    ("TrivialAugmentWide",),
    ("Normalize", (0.5,), (0.2,)),
    ("Normalize", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4)),
    ("Normalize", (0.5,), (0.0,)),
    ("RandomCrop", None),
    ("ColorJitter", -1),
    ("RandomRotation", -3),
    ("CenterCrop", (1, 2, 3)),
    ("GaussianBlur", 4),
]
KINDS = ("rgb", "grey", "uint8", "float")
SEEDS = (0, 3)


def picture() -> Image.Image:
    """A smooth RGB image, the same everywhere."""
    y, x = np.mgrid[0:36, 0:48]
    waves = [np.sin(x / 5 + y / 9), np.cos(x / 7 - y / 4), np.sin(x * y / 90)]
    levels = np.stack([127.5 + 120 * w for w in waves], -1).astype(np.uint8)
    return Image.fromarray(levels)


def sample(kind: str, from_numpy):
    """The input of a case as a Pillow image or a tensor."""
    image = picture()
    if kind == "rgb":
        return image
    if kind == "grey":
        return image.convert("L")
    planes = np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
    if kind == "float":
        planes = planes.astype(np.float32) / np.float32(255)
    return from_numpy(planes)


def build(transforms, case):
    """Makes the transform of a case with a library's classes."""
    arguments = []
    for value in case[1:]:
        if isinstance(value, str) and value.startswith("mode:"):
            value = transforms.InterpolationMode(value[5:])
        elif isinstance(value, str) and value.startswith("policy:"):
            value = transforms.AutoAugmentPolicy(value[7:])
        arguments.append(value)
    return getattr(transforms, case[0])(*arguments)


def summary(result) -> dict:
    """What is recorded of a result: its form, mean, and sampled values."""
    if isinstance(result, Image.Image):
        array, form = np.asarray(result), f"PIL {result.mode}"
    else:
        array = result.numpy()
        form = f"tensor {array.dtype}"
    flat = array.astype(np.float64).reshape(-1)
    places = np.linspace(0, flat.size - 1, 9).astype(int)
    return {
        "form": form,
        "shape": list(array.shape),
        "mean": float(flat.mean()),
        "values": [float(v) for v in flat[places]],
    }


def outcome(transforms, case, kind: str, seed: int, torch) -> dict:
    """Runs a case; `torch` gives manual_seed, rand and from_numpy."""
    torch.manual_seed(seed)
    random.seed(seed)
    try:
        transform = build(transforms, case)
        result = summary(transform(sample(kind, torch.from_numpy)))
    except Exception as error:
        return {"error": type(error).__name__}
    return {"repr": repr(transform), **result, "next": float(torch.rand(1).item())}
