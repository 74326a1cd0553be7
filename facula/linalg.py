"""torch.linalg: linear algebra under the names and conventions of ``torch.linalg``."""

from facula.base.errors import LinAlgError as LinAlgError
from facula.operators.linear_algebra_factor import linalg_cholesky as cholesky
from facula.operators.linear_algebra_factor import linalg_cholesky_ex as cholesky_ex
from facula.operators.linear_algebra_factor import linalg_eig as eig
from facula.operators.linear_algebra_factor import linalg_eigh as eigh
from facula.operators.linear_algebra_factor import linalg_eigvals as eigvals
from facula.operators.linear_algebra_factor import linalg_eigvalsh as eigvalsh
from facula.operators.linear_algebra_factor import linalg_qr as qr
from facula.operators.linear_algebra_factor import linalg_svd as svd
from facula.operators.linear_algebra_factor import linalg_svdvals as svdvals
from facula.operators.linear_algebra_lu import linalg_householder_product as householder_product
from facula.operators.linear_algebra_lu import linalg_lu as lu
from facula.operators.linear_algebra_lu import linalg_lu_factor as lu_factor
from facula.operators.linear_algebra_lu import linalg_lu_factor_ex as lu_factor_ex
from facula.operators.linear_algebra_lu import linalg_lu_solve as lu_solve
from facula.operators.linear_algebra_norms import linalg_cond as cond
from facula.operators.linear_algebra_norms import linalg_matrix_norm as matrix_norm
from facula.operators.linear_algebra_norms import linalg_matrix_rank as matrix_rank
from facula.operators.linear_algebra_norms import linalg_norm as norm
from facula.operators.linear_algebra_norms import linalg_vector_norm as vector_norm
from facula.operators.linear_algebra_products import linalg_cross as cross
from facula.operators.linear_algebra_products import linalg_diagonal as diagonal
from facula.operators.linear_algebra_products import linalg_matmul as matmul
from facula.operators.linear_algebra_products import linalg_matrix_exp as matrix_exp
from facula.operators.linear_algebra_products import linalg_matrix_power as matrix_power
from facula.operators.linear_algebra_products import linalg_multi_dot as multi_dot
from facula.operators.linear_algebra_products import linalg_tensorinv as tensorinv
from facula.operators.linear_algebra_products import linalg_tensorsolve as tensorsolve
from facula.operators.linear_algebra_products import linalg_vander as vander
from facula.operators.linear_algebra_products import linalg_vecdot as vecdot
from facula.operators.linear_algebra_solve import linalg_det as det
from facula.operators.linear_algebra_solve import linalg_inv as inv
from facula.operators.linear_algebra_solve import linalg_inv_ex as inv_ex
from facula.operators.linear_algebra_solve import linalg_lstsq as lstsq
from facula.operators.linear_algebra_solve import linalg_pinv as pinv
from facula.operators.linear_algebra_solve import linalg_slogdet as slogdet
from facula.operators.linear_algebra_solve import linalg_solve as solve
from facula.operators.linear_algebra_solve import linalg_solve_ex as solve_ex
from facula.operators.linear_algebra_solve import linalg_solve_triangular as solve_triangular
from facula.operators.namespaces import with_spellings

__all__ = [
    "LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh",
    "eigvals", "eigvalsh", "householder_product", "inv", "inv_ex", "lstsq", "lu", "lu_factor",
    "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power",
    "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex",
    "solve_triangular", "svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot",
    "vector_norm",
]  # fmt: skip

with_spellings(globals(), plain=("diagonal", "vander"))
