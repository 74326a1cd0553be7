"""``torch.version``: facula's own version, and the PyTorch version whose behaviour it follows."""

from __future__ import annotations

import operator
import re

_FORM = re.compile(
    r"\s*v?(?P<release>\d+(\.\d+)*)"
    r"([-_.]?(?P<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<pre_number>\d*))?"
    r"(?P<post>[-_.]?(?:post|rev|r)[-_.]?(?P<post_number>\d*)|-(?P<bare_post>\d+))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?"
    r"(\+(?P<local>[a-z0-9]+([-_.][a-z0-9]+)*))?\s*",
    re.IGNORECASE,
)


def _order(version: str) -> tuple | None:
    """What versions are ordered by (PEP 440); None for text that is not a version."""
    found = _FORM.fullmatch(version)
    if found is None:
        return None
    release = [int(n) for n in found["release"].split(".")]
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    if found["pre"]:
        stage = {"a": 0, "b": 1}.get(found["pre"][0].lower(), 2)
    else:  # development versions come before all stages, finished ones after
        stage = -1 if found["dev"] and not found["post"] else 3
    post = int(found["post_number"] or found["bare_post"] or 0) if found["post"] else -1
    dev = (0, int(found["dev_number"] or 0)) if found["dev"] else (1, 0)
    local = re.split("[-_.]", found["local"].lower()) if found["local"] else []
    parts = [(1, int(x), "") if x.isdigit() else (0, 0, x) for x in local]
    return release, stage, int(found["pre_number"] or 0), post, dev, parts


class TorchVersion(str):
    """A version as text that compares as a version, also with tuples of numbers.

    Beside text that is no version it compares as text, as ``!=`` always does in PyTorch.

    >>> TorchVersion("1.10.0") > (1, 8), TorchVersion("1.10.0") >= "1.9"
    (True, True)
    """

    def _compare(self, other, decide, as_text):
        text = other
        if isinstance(other, (tuple, list)):
            text = ".".join([str(part) for part in other])
        if not isinstance(text, str):
            return NotImplemented
        own, given = _order(str(self)), _order(str(text))
        if own is None or given is None:
            return as_text(self, other)
        return decide(own, given)

    def __eq__(self, other):
        return self._compare(other, operator.eq, str.__eq__)

    def __lt__(self, other):
        return self._compare(other, operator.lt, str.__lt__)

    def __le__(self, other):
        return self._compare(other, operator.le, str.__le__)

    def __gt__(self, other):
        return self._compare(other, operator.gt, str.__gt__)

    def __ge__(self, other):
        return self._compare(other, operator.ge, str.__ge__)

    __hash__ = str.__hash__


__version__ = TorchVersion("2.13.0+facula0.1.0")
facula = "0.1.0"
cuda = None
hip = None
debug = False
git_version = "unknown"
