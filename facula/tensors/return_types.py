"""The named tuples that operators with several results return, printed as PyTorch prints them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any


class ReturnType(tuple):
    """A tuple whose places have names; base of all classes here.

    It behaves as a plain tuple (unpacking, slicing, comparing); slices and sums are plain tuples.
    """

    __slots__ = ()
    __match_args__: tuple[str, ...] = ()
    n_fields = 0
    n_sequence_fields = 0
    n_unnamed_fields = 0

    def __new__(cls, sequence: Iterable[Any], dict: Any = None) -> ReturnType:
        """Build from one value per field, in order; pickles of PyTorch pass an empty `dict`."""
        try:
            fields = tuple.__new__(cls, sequence)
        except TypeError:
            raise TypeError("constructor requires a sequence") from None
        if len(fields) != cls.n_fields:
            raise TypeError(
                f"torch.return_types.{cls.__name__}() takes a {cls.n_fields}-sequence "
                f"({len(fields)}-sequence given)"
            )
        return fields

    def __repr__(self) -> str:
        lines = [f"{name}={value!r}" for name, value in zip(self.__match_args__, self)]
        return f"torch.return_types.{type(self).__name__}(\n" + ",\n".join(lines) + ")"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (tuple(self),)


all_return_types: list[type[ReturnType]] = []


def _named(name: str, *fields: str) -> type[ReturnType]:
    """Make the class for one operator's results."""
    body: dict[str, Any] = {
        "__slots__": (),
        "__module__": __name__,
        "__doc__": f"The results of `{name}`: {', '.join(fields)}.",
        "__match_args__": fields,
        "n_fields": len(fields),
        "n_sequence_fields": len(fields),
    }
    for place, field in enumerate(fields):
        body[field] = property(itemgetter(place), doc=f"Result number {place}.")
    made = type(name, (ReturnType,), body)
    all_return_types.append(made)
    return made


aminmax = _named("aminmax", "min", "max")
cummax = _named("cummax", "values", "indices")
cummin = _named("cummin", "values", "indices")
frexp = _named("frexp", "mantissa", "exponent")
geqrf = _named("geqrf", "a", "tau")
histogram = _named("histogram", "hist", "bin_edges")
histogramdd = _named("histogramdd", "hist", "bin_edges")
kthvalue = _named("kthvalue", "values", "indices")
linalg_cholesky_ex = _named("linalg_cholesky_ex", "L", "info")
linalg_eig = _named("linalg_eig", "eigenvalues", "eigenvectors")
linalg_eigh = _named("linalg_eigh", "eigenvalues", "eigenvectors")
linalg_inv_ex = _named("linalg_inv_ex", "inverse", "info")
linalg_ldl_factor = _named("linalg_ldl_factor", "LD", "pivots")
linalg_ldl_factor_ex = _named("linalg_ldl_factor_ex", "LD", "pivots", "info")
linalg_lstsq = _named("linalg_lstsq", "solution", "residuals", "rank", "singular_values")
linalg_lu = _named("linalg_lu", "P", "L", "U")
linalg_lu_factor = _named("linalg_lu_factor", "LU", "pivots")
linalg_lu_factor_ex = _named("linalg_lu_factor_ex", "LU", "pivots", "info")
linalg_qr = _named("linalg_qr", "Q", "R")
linalg_slogdet = _named("linalg_slogdet", "sign", "logabsdet")
linalg_solve_ex = _named("linalg_solve_ex", "result", "info")
linalg_svd = _named("linalg_svd", "U", "S", "Vh")
lu_unpack = _named("lu_unpack", "P", "L", "U")
max = _named("max", "values", "indices")
median = _named("median", "values", "indices")
min = _named("min", "values", "indices")
mode = _named("mode", "values", "indices")
nanmedian = _named("nanmedian", "values", "indices")
qr = _named("qr", "Q", "R")
slogdet = _named("slogdet", "sign", "logabsdet")
sort = _named("sort", "values", "indices")
svd = _named("svd", "U", "S", "V")
topk = _named("topk", "values", "indices")
triangular_solve = _named("triangular_solve", "solution", "cloned_coefficient")

# Calls with `out=` return their own class in PyTorch, and print its name.
aminmax_out = _named("aminmax_out", "min", "max")
cummax_out = _named("cummax_out", "values", "indices")
cummin_out = _named("cummin_out", "values", "indices")
frexp_out = _named("frexp_out", "mantissa", "exponent")
geqrf_out = _named("geqrf_out", "a", "tau")
histogram_out = _named("histogram_out", "hist", "bin_edges")
kthvalue_out = _named("kthvalue_out", "values", "indices")
linalg_cholesky_ex_out = _named("linalg_cholesky_ex_out", "L", "info")
linalg_eig_out = _named("linalg_eig_out", "eigenvalues", "eigenvectors")
linalg_eigh_out = _named("linalg_eigh_out", "eigenvalues", "eigenvectors")
linalg_inv_ex_out = _named("linalg_inv_ex_out", "inverse", "info")
linalg_ldl_factor_ex_out = _named("linalg_ldl_factor_ex_out", "LD", "pivots", "info")
linalg_ldl_factor_out = _named("linalg_ldl_factor_out", "LD", "pivots")
linalg_lstsq_out = _named("linalg_lstsq_out", "solution", "residuals", "rank", "singular_values")
linalg_lu_factor_ex_out = _named("linalg_lu_factor_ex_out", "LU", "pivots", "info")
linalg_lu_factor_out = _named("linalg_lu_factor_out", "LU", "pivots")
linalg_lu_out = _named("linalg_lu_out", "P", "L", "U")
linalg_qr_out = _named("linalg_qr_out", "Q", "R")
linalg_slogdet_out = _named("linalg_slogdet_out", "sign", "logabsdet")
linalg_solve_ex_out = _named("linalg_solve_ex_out", "result", "info")
linalg_svd_out = _named("linalg_svd_out", "U", "S", "Vh")
lu_unpack_out = _named("lu_unpack_out", "P", "L", "U")
max_out = _named("max_out", "values", "indices")
median_out = _named("median_out", "values", "indices")
min_out = _named("min_out", "values", "indices")
mode_out = _named("mode_out", "values", "indices")
nanmedian_out = _named("nanmedian_out", "values", "indices")
qr_out = _named("qr_out", "Q", "R")
slogdet_out = _named("slogdet_out", "sign", "logabsdet")
sort_out = _named("sort_out", "values", "indices")
svd_out = _named("svd_out", "U", "S", "V")
topk_out = _named("topk_out", "values", "indices")
triangular_solve_out = _named("triangular_solve_out", "solution", "cloned_coefficient")
