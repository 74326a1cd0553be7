"""Pretrained weights and models: downloads with hash check into a cache, models from a folder."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

from facula.serialization import load as _load

__all__ = ["download_url_to_file", "get_dir", "load", "load_state_dict_from_url", "set_dir"]

# Names such as resnet18-bf5a0b2c.pth carry the start of the file's SHA-256.
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_CHUNK = 1 << 17
_folder: str | None = None


def _get_torch_home() -> str:
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch")))


def get_dir() -> str:
    """The cache folder: as set, or hub/ in $TORCH_HOME, or in torch/ of the user's cache.

    It is PyTorch's own folder, so weights it has downloaded are found.
    """
    return _folder if _folder is not None else os.path.join(_get_torch_home(), "hub")


def set_dir(d: str | os.PathLike) -> None:
    """Chooses the cache folder for this process."""
    global _folder
    _folder = os.path.expanduser(d)


def download_url_to_file(
    url: str, dst: str, hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Downloads to a file, which appears only when it is complete and has the right hash.

    `hash_prefix` is the start of the SHA-256 in hex. Errors: RuntimeError for a wrong hash or a
    download that stopped early; urllib's HTTPError and URLError.
    """
    from urllib.request import Request, urlopen

    dst = os.path.expanduser(dst)
    digest = hashlib.sha256()
    with urlopen(Request(url, headers={"User-Agent": "facula"})) as source:
        length = source.headers.get("Content-Length")
        total = int(length) if length else None
        with _appearing(dst) as target, _progress(total, progress) as step:
            done = 0
            while chunk := source.read(_CHUNK):
                target.write(chunk)
                digest.update(chunk)
                done += len(chunk)
                step(len(chunk))
            if total is not None and done != total:
                raise RuntimeError(f"download of {url} stopped after {done} of {total} bytes")
            if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
                got = digest.hexdigest()[: len(hash_prefix)]
                raise RuntimeError(
                    f'invalid hash value (expected "{hash_prefix}", got "{got}"): '
                    f"{url} is not the file it should be"
                )


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = False,
) -> dict[str, Any]:
    """Loads saved weights from a URL, downloading them only once.

    With `check_hash` the file's name must carry its hash (`name-0123abcd.pth`), which is checked.
    Errors: as `download_url_to_file`.
    """
    folder = model_dir if model_dir is not None else os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        sys.stderr.write(f'Downloading: "{url}" to {path}\n')
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, found.group(1) if found else None, progress=progress)
    return _load(path, map_location=map_location, weights_only=weights_only)


def load(
    repo_or_dir: str,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: bool | str | None = "check",
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """Calls a model's function from the `hubconf.py` of a local folder.

    Differs from PyTorch: only `source='local'`; code is not downloaded and run. The arguments
    about downloads are accepted and not needed.
    Errors: ValueError for another source, RuntimeError when the function or a package it needs is
    missing.
    """
    if source.lower() not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source.lower() == "github":
        raise ValueError(
            f"hub.load: code is not downloaded from GitHub; clone {repo_or_dir} and call "
            f"hub.load(folder, {model!r}, source='local')"
        )
    folder = os.path.expanduser(repo_or_dir)
    with _importing_from(folder):
        conf = _import_file(os.path.join(folder, "hubconf.py"))
        missing = [p for p in getattr(conf, "dependencies", []) if not _importable(p)]
        if missing:
            raise RuntimeError(f"Missing dependencies: {', '.join(missing)}")
        entry = getattr(conf, model, None)
        if not callable(entry):
            raise RuntimeError(f"Cannot find callable {model} in hubconf")
        return entry(*args, **kwargs)


@contextlib.contextmanager
def _appearing(path: str) -> Iterator[Any]:
    """A file to write that gets its name only if the body succeeds."""
    handle, partial = tempfile.mkstemp(
        prefix=os.path.basename(path) + ".", suffix=".part", dir=os.path.dirname(path) or "."
    )
    try:
        with os.fdopen(handle, "wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(partial, 0o666 & ~umask)
        os.replace(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


@contextlib.contextmanager
def _progress(total: int | None, shown: bool) -> Iterator[Any]:
    """A function that moves a progress bar by a number of bytes."""
    if not shown:
        yield lambda count: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit="B", unit_scale=True, unit_divisor=1024) as bar:
        yield bar.update


@contextlib.contextmanager
def _importing_from(folder: str) -> Iterator[None]:
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):
            sys.path.remove(folder)


def _import_file(path: str) -> Any:
    spec = importlib.util.spec_from_file_location("hubconf", path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise FileNotFoundError(f"hub.load: no hubconf.py at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _importable(name: str) -> bool:
    try:
        return name in sys.modules or importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
