"""The files of compiled code: whole or not at all, bounded, safe between processes."""

import multiprocessing
import os
import time

import pytest

from facula.base.flags import flags
from facula.engines.native import cache


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(flags, "cache", str(tmp_path / "here"))
    return tmp_path / "here" / "code"


def test_what_is_written_is_read(folder):
    assert cache.read("a") is None and cache.usage() == (0, 0)
    cache.write({"a": b"alpha", "b": b""})
    assert (cache.read("a"), cache.read("b"), cache.read("c")) == (b"alpha", b"", None)
    assert cache.usage() == (2, 2 * 4096)  # what they take on disk
    assert cache.clear()[0] == 2
    assert cache.read("a") is None and cache.usage() == (0, 0)


def test_digests_keep_texts_apart():
    names = {cache.digest(*parts) for parts in [("ab", "c"), ("a", "bc"), ("abc",), ("abc", "")]}
    assert len(names) == 4


def test_least_recently_used_files_go_first(folder, monkeypatch):
    monkeypatch.setattr(flags, "cache_bytes", 50_000)
    long_ago = time.time() - 7200
    for number in range(20):
        cache.write({f"n{number}": bytes(900)})
        path = folder / f"n{number}.code"
        if path.exists():
            os.utime(path, (long_ago + number, long_ago + number))
        if number == 5:
            assert cache.read("n0") is not None  # used: its time is now
        if number % 4 == 3:
            cache.trim()
    cache.trim()
    assert cache.usage()[1] <= 50_000
    assert cache.read("n0") is not None and cache.read("n19") is not None
    assert cache.read("n1") is None and cache.read("n5") is None


def test_the_size_is_looked_at_now_and_then(folder, monkeypatch):
    monkeypatch.setattr(flags, "cache_bytes", 10 * 4096)
    monkeypatch.setattr(cache, "_written", 0)
    for number in range(20):
        cache.write({f"n{number}": b"1"})
    assert cache.usage()[0] == 20  # not looked at again
    os.utime(folder / "trimmed", (1, 1))
    cache.write({"last": b"1"})
    assert cache.usage()[0] == 9
    cache.write({f"m{number}": b"1" for number in range(500)})
    assert cache.usage()[0] == 9


def test_left_over_temporary_files_go(folder):
    cache.write({"a": b"1"})
    old, new = folder / "x.tmp", folder / "y.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    cache.trim()
    assert not old.exists() and new.exists() and cache.read("a") == b"1"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners of files here")
def test_folders_that_others_can_write_are_not_trusted(folder):
    cache.write({"a": b"1"})
    assert folder.stat().st_mode & 0o077 == 0
    folder.chmod(0o777)
    assert cache.read("a") is None
    cache.write({"b": b"2"})
    assert not (folder / "b.code").exists()


def test_the_folder_follows_the_platform(monkeypatch, tmp_path):
    monkeypatch.setattr(flags, "cache", "")
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory() == tmp_path / "facula" / "code"
    monkeypatch.setattr(flags, "cache", "0")
    assert cache.directory() is None


def _write_many(place: str, seed: int) -> None:
    flags.cache, flags.cache_bytes = place, 30 * 4096
    for number in range(150):
        name = f"n{(number * seed) % 50}"
        found = cache.read(name)
        assert found in (None, name.encode() * 300), "half a file was read"
        cache.write({name: name.encode() * 300})
        if number % 10 == 0:
            cache.trim()


def test_processes_share_it(folder):
    context = multiprocessing.get_context("spawn")
    place = str(folder.parent)
    processes = [context.Process(target=_write_many, args=(place, s)) for s in (7, 11, 13)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert 0 < cache.usage()[0] <= 30 + 3 * 10
