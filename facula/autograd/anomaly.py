"""Anomaly detection: find the forward line whose gradient failed."""

from __future__ import annotations

from facula.autograd.modes import anomaly_seen, modes


def _switch(mode: bool, check_nan: bool) -> None:
    if mode and not anomaly_seen:
        anomaly_seen.append(True)
    modes.anomaly, modes.anomaly_nan = mode, check_nan


class set_detect_anomaly:
    """Switch anomaly detection on or off; as a context, for its block."""

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = (modes.anomaly, modes.anomaly_nan)
        _switch(bool(mode), check_nan)

    def __enter__(self):
        return None

    def __exit__(self, *exc):
        modes.anomaly, modes.anomaly_nan = self._before


class detect_anomaly:
    """Within it, a backward pass that fails or makes NaN names the forward line at fault."""

    def __init__(self, check_nan: bool = True):
        self._check_nan = check_nan

    def __enter__(self):
        self._before = (modes.anomaly, modes.anomaly_nan)
        _switch(True, self._check_nan)

    def __exit__(self, *exc):
        modes.anomaly, modes.anomaly_nan = self._before


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch anomaly detection on or off."""
    _switch(bool(mode), bool(check_nan))


def is_anomaly_enabled() -> bool:
    """Whether anomaly detection is on."""
    return modes.anomaly
