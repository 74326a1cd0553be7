"""The summaries of TensorBoard: each function makes one `Value`, a field of the message Summary.

The numbers of fields are those of tensorboard/compat/proto and tensorboard/plugins.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from facula.utils.tensorboard import protobuf as pb

_FLOAT, _STRING = 1, 7  # types of elements in TensorProto


def summary(*values: bytes) -> bytes:
    """The field of an event that holds these values."""
    return pb.raw(5, b"".join(pb.raw(1, value) for value in values))


def _plugin(name: str, content: bytes = b"") -> bytes:
    return pb.raw(9, pb.raw(1, pb.message(pb.text(1, name), pb.raw(2, content))))


def _shape(*sizes: int) -> bytes:
    return pb.raw(2, b"".join(pb.raw(2, pb.whole(1, size)) for size in sizes))


def scalar(tag: str, number: float, new_style: bool, double: bool) -> bytes:
    """A number: as a plain field, or as a tensor without axes."""
    if not new_style:
        return pb.message(pb.text(1, tag), pb.single(2, number))
    kind, data = (2, pb.doubles(6, [number])) if double else (_FLOAT, pb.singles(5, [number]))
    tensor = pb.message(pb.whole(1, kind), _shape(), data)
    return pb.message(pb.text(1, tag), pb.raw(8, tensor), _plugin("scalars"))


def default_edges() -> np.ndarray:
    """Edges that grow by a tenth, on both sides of zero."""
    above = 1e-12 * 1.1 ** np.arange(774)  # to 1e20
    return np.concatenate([-above[::-1], [0.0], above])


def histogram(tag: str, values: np.ndarray, bins: Any, most: int | None) -> bytes:
    """How values are distributed; ``bins`` names a rule of NumPy or lists edges."""
    values = values.reshape(-1).astype(np.float64)
    if not values.size:
        raise ValueError("The input has no element.")
    counts, edges = np.histogram(values, default_edges() if isinstance(bins, str) and
                                 bins == "tensorflow" else bins)  # fmt: skip
    if most is not None and len(counts) > most:
        step = -(-len(counts) // most)
        counts = np.add.reduceat(counts, np.arange(0, len(counts), step))
        edges = np.append(edges[:-1:step], edges[-1])
    used = np.nonzero(counts)[0]
    first, last = (used[0], used[-1] + 1) if used.size else (0, len(counts))
    # the empty bucket in front says where the first one begins
    limits = edges[first : last + 1]
    heights = np.concatenate([[0], counts[first:last]])
    range_ = float(values.min()), float(values.max())
    moments = values.size, float(values.sum()), float(values @ values)
    return histogram_raw(tag, *range_, *moments, limits.tolist(), heights.tolist())


def histogram_raw(
    tag: str, least: float, greatest: float, count: float, total: float, squares: float,
    limits: list, heights: list,
) -> bytes:  # fmt: skip
    """A distribution whose buckets were counted elsewhere."""
    if len(limits) != len(heights):
        raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
    numbers = (least, greatest, count, total, squares)
    plain = b"".join(pb.double(i, float(x)) for i, x in enumerate(numbers, 1))
    content = pb.message(plain, pb.doubles(6, limits), pb.doubles(7, heights))
    return pb.message(pb.text(1, tag), pb.raw(5, content))


def image(tag: str, field: bytes) -> bytes:
    """An image or a film."""
    return pb.message(pb.text(1, tag), pb.raw(4, field))


def audio(tag: str, field: bytes) -> bytes:
    """A sound."""
    return pb.message(pb.text(1, tag), pb.raw(6, field))


def text(tag: str, value: str) -> bytes:
    """Text in Markdown."""
    tensor = pb.message(pb.whole(1, _STRING), _shape(1), pb.text(8, value))
    return pb.message(pb.text(1, tag + "/text_summary"), pb.raw(8, tensor), _plugin("text"))


def pr_curve(
    tag: str, labels: np.ndarray, chances: np.ndarray, thresholds: int, weights: np.ndarray | None
) -> bytes:
    """Precision and recall of predicted probabilities, at equally spaced thresholds."""
    thresholds = min(thresholds, 127)
    weights = np.ones(labels.size) if weights is None else weights.reshape(-1)
    right = labels.reshape(-1).astype(bool)
    bucket = np.floor(chances.reshape(-1).astype(np.float64) * (thresholds - 1)).astype(int)

    def at_least(chosen: np.ndarray) -> np.ndarray:
        counts = np.bincount(bucket[chosen], weights[chosen], thresholds)
        return counts[::-1].cumsum()[::-1]

    true, false = at_least(right), at_least(~right)
    no_false, missed = false[0] - false, true[0] - true
    precision = true / np.maximum(true + false, 1e-7)
    recall = true / np.maximum(true + missed, 1e-7)
    rows = np.stack([true, false, no_false, missed, precision, recall])
    return pr_curve_raw(tag, rows)


def pr_curve_raw(tag: str, rows: np.ndarray) -> bytes:
    """The same from counts: true and false positives, negatives, precision and recall."""
    size = rows.shape[1]
    tensor = pb.message(pb.whole(1, _FLOAT), _shape(6, size), pb.singles(5, rows.reshape(-1)))
    content = pb.message(pb.whole(1, 0), pb.whole(2, size))
    return pb.message(pb.text(1, tag), pb.raw(8, tensor), _plugin("pr_curves", content))


def _setting(value: Any) -> bytes:
    """A value of google.protobuf.Value."""
    if isinstance(value, bool):
        return pb.whole(4, value)
    return pb.text(3, value) if isinstance(value, str) else pb.double(2, float(value))


def _kind(value: Any) -> int:
    return 2 if isinstance(value, bool) else 1 if isinstance(value, str) else 3


def hparams(
    settings: dict[str, Any], metrics: dict[str, Any], domains: dict[str, list] | None
) -> list[bytes]:
    """An experiment: which settings and metrics it has; its begin, with the settings; its end."""
    infos = b""
    for name, value in settings.items():
        domain = b"".join(pb.raw(1, _setting(x)) for x in (domains or {}).get(name, []))
        listed = pb.raw(5, domain) if domain else b""
        infos += pb.raw(4, pb.message(pb.text(1, name), pb.whole(4, _kind(value)), listed))
    named = b"".join(pb.raw(5, pb.raw(1, pb.text(2, name))) for name in metrics)
    given = b"".join(
        pb.raw(1, pb.message(pb.text(1, name), pb.raw(2, _setting(value))))
        for name, value in settings.items()
    )
    parts = {
        "experiment": pb.raw(2, pb.message(infos, named)),
        "session_start_info": pb.raw(3, given),
        "session_end_info": pb.raw(4, pb.message(pb.whole(1, 1), pb.double(2, time.time()))),
    }
    return [
        pb.message(pb.text(1, f"_hparams_/{name}"), _plugin("hparams", content))
        for name, content in parts.items()
    ]


def custom_scalars(layout: dict[str, dict[str, list]]) -> bytes:
    """Which numbers stand in which diagram: {category: {title: [kind, tags]}}."""
    categories = b""
    for category, charts in layout.items():
        shown = b""
        for title, (kind, tags) in charts.items():
            if kind == "Margin":
                if len(tags) != 3:
                    raise AssertionError("a margin chart needs a value, a lower and an upper bound")
                series = b"".join(pb.text(i, tag) for i, tag in enumerate(tags, 1))
                content = pb.raw(3, pb.raw(1, series))
            else:
                content = pb.raw(2, b"".join(pb.text(1, tag) for tag in tags))
            shown += pb.raw(2, pb.message(pb.text(1, title), content))
        categories += pb.raw(2, pb.message(pb.text(1, category), shown))
    tensor = pb.message(pb.whole(1, _STRING), _shape(), pb.raw(8, categories))
    tag = pb.text(1, "custom_scalars__config__")
    return pb.message(tag, pb.raw(8, tensor), _plugin("custom_scalars"))
