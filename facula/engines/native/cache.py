"""Compiled code on disk, one small file for each kernel, shared by processes.

Files appear by renaming a finished one, carry a checksum, and are ignored when they do not match
it. Their names say everything the code depends on, so they are never out of date. What was not
used for longest goes first when there are too many bytes. A cache that cannot be used is no
error: code is compiled again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

from facula.base.flags import flags

_MAGIC = b"facula code 1\n"
_DIGEST = 16
_SUFFIX = ".code"
_MARKER = "trimmed"  # a file whose time says when the size was last looked at
_HOUR = 3600.0
_MANY = 500
_BLOCK = 4096  # bytes on disk come in these
_OLD = 86400.0  # seconds after which a temporary file has lost its owner

_written = 0  # files, since this process last looked at the size


def digest(*parts: str) -> str:
    """A file name for what depends on these texts."""
    joined = "\0".join(parts)
    return hashlib.blake2b(joined.encode(), digest_size=_DIGEST).hexdigest()


def directory() -> Path | None:
    """Where code is kept: FACULA_CACHE, else the user's cache folder; None for nowhere."""
    if flags.cache == "0":
        return None
    if flags.cache:
        return Path(flags.cache).expanduser() / "code"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "facula" / "code"


def _is_ours(folder: Path) -> bool:
    """Code is only taken from a folder that nobody else can put files in."""
    if not hasattr(os, "getuid"):
        return True
    status = folder.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022


def read(name: str) -> bytes | None:
    """What was written under this name, None if nothing whole is there."""
    folder = directory()
    if folder is None:
        return None
    path = folder / (name + _SUFFIX)
    try:
        if not _is_ours(folder):
            return None
        data = path.read_bytes()
        head = len(_MAGIC) + _DIGEST
        payload = data[head:]
        if data[:head] != _MAGIC + _checksum(payload):
            return None
        if time.time() - path.stat().st_mtime > _HOUR:
            os.utime(path)  # it was used: others go first
    except OSError:
        return None
    return payload


def write(entries: dict[str, bytes]) -> None:
    """Keeps code under its names, and sees to it that the cache stays within its size."""
    folder = directory()
    if folder is None or not entries:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(folder):
            return
        for name, payload in entries.items():
            _write_one(folder, name, payload)
        if _is_trim_due(folder, len(entries)):
            trim()


def _write_one(folder: Path, name: str, payload: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=folder, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_MAGIC + _checksum(payload) + payload)
        os.replace(temporary, folder / (name + _SUFFIX))
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_DIGEST).digest()


def _is_trim_due(folder: Path, files: int) -> bool:
    """Looking at every file takes a while: once an hour, and after many writes of a process."""
    global _written
    _written += files
    marker = folder / _MARKER
    try:
        waited = time.time() - marker.stat().st_mtime
    except OSError:
        waited = _HOUR
    if waited < _HOUR and _written < _MANY:
        return False
    _written = 0
    marker.touch()
    return True


def _entries(folder: Path) -> list[tuple[float, int, str]]:
    """Time of last use, bytes on disk and path of each file; files vanish while others look."""
    found = []
    with contextlib.suppress(OSError), os.scandir(folder) as files:
        for file in files:
            if file.name.endswith((_SUFFIX, ".tmp")):
                with contextlib.suppress(OSError):
                    status = file.stat()
                    found.append(
                        (status.st_mtime, -(-status.st_size // _BLOCK) * _BLOCK, file.path)
                    )
    return found


def trim() -> None:
    """Removes what was not used for longest until the cache is well within its size."""
    folder = directory()
    entries = sorted(_entries(folder)) if folder is not None else []
    total, limit = sum([size for _, size, _ in entries]), flags.cache_bytes
    now, wanted = time.time(), total if total <= limit else limit * 9 // 10
    for used, size, path in entries:
        lost = path.endswith(".tmp")
        if (now - used > _OLD) if lost else (total > wanted):
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size


def usage() -> tuple[int, int]:
    """How many files there are, and their bytes."""
    folder = directory()
    entries = _entries(folder) if folder is not None else []
    return len(entries), sum([size for _, size, _ in entries])


def clear() -> tuple[int, int]:
    """Removes all files; how many there were, and their bytes."""
    before, folder = usage(), directory()
    for _, _, path in _entries(folder) if folder is not None else []:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return before
