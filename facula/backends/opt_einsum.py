"""``torch.backends.opt_einsum``: the package opt_einsum is not used."""

from __future__ import annotations

from typing import Any

enabled = False
strategy = None


def is_available() -> bool:
    """Whether opt_einsum chooses the order of einsum's products: no."""
    return False


def get_opt_einsum() -> Any:
    """The package: None."""
    return None
