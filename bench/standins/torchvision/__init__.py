"""Stands in for torchvision under PyTorch where it is not installed: what the benchmarks use of it.

Each picture goes the way torchvision sends it - array, PIL image, tensor, normalisation - so that
loading costs PyTorch what it costs with the original. Reports say when this was used.
"""

from torchvision import datasets as datasets
from torchvision import transforms as transforms
from torchvision import utils as utils

__version__ = "stand-in"
