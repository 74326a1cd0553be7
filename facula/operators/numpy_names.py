"""NumPy's argument names, which PyTorch accepts beside its own: ``axis`` for ``dim`` and so on."""

from __future__ import annotations

import functools

_NAMES = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x1": "input", "x2": "other"}

TAKING = frozenset(
    """
    sum mean prod amax amin max min argmax argmin all any nansum nanmean var std var_mean
    std_mean logsumexp cumsum cumprod cat concat concatenate stack squeeze unsqueeze flip
    softmax log_softmax split chunk unbind sort argsort topk median norm count_nonzero
    index_select gather roll diff cummax cummin
    """.split()
)


@functools.cache
def accepting(function):
    """``function`` that also takes NumPy's names for its arguments."""

    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        if kwargs:
            kwargs = {_NAMES.get(k, k): v for k, v in kwargs.items()}
        return function(*args, **kwargs)

    return wrapped
