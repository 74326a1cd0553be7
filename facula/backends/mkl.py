"""``torch.backends.mkl``: Intel's MKL is not used (NumPy's own BLAS may be it)."""


def is_available() -> bool:
    """Whether this build calls MKL: no."""
    return False
