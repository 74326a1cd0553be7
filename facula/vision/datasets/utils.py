"""Downloads that can be resumed and are verified before use, archives, and argument checks."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import shutil
import sys
import tarfile
import threading
import time
import urllib.error
import zipfile
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlparse

__all__ = [
    "calculate_md5",
    "check_all",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_url",
    "download_verified",
    "extract_archive",
    "iterable_to_str",
    "list_dir",
    "list_files",
    "verify_str_arg",
]

_AGENT = "facula"
_CHUNK = 1 << 18
_TIMEOUT_S = 30
_YOUNG_S = 2.0  # clocks of file systems may stand still for as long
_good: dict[str, tuple[str, tuple[int, ...]]] = {}  # sums that files were found to have


def calculate_md5(fpath: Any, chunk_size: int = 1 << 18) -> str:
    """Returns the md5 sum of a file in hexadecimal."""
    digest = hashlib.md5(usedforsecurity=False)
    chunk = memoryview(bytearray(chunk_size))
    with open(fpath, "rb", buffering=0) as file:
        while size := file.readinto(chunk):
            digest.update(chunk[:size])
    return digest.hexdigest()


def check_md5(fpath: Any, md5: str, **kwargs: Any) -> bool:
    """Tells whether a file has this md5 sum."""
    return md5 == calculate_md5(fpath, **kwargs)


def check_integrity(fpath: Any, md5: str | None = None) -> bool:
    """Tells whether a file exists and, where `md5` is given, has that sum.

    A file that had it before in this process is not read again while the system says that it is
    the same, unchanged file.
    """
    if not os.path.isfile(fpath):
        return False
    if md5 is None:
        return True
    seen = _identity(fpath)
    if seen is not None and _good.get(os.path.abspath(fpath)) == (md5, seen):
        return True
    if not check_md5(fpath, md5):
        return False
    if seen is not None and _identity(fpath) == seen:
        _good[os.path.abspath(fpath)] = (md5, seen)
    return True


def check_all(files: Iterable[tuple[Any, str | None]]) -> bool:
    """Tells whether every (path, md5) passes `check_integrity`; sums are made on several cores."""
    waiting = list(files)
    if not all(os.path.isfile(path) for path, _ in waiting):
        return False
    count = len(waiting)
    waiting.reverse()
    verdicts: list[bool | Exception] = []

    def work() -> None:
        while waiting and all(verdict is True for verdict in verdicts):
            try:
                verdicts.append(check_integrity(*waiting.pop()))
            except IndexError:  # another thread was faster
                break
            except Exception as error:  # raised again by the caller's thread
                verdicts.append(error)

    helpers = [threading.Thread(target=work) for _ in range(min(os.cpu_count() or 1, 4) - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    for verdict in verdicts:
        if isinstance(verdict, Exception):
            raise verdict
    return verdicts == [True] * count


def _identity(fpath: Any) -> tuple[int, ...] | None:
    """What changes when a file does; None if it is so young that a change might not show."""
    status = os.stat(fpath)
    if time.time() - max(status.st_mtime, status.st_ctime) < _YOUNG_S:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _receive(url: str, partial: str, hops: int, label: str, progress: bool) -> None:
    """Fetches a URL into `partial`, going on where an earlier attempt stopped."""
    # Imported here: they take longer than the rest of this package, and few runs download.
    import urllib.request

    from tqdm import tqdm

    have = os.path.getsize(partial) if os.path.exists(partial) else 0
    headers = {"User-Agent": _AGENT}
    if have:
        headers["Range"] = f"bytes={have}-"

    class _Limited(urllib.request.HTTPRedirectHandler):
        max_redirections = hops + 1

    opener = urllib.request.build_opener(_Limited)
    request = urllib.request.Request(url, headers=headers)
    with opener.open(request, timeout=_TIMEOUT_S) as response:
        if response.getcode() != 206:
            have = 0  # the server does not resume: start over
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        with (
            open(partial, "ab" if have else "wb") as file,
            tqdm(
                total=total,
                initial=have,
                unit="B",
                unit_scale=True,
                desc=label,
                file=sys.stderr,
                disable=None if progress else True,
            ) as bar,
        ):
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if total is not None and file.tell() != total:
                raise urllib.error.URLError(f"connection closed after {file.tell()} of {total} B")


def download_verified(
    url: str,
    target: str,
    is_good: Callable[[str], bool],
    expected: str = "",
    hops: int = 3,
    progress: bool = True,
) -> None:
    """Downloads `url` to the path `target`, unless a good file is there already.

    An interrupted download is resumed. The file gets its name only after `is_good` accepted it;
    `expected` says in messages what a good file looks like.

    Raises:
        URLError: the server cannot be reached; the message says what to place where by hand.
        RuntimeError: what arrived was not accepted.
    """
    if os.path.isfile(target) and is_good(target):
        return
    os.makedirs(os.path.dirname(target) or ".", exist_ok=True)
    partial = target + ".part"
    try:
        _receive(url, partial, hops, os.path.basename(target), progress)
    except OSError as error:
        if getattr(error, "code", None) == 416 and os.path.exists(partial):
            os.remove(partial)  # longer than the file itself: unusable
        raise urllib.error.URLError(_by_hand(url, target, expected, error)) from error
    if not is_good(partial):
        got = calculate_md5(partial)
        os.remove(partial)
        raise RuntimeError(
            f"File not found or corrupted: {url} gave a file with md5 {got}, expected {expected}; "
            f"it was deleted. Try again, or place the right file at {target}"
        )
    os.replace(partial, target)


def download_url(
    url: str,
    root: Any,
    filename: Any = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Downloads a file into the folder `root`, unless it is there with the right md5 sum.

    See `download_verified` for resuming, checking and errors.
    """
    filename = filename or os.path.basename(urlparse(url).path)
    target = os.fspath(os.path.join(os.path.expanduser(root), filename))
    download_verified(
        url,
        target,
        is_good=lambda path: check_integrity(path, md5),
        expected=f"md5 {md5}" if md5 else "",
        hops=max_redirect_hops,
    )


def failure_reason(error: Exception) -> str:
    """Says in a few words why a download failed."""
    cause = error.__cause__ or error
    if isinstance(cause, urllib.error.HTTPError):
        return str(cause)
    return str(getattr(cause, "reason", None) or cause)


def _by_hand(url: str, target: str, expected: str, error: Exception) -> str:
    reason = failure_reason(error)
    sum_text = f" ({expected})" if expected else ""
    return (
        f"cannot download {url}: {reason}. Without a network, fetch that file{sum_text} elsewhere "
        f"and place it at {target}, then run this again"
    )


_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


def _extract_tar(source: str, target: str) -> None:
    with tarfile.open(source) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(target, filter="data")
            return
        for member in archive.getmembers():
            inside = os.path.realpath(os.path.join(target, member.name))
            if not inside.startswith(os.path.realpath(target) + os.sep) or member.issym():
                raise RuntimeError(f"{source}: refusing to unpack {member.name!r}")
        archive.extractall(target)


def extract_archive(from_path: Any, to_path: Any = None, remove_finished: bool = False) -> Any:
    """Unpacks a .tar(.gz/.bz2/.xz), .tgz or .zip file into a folder, or a .gz/.bz2/.xz file.

    Returns the folder or the file. Members that would land outside of the folder are refused.
    """
    source = os.fspath(from_path)
    base, suffix = os.path.splitext(source)
    target = os.path.dirname(source) if to_path is None else os.fspath(to_path)
    if suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            archive.extractall(target)
    elif suffix in (".tar", ".tgz", ".tbz", ".tbz2") or base.endswith(".tar"):
        _extract_tar(source, target)
    elif suffix in _OPENERS:
        target = base if to_path is None else target
        with _OPENERS[suffix](source, "rb") as packed, open(target + ".part", "wb") as plain:
            shutil.copyfileobj(packed, plain)
        os.replace(target + ".part", target)
    else:
        raise RuntimeError(
            f"Unknown compression or archive type: '{suffix}'.\nKnown suffixes are: "
            "'.bz2', '.gz', '.tar', '.tbz', '.tbz2', '.tgz', '.xz', '.zip'."
        )
    if remove_finished:
        os.remove(source)
    return target


def download_and_extract_archive(
    url: str,
    download_root: Any,
    extract_root: Any = None,
    filename: Any = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """Downloads an archive (see `download_url`) and unpacks it."""
    download_root = os.path.expanduser(download_root)
    filename = filename or os.path.basename(urlparse(url).path)
    download_url(url, download_root, filename, md5)
    archive = os.path.join(download_root, filename)
    target = download_root if extract_root is None else extract_root
    base, suffix = os.path.splitext(archive)
    if suffix in _OPENERS and not base.endswith(".tar"):
        target = os.path.join(target, os.path.basename(base))
    extract_archive(archive, target, remove_finished)


def list_dir(root: Any, prefix: bool = False) -> list[str]:
    """Returns the folders inside a folder."""
    root = os.path.expanduser(root)
    names = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in names] if prefix else names


def list_files(root: Any, suffix: Any, prefix: bool = False) -> list[str]:
    """Returns the files inside a folder whose names end in `suffix` (a str or a tuple)."""
    root = os.path.expanduser(root)
    names = [
        name
        for name in os.listdir(root)
        if os.path.isfile(os.path.join(root, name)) and name.endswith(suffix)
    ]
    return [os.path.join(root, name) for name in names] if prefix else names


def iterable_to_str(iterable: Iterable) -> str:
    """Returns the items in quotes, separated by commas."""
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(
    value: Any,
    arg: str | None = None,
    valid_values: Iterable[str] | None = None,
    custom_msg: str | None = None,
) -> Any:
    """Returns `value` if it is a string and one of `valid_values`; else raises ValueError."""
    if not isinstance(value, str):
        place = "" if arg is None else f" for argument {arg}"
        raise ValueError(f"Expected type str{place}, but got type {type(value)}.")
    if valid_values is not None and value not in valid_values:
        if custom_msg is not None:
            raise ValueError(custom_msg)
        raise ValueError(
            f"Unknown value '{value}' for argument {arg}. Valid values are "
            f"{{{iterable_to_str(valid_values)}}}."
        )
    return value
