"""Random changes to a whole batch of training images at once."""

from facula import tensors
from facula.nn import functional as F
from facula.tensors import Tensor


class RandomShift:
    """Moves each image by up to `pixels` in both directions; `fill` comes in at the border.

    Shapes: (N, C, H, W) -> the same. The shifts are gathered by index, so every batch is the same
    program whatever was drawn.
    """

    def __init__(self, pixels: int, fill: float = 0.0) -> None:
        self.pixels = pixels
        self.fill = fill

    def __call__(self, images: Tensor) -> Tensor:
        count, channels, height, width = images.shape
        k = self.pixels
        padded = F.pad(images, (k, k, k, k), value=self.fill)
        offset = tensors.randint(0, 2 * k + 1, (2, count, 1))
        rows = (offset[0] + tensors.arange(height)).reshape(count, 1, height, 1)
        columns = (offset[1] + tensors.arange(width)).reshape(count, 1, 1, width)
        image = tensors.arange(count).reshape(count, 1, 1, 1)
        channel = tensors.arange(channels).reshape(1, channels, 1, 1)
        return padded[image, channel, rows, columns]
