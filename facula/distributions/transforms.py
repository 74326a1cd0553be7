"""``torch.distributions.transforms``: all transforms under one name."""

from facula.distributions._number_transforms import AbsTransform as AbsTransform
from facula.distributions._number_transforms import AffineTransform as AffineTransform
from facula.distributions._number_transforms import ExpTransform as ExpTransform
from facula.distributions._number_transforms import PowerTransform as PowerTransform
from facula.distributions._number_transforms import SigmoidTransform as SigmoidTransform
from facula.distributions._number_transforms import SoftmaxTransform as SoftmaxTransform
from facula.distributions._number_transforms import SoftplusTransform as SoftplusTransform
from facula.distributions._number_transforms import TanhTransform as TanhTransform
from facula.distributions._transform_base import ComposeTransform as ComposeTransform
from facula.distributions._transform_base import IndependentTransform as IndependentTransform
from facula.distributions._transform_base import ReshapeTransform as ReshapeTransform
from facula.distributions._transform_base import Transform as Transform
from facula.distributions._transform_base import identity_transform as identity_transform
from facula.distributions._vector_transforms import CatTransform as CatTransform
from facula.distributions._vector_transforms import CorrCholeskyTransform as CorrCholeskyTransform
from facula.distributions._vector_transforms import (
    CumulativeDistributionTransform as CumulativeDistributionTransform,
)
from facula.distributions._vector_transforms import LowerCholeskyTransform as LowerCholeskyTransform
from facula.distributions._vector_transforms import (
    PositiveDefiniteTransform as PositiveDefiniteTransform,
)
from facula.distributions._vector_transforms import StackTransform as StackTransform
from facula.distributions._vector_transforms import StickBreakingTransform as StickBreakingTransform

__all__ = [
    "AbsTransform",
    "AffineTransform",
    "CatTransform",
    "ComposeTransform",
    "CorrCholeskyTransform",
    "CumulativeDistributionTransform",
    "ExpTransform",
    "IndependentTransform",
    "LowerCholeskyTransform",
    "PositiveDefiniteTransform",
    "PowerTransform",
    "ReshapeTransform",
    "SigmoidTransform",
    "SoftmaxTransform",
    "SoftplusTransform",
    "StackTransform",
    "StickBreakingTransform",
    "TanhTransform",
    "Transform",
    "identity_transform",
]
