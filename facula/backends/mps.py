"""``torch.backends.mps``: Apple's GPUs are not supported."""


def is_available() -> bool:
    """Whether an Apple GPU can be used: no.

    >>> import facula as torch
    >>> torch.backends.mps.is_available()
    False
    """
    return False


def is_built() -> bool:
    """Whether this build supports Apple's GPUs: no."""
    return False


def is_macos13_or_newer(minor: int = 0) -> bool:
    """Whether the system is new enough for Apple's GPU library: not asked."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """Whether the system is at least this version: not asked."""
    return False
