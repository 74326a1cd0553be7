"""Images, films and sounds as the files that event files contain."""

from __future__ import annotations

import io
import math
import wave
from typing import Any

import numpy as np
from PIL import Image

from facula.utils.tensorboard import protobuf as pb


def _scaled(values: np.ndarray) -> np.ndarray:
    """As bytes: floats in [0, 1] become 0 to 255, bytes stay."""
    scale = 1 if values.dtype == np.uint8 else 255
    return (values.astype(np.float32) * scale).clip(0, 255).astype(np.uint8)


def _grid(images: np.ndarray, columns: int = 8) -> np.ndarray:
    """Images (N, H, W, C) side by side."""
    count, height, width, channels = images.shape
    columns = min(count, columns)
    rows = -(-count // columns)
    made = np.zeros((rows * height, columns * width, channels), images.dtype)
    for i, image in enumerate(images):
        y, x = i // columns * height, i % columns * width
        made[y : y + height, x : x + width] = image
    return made


def arranged(values: np.ndarray, axes: str) -> np.ndarray:
    """An image, or a batch of them as one grid, with axes (H, W, C); C is at least 3.

    Raises AssertionError where ``axes`` does not name the axes of ``values``.
    """
    axes = axes.upper()
    assert len(set(axes)) == len(axes), (
        f"an axis is named twice: {axes}"
    )
    assert len(axes) == values.ndim, f"{axes} does not fit the shape {values.shape}"
    wanted = [axis for axis in "NHWC" if axis in axes]
    image = values.transpose([axes.index(axis) for axis in wanted])
    if "C" not in axes:
        image = image[..., None]
    if "N" in axes:
        image = _grid(image)
    return np.repeat(image, 3, -1) if image.shape[-1] == 1 else image


def _encoded(image: np.ndarray) -> Image.Image:
    return Image.fromarray(_scaled(image))


def image_field(image: np.ndarray, rescale: float = 1) -> bytes:
    """The message Image of an image (H, W, C), as PNG."""
    picture = _encoded(image)
    if rescale != 1:
        size = int(picture.width * rescale), int(picture.height * rescale)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "PNG")
    return _image_message(picture.height, picture.width, image.shape[-1], file.getvalue())


def _image_message(height: int, width: int, channels: int, data: bytes) -> bytes:
    sizes = pb.whole(1, height), pb.whole(2, width), pb.whole(3, channels)
    return pb.message(*sizes, pb.raw(4, data))


def boxed(image: np.ndarray, boxes: np.ndarray, labels: Any = None) -> np.ndarray:
    """The image (H, W, C) with boxes (x, y, x, y) drawn on it in red."""
    from PIL import ImageDraw

    picture = _encoded(image)
    draw = ImageDraw.Draw(picture)
    for i, (left, top, right, bottom) in enumerate(boxes.reshape(-1, 4).tolist()):
        draw.rectangle((left, top, right, bottom), outline="Red", width=2)
        if labels is not None:
            draw.text((left, max(top - 12, 0)), str(labels[i]), fill="Red")
    return np.asarray(picture)


def film_field(film: np.ndarray, fps: float) -> bytes:
    """The message Image of films (N, T, C, H, W) side by side, as an animated GIF."""
    count = len(film)
    columns = 2 ** ((math.ceil(math.log2(count)) + 1) // 2) if count > 1 else 1
    frames = [_grid(frame.transpose(0, 2, 3, 1), columns) for frame in film.swapaxes(0, 1)]
    frames = [np.repeat(f, 3, -1) if f.shape[-1] == 1 else f for f in frames]
    first, *others = [_encoded(frame) for frame in frames]
    file = io.BytesIO()
    pause = round(1000 / fps)
    first.save(file, "GIF", save_all=True, append_images=others, duration=pause, loop=0)
    return _image_message(first.height, first.width, frames[0].shape[-1], file.getvalue())


def sound_field(samples: np.ndarray, rate: int) -> bytes:
    """The message Audio of samples in [-1, 1], of one channel, as WAV of 16 bits."""
    flat = samples.reshape(-1).astype(np.float64).clip(-1, 1)
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes((flat * 32767).astype("<i2").tobytes())
    return pb.message(
        pb.single(1, rate),
        pb.whole(2, 1),
        pb.whole(3, flat.size),
        pb.raw(4, file.getvalue()),
        pb.text(5, "audio/wav"),
    )


def drawn(figure: Any) -> np.ndarray:
    """A matplotlib figure as an image (H, W, 3) of bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def close(figures: list) -> None:
    """Frees matplotlib's figures."""
    from matplotlib import pyplot

    for figure in figures:
        pyplot.close(figure)
