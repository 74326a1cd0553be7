"""Turns kernels into machine code in memory: ``load(kernels)`` gives their addresses.

Code is looked for among what this process has, then on disk (`cache.py`), and only then compiled.
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facula.engines.native import cache, compiler, image, llvm, target
from facula.engines.native.image import Image
from facula.engines.native.kernel import Kernel

_IMAGE, _OBJECT = b"I", b"O"  # the first byte of a cached file
_addresses: dict[str, int] = {}
_libraries: list[Any] = []
_needed: list[Kernel] = []
_lock = threading.RLock()


def check() -> None:
    """Raises Unavailable if kernels cannot be compiled here; loads LLVM only when it must."""
    target.host()


def with_others(kernel: Kernel) -> Kernel:
    """Have a kernel that every process needs loaded along with the first that are asked for."""
    _needed.append(kernel)
    return kernel


def load(kernels: Sequence[Kernel]) -> list[int]:
    """The addresses of kernels, compiled as needed; they stay valid while the process lives.

    Raises Unavailable where there is no LLVM, or no memory may be executed.
    """
    with _lock:
        missing = {k.key: k for k in kernels if k.key not in _addresses}
        if missing:
            missing.update({k.key: k for k in _needed if k.key not in _addresses})
            _load(list(missing.values()))
    return [_addresses[k.key] for k in kernels]


def _load(kernels: list[Kernel]) -> None:
    names = {k.key: cache.digest(fingerprint(), k.key) for k in kernels}
    kept = {key: cache.read(name) for key, name in names.items()}
    fresh = _compiled([k for k in kernels if kept[k.key] is None])
    images: dict[str, Image] = {}
    objects: dict[str, bytes] = {}
    for key, old in kept.items():
        code = fresh[key] if old is None else old
        if code[:1] == _IMAGE:
            images[key] = Image.unpacked(code[1:])
        else:
            objects[key] = code[1:]
    try:
        _addresses.update(zip(images, image.load(list(images.values()))))
    except OSError as error:
        raise llvm.Unavailable(f"compiled code cannot be loaded ({error})") from error
    _addresses.update(_linked(objects))
    cache.write({names[key]: code for key, code in fresh.items()})


def _compiled(kernels: list[Kernel]) -> dict[str, bytes]:
    """What the cache keeps of each kernel, by key."""
    if not kernels:
        return {}
    sources = [(k.key, functools.partial(k.emit, symbol(k.key))) for k in kernels]
    codes = compiler.compile_all(sources)
    return {k.key: _entry(code, symbol(k.key)) for k, code in zip(kernels, codes)}


def _entry(code: bytes, function: str) -> bytes:
    """An image, or the object code itself where there are none."""
    if image.possible():
        try:
            return _IMAGE + image.link(code, function).packed()
        except image.NotAnImage:
            pass
    return _OBJECT + code


def symbol(key: str) -> str:
    """The name of the function of the kernel with this key."""
    return "k" + hashlib.blake2b(key.encode(), digest_size=15).hexdigest()


@functools.cache
def fingerprint() -> str:
    """What code depends on besides the key: the source of this package, the CPU, LLVM."""
    folder = Path(__file__).parent
    source = hashlib.blake2b(digest_size=16)
    for path in sorted(folder.rglob("*.py")):
        source.update(path.relative_to(folder).as_posix().encode() + b"\0")
        source.update(path.read_bytes() + b"\0")
    return f"{source.hexdigest()} {image.possible()} {target.host().identity}"


def _linked(objects: dict[str, bytes]) -> dict[str, int]:
    """Addresses of functions in objects that LLVM's linker puts into executable memory."""
    if not objects:
        return {}
    library = llvm.binding().JITLibraryBuilder().add_current_process()
    for key, code in objects.items():
        library.add_object_img(code).export_symbol(symbol(key))
    # Never disposed of, as workers of the pool execute its code until the very end.
    _libraries.append(library.link(_linker(), f"facula{len(_libraries)}"))
    return {key: _libraries[-1][symbol(key)] for key in objects}


@functools.cache
def _linker() -> Any:
    modern = sys.platform != "win32"  # LLVM's newer linker does not know all of Windows' objects
    return llvm.binding().create_lljit_compiler(compiler.machine(), use_jit_link=modern)


def _after_fork() -> None:
    """Another thread may have held the lock; it does not exist in the child."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
