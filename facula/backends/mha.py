"""``torch.backends.mha``: whether MultiheadAttention may take a short cut in eval mode."""

_fastpath = {"enabled": True}


def get_fastpath_enabled() -> bool:
    """Whether the short cut is allowed; facula has none, so results are the same."""
    return _fastpath["enabled"]


def set_fastpath_enabled(value: bool) -> None:
    """Allow or forbid the short cut."""
    _fastpath["enabled"] = bool(value)
