"""``torch.onnx`` without an exporter: what modules ask while they may be exported."""

from __future__ import annotations


def is_in_onnx_export() -> bool:
    """Whether a model is being exported right now: never, as facula writes no ONNX files.

    >>> import facula as torch
    >>> torch.onnx.is_in_onnx_export()
    False
    """
    return False
