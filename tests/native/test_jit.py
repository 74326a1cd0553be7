"""Kernels become machine code: as images, by LLVM's linker, from disk; and what goes wrong."""

import ctypes
import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from facula.base.flags import flags
from facula.engines.native import cache, compiler, image, jit, llvm, target
from facula.engines.native.kernel import Kernel
from tests.native.small_kernels import looked_up, remainder, whole

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def call(address, *arrays, begin=0, end=1):
    pointers = np.array([a.ctypes.data for a in arrays], np.uint64)
    FUNCTION(address)(pointers.ctypes.data, begin, end)


class Counted:
    """A kernel that counts how often its code was asked for."""

    def __init__(self, emit, key):
        self.emitted = 0
        self.kernel = Kernel("test", key, self.write)
        self.emit = emit

    def write(self, name):
        self.emitted += 1
        return self.emit(name)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """As in a new process, with a cache folder of its own; calling it again is another process."""
    monkeypatch.setattr(flags, "cache", str(tmp_path))

    def forget():
        monkeypatch.setattr(jit, "_addresses", {})

    forget()
    return forget


def check_three(kernels):
    plus_one, rest, table = jit.load(kernels)
    n, m = np.array([41]), np.zeros(1, np.int64)
    call(plus_one, n, m)
    assert m[0] == 42
    x, y = np.array([5.5], np.float32), np.zeros(1, np.float32)
    call(rest, x, y)
    assert y[0] == np.fmod(np.float32(5.5), np.float32(0.75))
    call(table, y, begin=2)
    assert y[0] == 30


@pytest.mark.parametrize("as_images", [True, False])
def test_code_runs_and_comes_back_from_disk(fresh, monkeypatch, as_images):
    if as_images and not image.possible():
        pytest.skip("no images on this platform")
    monkeypatch.setattr(image, "possible", lambda: as_images)
    jit.fingerprint.cache_clear()
    emits = (whole, remainder, looked_up)
    counted = [Counted(e, f"{e.__name__} {as_images} {fresh}") for e in emits]
    kernels = [c.kernel for c in counted]
    check_three(kernels)
    check_three(kernels)  # from memory
    fresh()
    check_three(kernels)  # from disk
    assert [c.emitted for c in counted] == [1, 1, 1]
    jit.fingerprint.cache_clear()


def test_images_need_no_llvm(fresh):
    if not image.possible():
        pytest.skip("no images on this platform")
    script = (
        "import sys; from tests.native.small_kernels import address, whole; address(whole);"
        "print('llvmlite.binding' in sys.modules)"
    )
    said = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={"FACULA_CACHE": flags.cache, "PYTHONPATH": ":".join(p for p in sys.path if p)},
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout.strip())
    assert said == ["True", "False"]


@pytest.mark.parametrize(
    "damage",
    [lambda b: b[:40], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b"", lambda b: b + b"x"],
)
def test_damaged_files_are_made_again(fresh, damage):
    counted = Counted(whole, f"damaged {fresh}")
    jit.load([counted.kernel])
    files = list(cache.directory().glob("*.code"))
    sound = {f: f.read_bytes() for f in files}
    for file in files:
        file.write_bytes(damage(sound[file]))
    fresh()
    (address,) = jit.load([counted.kernel])
    n, m = np.array([1]), np.zeros(1, np.int64)
    call(address, n, m)
    assert m[0] == 2 and counted.emitted == 2
    name = cache.digest(jit.fingerprint(), counted.kernel.key) + ".code"
    assert all(f.read_bytes() == b for f, b in sound.items() if f.name == name)


def test_cache_may_be_off_or_unwritable(fresh, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for where in ("0", str(tmp_path / "file"), "/proc/nowhere"):
        monkeypatch.setattr(flags, "cache", where)
        counted = Counted(whole, f"off {where}")
        jit.load([counted.kernel])
        fresh()
        jit.load([counted.kernel])
        assert counted.emitted == 2


def test_cpu_and_source_are_part_of_the_name(monkeypatch):
    first = jit.fingerprint()
    assert "llvmlite" in first and target.host().cpu in first
    other = target.Target("other", frozenset({"sse2"}), 128, 16, 1, 2)
    monkeypatch.setattr(target, "host", lambda: other)
    jit.fingerprint.cache_clear()
    assert jit.fingerprint() != first
    jit.fingerprint.cache_clear()


def test_invalid_ir_names_the_kernel(fresh):
    with pytest.raises(RuntimeError, match="invalid LLVM IR for broken kernel"):
        jit.load([Kernel("test", "broken kernel", lambda name: "define void @f() { ret i32 0 }")])


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_code_does_not_depend_on_who_compiles_it(monkeypatch, threads):
    monkeypatch.setattr(compiler, "MOST_THREADS", threads)
    monkeypatch.setattr(target, "cores", lambda: 8)
    emits = [whole, remainder, looked_up] * 7
    codes = compiler.compile_all([(str(i), partial(e, "same")) for i, e in enumerate(emits)])
    assert codes == codes[:3] * 7 and len(set(codes)) == 3
    monkeypatch.setattr(compiler, "_long_calls", lambda: None)  # a llvmlite without these
    assert compiler.compile_all([("alone", partial(whole, "same"))]) == codes[:1]
    with pytest.raises(ZeroDivisionError):
        compiler.compile_all([("good", partial(whole, "f")), ("bad", lambda: str(1 // 0))])


def test_missing_functions_are_no_crash(fresh):
    def emit(name):
        return remainder(name).replace("fmodf", "no_such_function_anywhere")

    if image.possible():
        with pytest.raises(llvm.Unavailable, match="no_such_function_anywhere"):
            jit.load([Kernel("test", "missing function", emit)])


def test_vectors_of_this_cpu():
    host = target.host()
    assert target.lanes("float") == max(1, host.vector_bits // 32)
    assert target.lanes("double") == max(1, host.vector_bits // 64)
    assert target.lanes("i8") == max(1, host.vector_bits // 8)
    assert host.registers in (16, 32) and 1 <= target.cores()
    assert 8 << 10 <= target.l1() <= target.l2()


@pytest.mark.parametrize("bits", [0, 128, 256, 512])
def test_vector_width_can_be_forced(bits):
    script = "from facula.engines.native import target as t; print(t.vector_bits(), t.lanes('i32'))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"FACULA_VECTOR_BITS": str(bits), "PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(bits), str(max(1, bits // 32))]


def test_what_llvm_said_about_the_cpu_is_checked(fresh, monkeypatch):
    """A record that makes no sense is asked for again."""
    name = cache.digest("host", target._serial(), llvm.identity())
    expected = target.host()
    for wrong in (b"", b"{", json.dumps(["x"]).encode()):
        cache.write({name: wrong})
        target.host.cache_clear()
        assert target.host() == expected
    target.host.cache_clear()


def test_without_llvmlite():
    script = """
import sys
sys.modules["llvmlite"] = None
from facula.engines.native import jit, llvm
try:
    jit.check()
except llvm.Unavailable as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": ":".join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("llvmlite cannot be imported")
