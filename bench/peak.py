"""The float32 peak of this machine: chains of fused multiply-adds that never leave registers."""

from __future__ import annotations

import ctypes
import os
import threading
import time

CHAINS = 12  # enough to cover the latency of two units
STEPS = 2_000_000


def _text(lanes: int) -> str:
    """LLVM IR of ``float peak(i64 steps)``."""
    vector = f"<{lanes} x float>"
    ramp = ", ".join(f"float {1 + i / 64}" for i in range(lanes))
    near_one = ", ".join(["float 0x3FEFFFF000000000"] * lanes)
    phis, body = [], []
    for i in range(CHAINS):
        phis.append(f"  %a{i} = phi {vector} [<{ramp}>, %entry], [%b{i}, %loop]")
        operands = f"{vector} %a{i}, {vector} <{near_one}>, {vector} <{ramp}>"
        body.append(f"  %b{i} = call {vector} @llvm.fma.v{lanes}f32({operands})")
    total = [f"  %t0 = fadd {vector} %b0, %b1"]
    total += [f"  %t{i} = fadd {vector} %t{i - 1}, %b{i + 1}" for i in range(1, CHAINS - 1)]
    lines = [
        "define float @peak(i64 %steps) {",
        "entry:",
        "  br label %loop",
        "loop:",
        "  %i = phi i64 [0, %entry], [%next, %loop]",
        *phis,
        *body,
        "  %next = add i64 %i, 1",
        "  %more = icmp ult i64 %next, %steps",
        "  br i1 %more, label %loop, label %done",
        "done:",
        *total,
        f"  %first = extractelement {vector} %t{CHAINS - 2}, i32 0",
        "  ret float %first",
        "}",
        f"declare {vector} @llvm.fma.v{lanes}f32({vector}, {vector}, {vector})",
    ]
    return "\n".join(lines)


def _compiled(lanes: int):
    """(engine that must stay alive, the function)."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    # The features are stated: without them LLVM splits wide vectors on some AVX-512 machines.
    features = llvm.get_host_cpu_features().flatten() + ",-prefer-256-bit"
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=features, opt=3
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_text(lanes)), machine)
    engine.finalize_object()
    address = engine.get_function_address("peak")
    return engine, ctypes.CFUNCTYPE(ctypes.c_float, ctypes.c_int64)(address)


def _rate(function, lanes: int, threads: int) -> float:
    """GFLOP/s of all threads together, the best of five."""
    best = 0.0
    for _ in range(5):
        workers = [threading.Thread(target=function, args=(STEPS,)) for _ in range(threads)]
        begun = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        taken = time.perf_counter() - begun
        best = max(best, 2.0 * lanes * CHAINS * STEPS * threads / taken / 1e9)
    return best


def measured() -> dict[str, float] | None:
    """GFLOP/s of one core and of all, or None where llvmlite is missing."""
    try:
        made = {lanes: _compiled(lanes) for lanes in (4, 8, 16)}
    except (ImportError, OSError, RuntimeError):
        return None
    one = {lanes: _rate(function, lanes, 1) for lanes, (_, function) in made.items()}
    lanes = max(one, key=one.__getitem__)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"one": one[lanes], "all": _rate(made[lanes][1], lanes, cores or 1), "lanes": lanes}


if __name__ == "__main__":
    print(measured())
