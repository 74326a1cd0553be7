"""``torch.distributions``: probability distributions to draw from and to differentiate through.

The same seed gives PyTorch's draws wherever they are made of normal, uniform, exponential, Cauchy,
Bernoulli, multinomial or Poisson numbers; gamma, beta, Dirichlet, chi-squared, Student's t and
binomial draws have the same distribution, but are other numbers.
"""

from facula.distributions import constraint_registry as constraint_registry
from facula.distributions import constraints as constraints
from facula.distributions import kl as kl
from facula.distributions import transforms as transforms
from facula.distributions import utils as utils
from facula.distributions.bernoulli import Bernoulli as Bernoulli
from facula.distributions.beta import Beta as Beta
from facula.distributions.binomial import Binomial as Binomial
from facula.distributions.categorical import Categorical as Categorical
from facula.distributions.cauchy import Cauchy as Cauchy
from facula.distributions.chi2 import Chi2 as Chi2
from facula.distributions.constraint_registry import biject_to as biject_to
from facula.distributions.constraint_registry import transform_to as transform_to
from facula.distributions.dirichlet import Dirichlet as Dirichlet
from facula.distributions.distribution import Distribution as Distribution
from facula.distributions.exp_family import ExponentialFamily as ExponentialFamily
from facula.distributions.exponential import Exponential as Exponential
from facula.distributions.fishersnedecor import FisherSnedecor as FisherSnedecor
from facula.distributions.gamma import Gamma as Gamma
from facula.distributions.geometric import Geometric as Geometric
from facula.distributions.gumbel import Gumbel as Gumbel
from facula.distributions.half_cauchy import HalfCauchy as HalfCauchy
from facula.distributions.half_normal import HalfNormal as HalfNormal
from facula.distributions.independent import Independent as Independent
from facula.distributions.inverse_gamma import InverseGamma as InverseGamma
from facula.distributions.kl import kl_divergence as kl_divergence
from facula.distributions.kl import register_kl as register_kl
from facula.distributions.kumaraswamy import Kumaraswamy as Kumaraswamy
from facula.distributions.laplace import Laplace as Laplace
from facula.distributions.log_normal import LogNormal as LogNormal
from facula.distributions.logistic_normal import LogisticNormal as LogisticNormal
from facula.distributions.mixture_same_family import MixtureSameFamily as MixtureSameFamily
from facula.distributions.multinomial import Multinomial as Multinomial
from facula.distributions.multivariate_normal import MultivariateNormal as MultivariateNormal
from facula.distributions.negative_binomial import NegativeBinomial as NegativeBinomial
from facula.distributions.normal import Normal as Normal
from facula.distributions.one_hot_categorical import OneHotCategorical as OneHotCategorical
from facula.distributions.one_hot_categorical import (
    OneHotCategoricalStraightThrough as OneHotCategoricalStraightThrough,
)
from facula.distributions.pareto import Pareto as Pareto
from facula.distributions.poisson import Poisson as Poisson
from facula.distributions.relaxed_bernoulli import RelaxedBernoulli as RelaxedBernoulli
from facula.distributions.relaxed_categorical import (
    RelaxedOneHotCategorical as RelaxedOneHotCategorical,
)
from facula.distributions.studentT import StudentT as StudentT
from facula.distributions.transformed_distribution import (
    TransformedDistribution as TransformedDistribution,
)
from facula.distributions.transforms import AbsTransform as AbsTransform
from facula.distributions.transforms import AffineTransform as AffineTransform
from facula.distributions.transforms import CatTransform as CatTransform
from facula.distributions.transforms import ComposeTransform as ComposeTransform
from facula.distributions.transforms import CorrCholeskyTransform as CorrCholeskyTransform
from facula.distributions.transforms import (
    CumulativeDistributionTransform as CumulativeDistributionTransform,
)
from facula.distributions.transforms import ExpTransform as ExpTransform
from facula.distributions.transforms import IndependentTransform as IndependentTransform
from facula.distributions.transforms import LowerCholeskyTransform as LowerCholeskyTransform
from facula.distributions.transforms import PositiveDefiniteTransform as PositiveDefiniteTransform
from facula.distributions.transforms import PowerTransform as PowerTransform
from facula.distributions.transforms import ReshapeTransform as ReshapeTransform
from facula.distributions.transforms import SigmoidTransform as SigmoidTransform
from facula.distributions.transforms import SoftmaxTransform as SoftmaxTransform
from facula.distributions.transforms import SoftplusTransform as SoftplusTransform
from facula.distributions.transforms import StackTransform as StackTransform
from facula.distributions.transforms import StickBreakingTransform as StickBreakingTransform
from facula.distributions.transforms import TanhTransform as TanhTransform
from facula.distributions.transforms import Transform as Transform
from facula.distributions.transforms import identity_transform as identity_transform
from facula.distributions.uniform import Uniform as Uniform
from facula.distributions.weibull import Weibull as Weibull
