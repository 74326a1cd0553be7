"""The same scenario on facula and on PyTorch, compared value by value."""

import re
import warnings

import numpy as np
import pytest


def _plain(value):
    """Reduce what a scenario returns to NumPy arrays, text and builtin containers."""
    if hasattr(value, "detach") and hasattr(value, "dtype"):
        array = value.detach().cpu()
        if str(array.dtype) == "torch.bfloat16":
            array = array.float()
        return str(value.dtype), np.array(array.numpy())
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (bool, int, float, str, bytes, type(None))):
        return _text(value) if isinstance(value, str) else value
    return _text(repr(value))


def _text(text):
    return re.sub(r"0x[0-9a-f]+", "0x", text.replace("facula.", "torch."))


def _compare(ours, theirs, rtol, atol, path="result"):
    if isinstance(theirs, dict):
        assert isinstance(ours, dict) and list(ours) == list(theirs), path
        for key, item in theirs.items():
            _compare(ours[key], item, rtol, atol, f"{path}[{key!r}]")
    elif isinstance(theirs, list) or (
        isinstance(theirs, tuple) and not isinstance(theirs[1], np.ndarray)
    ):
        assert isinstance(ours, type(theirs)) and len(ours) == len(theirs), path
        for place, item in enumerate(theirs):
            _compare(ours[place], item, rtol, atol, f"{path}[{place}]")
    elif isinstance(theirs, tuple):
        assert ours[0] == theirs[0], (path, ours[0], theirs[0])
        assert ours[1].shape == theirs[1].shape, (path, ours[1].shape, theirs[1].shape)
        if rtol == atol == 0:
            np.testing.assert_array_equal(ours[1], theirs[1], err_msg=path)
        else:
            np.testing.assert_allclose(
                ours[1].astype(np.float64) if ours[1].dtype.kind == "f" else ours[1],
                theirs[1],
                rtol=rtol,
                atol=atol,
                err_msg=path,
            )
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=max(rtol, 1e-12), abs=atol, nan_ok=True), path
    else:
        assert ours == theirs, (path, ours, theirs)


def _outcome(scenario, package):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "value", _plain(scenario(package))
    except Exception as error:
        return "error", (type(error).__name__, _text(str(error)), error)


@pytest.fixture
def twin():
    """``twin(scenario)`` runs ``scenario(facula)`` and ``scenario(torch)`` and compares them.

    With ``message=False`` errors are compared by type alone.
    """
    theirs_package = pytest.importorskip("torch")
    ours_package = pytest.importorskip("facula")

    def run(scenario, rtol=0.0, atol=0.0, message=True):
        theirs_kind, theirs = _outcome(scenario, theirs_package)
        ours_kind, ours = _outcome(scenario, ours_package)
        if theirs_kind == "error":
            assert ours_kind == "error", f"PyTorch raised {theirs[0]}: {theirs[1]}; facula {ours}"
            assert ours[0] == theirs[0], (ours, theirs)
            if message:
                assert ours[1] == theirs[1]
        elif ours_kind == "error":
            raise ours[2]
        else:
            _compare(ours, theirs, rtol, atol)

    return run
