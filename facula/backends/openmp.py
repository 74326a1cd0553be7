"""``torch.backends.openmp``: OpenMP is not used."""


def is_available() -> bool:
    """Whether this build uses OpenMP: no."""
    return False
