"""The names of ImageNet's 1000 classes, in the order of the models' outputs."""

from __future__ import annotations

from pathlib import Path

__all__: list[str] = []

_FILE = Path(__file__).with_name("imagenet_classes.txt")
_IMAGENET_CATEGORIES = _FILE.read_text(encoding="utf-8").splitlines()
