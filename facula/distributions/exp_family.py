"""ExponentialFamily: distributions whose log-density is linear in natural parameters."""

from __future__ import annotations

from facula.distributions.distribution import Distribution


class ExponentialFamily(Distribution):
    """A distribution of the exponential family; each states its entropy itself."""
