"""torch.special: special functions under the names of ``torch.special``."""

from facula.operators.combining import xlogy as xlogy
from facula.operators.namespaces import with_spellings
from facula.operators.pointwise import round as round
from facula.operators.polynomials import special_chebyshev_polynomial_t as chebyshev_polynomial_t
from facula.operators.polynomials import special_chebyshev_polynomial_u as chebyshev_polynomial_u
from facula.operators.polynomials import special_chebyshev_polynomial_v as chebyshev_polynomial_v
from facula.operators.polynomials import special_chebyshev_polynomial_w as chebyshev_polynomial_w
from facula.operators.polynomials import special_hermite_polynomial_h as hermite_polynomial_h
from facula.operators.polynomials import special_hermite_polynomial_he as hermite_polynomial_he
from facula.operators.polynomials import special_laguerre_polynomial_l as laguerre_polynomial_l
from facula.operators.polynomials import special_legendre_polynomial_p as legendre_polynomial_p
from facula.operators.polynomials import (
    special_shifted_chebyshev_polynomial_t as shifted_chebyshev_polynomial_t,
)
from facula.operators.polynomials import (
    special_shifted_chebyshev_polynomial_u as shifted_chebyshev_polynomial_u,
)
from facula.operators.polynomials import (
    special_shifted_chebyshev_polynomial_v as shifted_chebyshev_polynomial_v,
)
from facula.operators.polynomials import (
    special_shifted_chebyshev_polynomial_w as shifted_chebyshev_polynomial_w,
)
from facula.operators.softmaxes import log_softmax as log_softmax
from facula.operators.softmaxes import softmax as softmax
from facula.operators.special_functions import igamma as gammainc
from facula.operators.special_functions import igammac as gammaincc
from facula.operators.special_functions import mvlgamma as multigammaln
from facula.operators.special_functions import polygamma as polygamma
from facula.operators.special_functions import special_bessel_j0 as bessel_j0
from facula.operators.special_functions import special_bessel_j1 as bessel_j1
from facula.operators.special_functions import special_bessel_y0 as bessel_y0
from facula.operators.special_functions import special_bessel_y1 as bessel_y1
from facula.operators.special_functions import special_entr as entr
from facula.operators.special_functions import special_erfcx as erfcx
from facula.operators.special_functions import special_i0 as i0
from facula.operators.special_functions import special_i0e as i0e
from facula.operators.special_functions import special_i1 as i1
from facula.operators.special_functions import special_i1e as i1e
from facula.operators.special_functions import special_log_ndtr as log_ndtr
from facula.operators.special_functions import special_modified_bessel_i0 as modified_bessel_i0
from facula.operators.special_functions import special_modified_bessel_i1 as modified_bessel_i1
from facula.operators.special_functions import special_ndtr as ndtr
from facula.operators.special_functions import special_ndtri as ndtri
from facula.operators.special_functions import special_xlog1py as xlog1py
from facula.operators.special_functions import special_zeta as zeta
from facula.operators.statistics import logsumexp as logsumexp
from facula.operators.transcendental import digamma as digamma
from facula.operators.transcendental import digamma as psi
from facula.operators.transcendental import erf as erf
from facula.operators.transcendental import erfc as erfc
from facula.operators.transcendental import erfinv as erfinv
from facula.operators.transcendental import exp2 as exp2
from facula.operators.transcendental import expit as expit
from facula.operators.transcendental import expm1 as expm1
from facula.operators.transcendental import lgamma as gammaln
from facula.operators.transcendental import log1p as log1p
from facula.operators.transcendental import logit as logit
from facula.operators.transcendental import sinc as sinc

__all__ = [
    "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma",
    "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc",
    "gammaln", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e",
    "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "modified_bessel_i0", "modified_bessel_i1", "multigammaln", "ndtr", "ndtri",
    "polygamma", "psi", "round", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "sinc", "softmax", "xlog1py", "xlogy", "zeta",
]  # fmt: skip

with_spellings(globals(), plain=("softmax", "log_softmax"))
