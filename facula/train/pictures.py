"""Draws the learning curve and a grid of predictions as PNG files, with Pillow alone."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_INK, _FAINT, _PAPER = (40, 44, 52), (222, 225, 230), (255, 255, 255)
_TRAIN, _TEST, _WRONG = (124, 138, 158), (220, 96, 24), (200, 30, 40)
_ZOOM = 2  # drawn at twice the size and scaled down: smooth lines


def _font(size: int) -> Any:
    try:
        return ImageFont.load_default(size=size * _ZOOM)
    except (ImportError, OSError):  # Pillow built without FreeType: its small bitmap font
        return ImageFont.load_default()


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, about `count` of them, steps of 1, 2 or 5."""
    if high <= low:
        return [low]
    step = 10.0 ** math.floor(math.log10((high - low) / count))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (step * m) <= count)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


class _Panel:
    """One plot: a box in pixels and the ranges of both axes."""

    def __init__(self, draw: Any, box: tuple[int, int, int, int], title: str) -> None:
        self.draw, self.title = draw, title
        self.left, self.top, self.right, self.bottom = (side * _ZOOM for side in box)
        self.x = (0.0, 1.0)
        self.y = (0.0, 1.0)

    def point(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return (
            self.left + across * (self.right - self.left),
            self.bottom - up * (self.bottom - self.top),
        )

    def axes(self, percent: bool) -> None:
        small = _font(11)
        self.draw.text(
            (self.left, self.top - 10 * _ZOOM), self.title, _INK, font=_font(14), anchor="ls"
        )
        for value in ticks(*self.y):
            _, y = self.point(0, value)
            self.draw.line((self.left, y, self.right, y), _FAINT, _ZOOM)
            text = f"{value:.4%}".rstrip("0%").rstrip(".") + " %" if percent else f"{value:g}"
            self.draw.text((self.left - 6 * _ZOOM, y), text, _INK, font=small, anchor="rm")
        for value in ticks(*self.x):
            if value == int(value):
                x, _ = self.point(value, 0)
                self.draw.text(
                    (x, self.bottom + 6 * _ZOOM), f"{value:g}", _INK, font=small, anchor="ma"
                )
        middle = (self.left + self.right) / 2
        self.draw.text((middle, self.bottom + 22 * _ZOOM), "epoch", _INK, font=small, anchor="ma")

    def line(self, values: Sequence[float], colour: tuple[int, int, int], name: str) -> None:
        points = [self.point(i + 1, value) for i, value in enumerate(values)]
        if len(points) > 1:
            self.draw.line(points, colour, 2 * _ZOOM, joint="curve")
        for x, y in points if len(points) <= 40 else points[-1:]:
            r = 2.5 * _ZOOM
            self.draw.ellipse((x - r, y - r, x + r, y + r), colour)
        shift = 90 if name == "train" else 40
        place = (self.right - shift * _ZOOM, self.top - 10 * _ZOOM)
        self.draw.text(place, name, colour, font=_font(12), anchor="ls")


def draw_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Loss and accuracy over the epochs: keys {train,test}_{loss,accuracy} of each record."""
    image = Image.new("RGB", (860 * _ZOOM, 340 * _ZOOM), _PAPER)
    draw = ImageDraw.Draw(image)
    panels = (
        ("loss", _Panel(draw, (60, 45, 400, 285), "loss")),
        ("accuracy", _Panel(draw, (490, 45, 830, 285), "accuracy")),
    )
    for key, panel in panels:
        lines = [[float(r[f"{part}_{key}"]) for r in history] for part in ("train", "test")]
        finite = [v for line in lines for v in line if math.isfinite(v)] or [0.0]
        low, high = min(finite), max(finite)
        panel.x = (1.0, float(max(2, len(history))))
        panel.y = (0.0, high * 1.05 or 1.0) if key == "loss" else (max(0.0, low - 0.01), 1.0)
        panel.axes(percent=key == "accuracy")
        for values, colour, name in zip(lines, (_TRAIN, _TEST), ("train", "test")):
            panel.line([v if math.isfinite(v) else high for v in values], colour, name)
    _save(image, path)


def draw_predictions(
    images: np.ndarray,
    predicted: Sequence[str],
    actual: Sequence[str],
    path: Path,
    columns: int = 10,
) -> None:
    """A grid of images (N, H, W, 1 or 3) of bytes with what was predicted; mistakes in red."""
    tile, caption, gap = 72, 20, 8
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    size = (columns * (tile + gap) + gap, rows * (tile + caption + gap) + gap)
    sheet = Image.new("RGB", (size[0] * _ZOOM, size[1] * _ZOOM), _PAPER)
    draw = ImageDraw.Draw(sheet)
    font = _font(12)
    for i, pixels in enumerate(images):
        x = (gap + i % columns * (tile + gap)) * _ZOOM
        y = (gap + i // columns * (tile + caption + gap)) * _ZOOM
        grey = pixels.shape[-1] == 1
        picture = Image.fromarray(pixels[..., 0] if grey else pixels).convert("RGB")
        side = tile * _ZOOM
        sheet.paste(picture.resize((side, side), Image.Resampling.NEAREST), (x, y))
        right = predicted[i] == actual[i]
        text = predicted[i] if right else f"{predicted[i]} (is {actual[i]})"
        colour = _INK if right else _WRONG
        draw.rectangle((x, y, x + side - 1, y + side - 1), outline=colour, width=_ZOOM)
        place = (x + side / 2, y + side + 3 * _ZOOM)
        draw.text(place, text[:18], colour, font=font, anchor="ma")
    _save(sheet, path)


def _save(image: Image.Image, path: Path) -> None:
    small = image.resize((image.width // _ZOOM, image.height // _ZOOM), Image.Resampling.LANCZOS)
    small.save(path)
