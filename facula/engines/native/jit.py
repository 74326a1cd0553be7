"""Turns kernels into machine code in memory: ``load(kernels)`` gives their addresses.

The IR of the generators is vector code already, so a short pipeline suffices: stack slots become
registers, addresses are simplified, and what does not change leaves the loops.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Sequence
from typing import Any

from facula.engines.native import llvm, target
from facula.engines.native.kernel import Kernel

_lock = threading.RLock()
_addresses: dict[str, int] = {}


def load(kernels: Sequence[Kernel]) -> list[int]:
    """The addresses of kernels, compiled as needed; they stay valid while the process lives.

    Raises Unavailable where there is no LLVM.
    """
    with _lock:
        missing = {k.key: k for k in kernels if k.key not in _addresses}
        if missing:
            _link({key: compile_ir(k.emit(symbol(key)), key) for key, k in missing.items()})
    return [_addresses[k.key] for k in kernels]


def symbol(key: str) -> str:
    """The name of the function of the kernel with this key."""
    return "k" + hashlib.blake2b(key.encode(), digest_size=15).hexdigest()


def compile_ir(text: str, what: str) -> bytes:
    """The object code of a module of LLVM IR; ``what`` names it in errors."""
    binding = llvm.binding()
    with _lock:
        try:
            module = binding.parse_assembly(text)
            module.verify()
        except RuntimeError as error:
            raise RuntimeError(f"invalid LLVM IR for {what}: {error}") from None
        builder = _builder()
        builder.getModulePassManager().run(module, builder)  # a pass manager runs only once
        return _machine().emit_object(module)


def _link(objects: dict[str, bytes]) -> None:
    """Puts object code into executable memory."""
    engine, binding = _engine(), llvm.binding()
    for code in objects.values():
        engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    for key in objects:
        _addresses[key] = engine.get_function_address(symbol(key))


def _new_machine() -> Any:
    binding, host = llvm.binding(), target.host()
    features = binding.get_host_cpu_features()
    features["prefer-256-bit"] = False  # the width is the generators' choice
    return binding.Target.from_default_triple().create_target_machine(
        cpu=host.cpu, features=features.flatten(), opt=2, reloc="pic", codemodel="small"
    )


_machine = functools.cache(_new_machine)


@functools.cache
def _builder() -> Any:
    binding = llvm.binding()
    options = binding.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    return binding.create_pass_builder(_machine(), options)


@functools.cache
def _engine() -> Any:
    binding = llvm.binding()
    empty, machine = binding.parse_assembly(""), _new_machine()  # which the engine disposes of
    # llvmlite's memory manager keeps the sections of an object together, as the small code
    # model needs.
    return binding.create_mcjit_compiler(empty, machine, use_lmm=True)
