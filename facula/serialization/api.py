"""`torch.save` and `torch.load`: checkpoints in PyTorch's file format, written and read safely."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import IO, Any

from facula.serialization import allowlist, legacy
from facula.serialization.locations import MapLocation, placer
from facula.serialization.pickler import dump
from facula.serialization.storages import LoadedStorage, StorageType, swap_bytes
from facula.serialization.unpickler import StrictUnpickler, full_unpickler, mentioned_globals
from facula.serialization.user_allowed import allowed_by_name
from facula.serialization.zipformat import ZIP_MAGIC, DamagedRecord, ZipReader, ZipWriter

FileLike = str | os.PathLike | IO[bytes]


class _Options:
    """What `set_crc32_options` and `set_default_mmap_options` chose."""

    checksums = True


_options = _Options()


def get_crc32_options() -> bool:
    """Return whether `save` stores checksums."""
    return _options.checksums


def set_crc32_options(compute_crc32: bool) -> None:
    """Choose whether `save` stores a checksum with every record; without, damage goes unnoticed."""
    _options.checksums = bool(compute_crc32)


def save(
    obj: object,
    f: FileLike,
    pickle_module: Any = pickle,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write an object with all its tensors to a file that both facula and PyTorch can load.

    Tensors that share memory are stored once and share it again when loaded. A path is written
    under a temporary name first and renamed when complete, so a crash never leaves half a file in
    place of an older checkpoint (PyTorch overwrites in place).

    >>> import io, facula as torch
    >>> buffer = io.BytesIO()
    >>> torch.save({"weight": torch.ones(2), "epoch": 3}, buffer)
    >>> _ = buffer.seek(0)
    >>> torch.load(buffer)
    {'weight': tensor([1., 1.]), 'epoch': 3}
    """
    if not isinstance(f, (str, os.PathLike)) and not hasattr(f, "write"):
        raise AttributeError(
            "expected 'f' to be string, path, or a file-like object with a 'write' attribute"
        )
    with _opened_for_writing(f) as (stream, root):
        if not _use_new_zipfile_serialization:
            legacy.write(obj, stream, pickle_module, pickle_protocol)
            return
        body, storages = dump(obj, pickle_module, pickle_protocol)
        archive = ZipWriter(stream, root, _options.checksums)
        archive.add("data.pkl", body)
        archive.add(".format_version", b"1")
        archive.add(".storage_alignment", b"64")
        if not _disable_byteorder_record:
            archive.add("byteorder", b"little")
        for storage in storages:
            archive.add(f"data/{storage.key}", storage.data)
        archive.add("version", b"3\n")
        archive.add(".data/serialization_id", archive.fingerprint())
        archive.close()


@contextlib.contextmanager
def _opened_for_writing(target: Any) -> Iterator[tuple[IO[bytes], str]]:
    """Give the stream to write to and the archive's root folder; paths appear when complete."""
    if not isinstance(target, (str, os.PathLike)):
        yield target, "archive"
        return
    path = os.path.realpath(os.fspath(target))
    folder, name = os.path.split(path)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {os.path.dirname(os.fspath(target))} does not exist.")
    root = PurePath(name).stem or "archive"
    if os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
        # Pipes and devices cannot be replaced by a rename.
        with open(path, "wb") as stream:
            yield stream, root
        return
    handle, temporary = tempfile.mkstemp(prefix=f".{name[:80]}.", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream, root
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, _mode_for(path))
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _mode_for(path: str) -> int:
    """The permissions the file has, or would get from an ordinary `open`."""
    if os.path.exists(path):
        return stat.S_IMODE(os.stat(path).st_mode)
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _sync_folder(folder: str) -> None:
    """Make the rename itself survive a power failure, where the system allows it."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def load(
    f: FileLike,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Read what `save` (of facula or PyTorch) wrote.

    By default (`weights_only=True`) only tensors and plain data are loaded: a file cannot run code,
    and what it asks for beyond the allow-list raises pickle.UnpicklingError naming it. With
    `weights_only=False` Python's full pickle is used. `mmap=True` maps the file instead of reading
    it. Damaged records raise RuntimeError naming the record and the tensor, which PyTorch does not
    notice. `map_location` takes a name, a device, a dict of names or `function(storage, name)`.
    """
    if weights_only is None:
        weights_only = pickle_module is None
    elif weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    if mmap and not isinstance(f, (str, os.PathLike)):
        raise ValueError("f must be a file path in order to use the mmap argument")
    pickle_load_args.setdefault("encoding", "utf-8")
    make = _unpickler_maker(weights_only, pickle_module or pickle, pickle_load_args)
    place = placer(map_location)
    with _opened_for_reading(f) as stream:
        if _starts_with_zip(stream):
            return _load_zip(stream, make, place, bool(mmap))
        if mmap:
            raise RuntimeError("mmap can only be used with files saved in the zip format")

        def make_reader(load_storage: Callable[[tuple], Any]) -> Callable[[], Any]:
            return lambda: make(stream, load_storage).load()

        return legacy.read(stream, make_reader, place)


def _unpickler_maker(weights_only: bool, pickle_module: Any, options: dict) -> Callable[..., Any]:
    kind = StrictUnpickler if weights_only else full_unpickler(pickle_module)
    return lambda stream, load_storage: kind(stream, load_storage, **options)


@contextlib.contextmanager
def _opened_for_reading(source: Any) -> Iterator[IO[bytes]]:
    if isinstance(source, (str, os.PathLike)):
        with open(source, "rb") as stream:
            yield stream
        return
    for method in ("read", "seek", "tell"):
        if not hasattr(source, method):
            raise AttributeError(
                f"{type(source).__name__!r} object has no attribute {method!r}. You can only "
                "torch.load from a file that is seekable. Please pre-load the data into a buffer "
                "like io.BytesIO and try to load from it instead."
            )
    yield source


def _starts_with_zip(stream: IO[bytes]) -> bool:
    start = stream.tell()
    head = stream.read(len(ZIP_MAGIC))
    stream.seek(start)
    if not head:
        raise EOFError("Ran out of input: the file is empty")
    return head == ZIP_MAGIC


def _load_zip(
    stream: IO[bytes],
    make: Callable[..., Any],
    place: Callable[[LoadedStorage], Any],
    use_mmap: bool,
) -> Any:
    archive = ZipReader(stream, use_mmap)
    if "constants.pkl" in archive:
        raise RuntimeError(
            "this is a TorchScript archive (torch.jit.save): it holds a compiled program, which "
            "facula does not run. Save the model's state_dict with torch.save instead."
        )
    little = "byteorder" not in archive or archive.read("byteorder").tobytes() == b"little"
    placed: dict[str, Any] = {}

    def load_storage(pid: tuple) -> Any:
        kind, key, location, count = _checked_reference(pid)
        if key not in placed:
            try:
                data = _read_storage(archive, kind, key, count)
            except DamagedRecord as error:
                raise _damage_report(error, unpickler, kind) from None
            if not little and kind.dtype_name is not None:
                data = swap_bytes(data, kind.dtype_name)
            placed[key] = place(LoadedStorage(data, kind.dtype_name, location))
        return placed[key]

    body = archive.read("data.pkl").tobytes()
    unpickler = make(io.BytesIO(body), load_storage)
    return unpickler.load()


def _checked_reference(pid: Any) -> tuple[StorageType, str, str, int]:
    """Take apart what the file says where a tensor's bytes are."""
    expected = (str, StorageType, str, str, int)
    if (
        not isinstance(pid, tuple)
        or tuple(map(type, pid)) != expected
        or pid[0] != "storage"
        or pid[4] < 0
    ):
        raise pickle.UnpicklingError(f"unknown reference to stored data: {pid!r}")
    return pid[1:]


def _read_storage(archive: ZipReader, kind: StorageType, key: str, count: int) -> Any:
    data = archive.read(f"data/{key}")
    if data.nbytes != count * kind.item_size:
        raise DamagedRecord(
            f"record 'data/{key}' has {data.nbytes} bytes where {count * kind.item_size} are "
            "announced"
        )
    return data


def _damage_report(error: DamagedRecord, unpickler: Any, kind: StorageType) -> RuntimeError:
    """Say which tensor the damage hits; only the strict reader knows its name."""
    where = unpickler.where() if hasattr(unpickler, "where") else ""
    name = f"tensor '{where}'" if where else "a tensor"
    return RuntimeError(
        f"{error}. It holds {name} ({kind.dtype_name or 'untyped'}); the rest of the file may be "
        "fine, but nothing was loaded. Copy the file again or load an older checkpoint."
    )


def get_unsafe_globals_in_checkpoint(f: FileLike) -> list[str]:
    """Return the names in a file that `weights_only=True` would refuse now.

    Nothing is executed. Pass them (after a look at each) to `add_safe_globals`.
    """
    with _opened_for_reading(f) as stream:
        if not _starts_with_zip(stream):
            raise ValueError("Expected input to be a checkpoint returned by torch.save.")
        body = ZipReader(stream).read("data.pkl").tobytes()
    known = {*allowlist.CALLABLES, *allowlist.VALUES, *allowed_by_name()}
    return [name for name in mentioned_globals(body) if name not in known]
