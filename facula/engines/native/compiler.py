"""Compiles modules of LLVM IR to object code, several at a time on as many threads.

The IR of the generators is vector code already, so a short pipeline suffices: stack slots become
registers, addresses and control flow are simplified, loops get the form in which LLVM's code
generator moves what does not change out of them.

llvmlite lets one thread at a time into LLVM. LLVM itself only asks that threads share no context,
target machine or pass builder, so the two calls that take long go around llvmlite's lock.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from facula.engines.native import llvm, target

_PASSES = ("simplify_cfg", "sroa", "simplify_cfg", "loop_rotate", "instruction_combine")
MOST_THREADS = 8

Source = tuple[str, Callable[[], str]]  # a name for messages, and what writes the IR


def compile_all(sources: Sequence[Source]) -> list[bytes]:
    """The object code of each source; raises RuntimeError for IR that is not valid."""
    results: list[bytes | BaseException | None] = [None] * len(sources)
    waiting = list(reversed(range(len(sources))))

    def work() -> None:
        compiler = _free.pop() if _free else _Compiler()
        while waiting:
            try:
                number = waiting.pop()
            except IndexError:  # another thread was faster
                break
            try:
                results[number] = compiler.compile(*sources[number])
            except BaseException as error:  # raised again by the caller's thread
                results[number] = error
        _free.append(compiler)

    llvm.binding()
    count = min(target.cores(), MOST_THREADS, len(sources)) if _long_calls() else 1
    helpers = [threading.Thread(target=work) for _ in range(count - 1)]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    return [_code(result) for result in results]


def _code(result: bytes | BaseException | None) -> bytes:
    if isinstance(result, BaseException):
        raise result
    assert result is not None
    return result


class _Compiler:
    """What one thread needs of LLVM."""

    def __init__(self) -> None:
        binding = llvm.binding()
        self.machine = machine()
        self.builder = binding.create_pass_builder(
            self.machine, binding.create_pipeline_tuning_options()
        )

    def compile(self, name: str, write: Callable[[], str]) -> bytes:
        binding = llvm.binding()
        text = write()
        try:
            module = binding.parse_assembly(text, binding.create_context())
            module.verify()
        except RuntimeError as error:
            raise RuntimeError(f"invalid LLVM IR for {name}: {error}") from None
        passes = binding.create_new_module_pass_manager()
        for step in _PASSES:
            getattr(passes, f"add_{step}_pass")()
        calls = _long_calls()
        if calls is None:
            passes.run(module, self.builder)
            return self.machine.emit_object(module)
        run, emit = calls
        run(passes, module, self.builder)
        return _buffer(emit(self.machine, module, 1, ctypes.byref(ctypes.c_char_p())), name)


def machine() -> Any:
    """A target machine for this CPU."""
    binding, host = llvm.binding(), target.host()
    features = binding.get_host_cpu_features()
    features["prefer-256-bit"] = False  # the width is the generators' choice
    return binding.Target.from_default_triple().create_target_machine(
        cpu=host.cpu, features=features.flatten(), opt=2, reloc="pic", codemodel="small"
    )


@functools.cache
def _long_calls() -> tuple[Any, Any] | None:
    """Running passes and emitting code, without llvmlite's lock; None if they are not there."""
    try:
        locked = llvm.binding().ffi.lib
        library = ctypes.CDLL(locked._name)
        run, emit = library.LLVMPY_RunNewModulePassManager, library.LLVMPY_TargetMachineEmitToMemory
        run.argtypes = locked.LLVMPY_RunNewModulePassManager.argtypes
        emit.argtypes = locked.LLVMPY_TargetMachineEmitToMemory.argtypes
        emit.restype = locked.LLVMPY_TargetMachineEmitToMemory.restype
    except (AttributeError, OSError):
        return None
    return (run, emit) if run.argtypes and emit.argtypes else None


def _buffer(memory: Any, name: str) -> bytes:
    """The contents of one of LLVM's buffers, which is freed."""
    if not memory:
        raise RuntimeError(f"LLVM could not make code for {name}")
    library = llvm.binding().ffi.lib
    try:
        start, size = library.LLVMPY_GetBufferStart(memory), library.LLVMPY_GetBufferSize(memory)
        return ctypes.string_at(start, size)
    finally:
        library.LLVMPY_DisposeMemoryBuffer(memory)


_free: list[_Compiler] = []
