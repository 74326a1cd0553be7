"""Rare special functions: they run in NumPy on every engine, as linear algebra does."""

from __future__ import annotations

import numpy as np

from facula.base.dtypes import FLOAT
from facula.graph.primitive import Primitive, register
from facula.graph.primitives import kinds, special, special_rare

REALS = frozenset((FLOAT,))


def _call(name, reference):
    """Operands of one real dtype, broadcast together."""
    return register(
        Primitive(
            name,
            "host",
            infer=kinds.elementwise(name),
            reference=lambda params, *arrays: reference(*[np.asarray(a) for a in arrays]),
            categories=REALS,
        )
    )


erfcx = _call("erfcx", special.erfcx)
log_ndtr = _call("log_ndtr", special.log_ndtr)
ndtri = _call("ndtri", special.ndtri)
i0 = _call("i0", special_rare.i0)
i0e = _call("i0e", special_rare.i0e)
i1 = _call("i1", special_rare.i1)
i1e = _call("i1e", special_rare.i1e)
bessel_j0 = _call("bessel_j0", special_rare.bessel_j0)
bessel_j1 = _call("bessel_j1", special_rare.bessel_j1)
bessel_y0 = _call("bessel_y0", special_rare.bessel_y0)
bessel_y1 = _call("bessel_y1", special_rare.bessel_y1)
zeta = _call("zeta", special_rare.zeta)
igamma = _call("igamma", special_rare.igamma)
igammac = _call("igammac", special_rare.igammac)
polygamma = register(
    Primitive(
        "polygamma",
        "host",
        infer=lambda specs, params: specs[0],
        reference=lambda params, x: special_rare.polygamma(params["n"], np.asarray(x)),
        categories=REALS,
        doc="The n-th derivative of digamma, n >= 1.",
    )
)
