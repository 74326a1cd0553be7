"""torchvision.io: images read from and written to files."""

from facula.vision.io import image
from facula.vision.io.image import *
