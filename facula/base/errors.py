"""Exception types that PyTorch defines and Python does not have."""

from __future__ import annotations


class LinAlgError(RuntimeError):
    """A linear algebra routine met a matrix it cannot handle (singular, not positive-definite).

    Known to users as ``torch.linalg.LinAlgError``.
    """


# What scripts print with ``type(error).__name__``.
LinAlgError.__name__ = "_LinAlgError"
