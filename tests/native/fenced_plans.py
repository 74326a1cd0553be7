"""A pytest plugin: plans run on buffers that end right before memory nobody may touch.

``pytest -p tests.native.fenced_plans tests/...`` ends with a crash at the first kernel that reads
or writes beyond a buffer; results that are never written are found too, as memory starts as ones
and noughts that mean no sensible number.
"""

from __future__ import annotations

import ctypes

import numpy as np

from facula.engines.native import executable, jit
from facula.graph.node import INPUT
from tests.native.contraction_fence import Fenced

_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def _bytes_of(value, node) -> bytes:
    if node.spec.weak and node.primitive is INPUT:
        return np.array(value, "f8" if node.spec.dtype.is_floating_point else "i8").tobytes()
    return np.ascontiguousarray(value, node.spec.dtype.numpy).tobytes()


class FencedSegment(executable.NativeSegment):
    """Runs each kernel by itself, on fenced copies of its buffers."""

    donors = ()

    def run(self, buffers):
        plan = self.plan
        slots = {}

        def fence(slot, content, align):
            memory = Fenced(len(content), True, align)
            ctypes.memmove(memory.address, content, len(content))
            slots[slot] = memory

        for slot, (node, value) in enumerate(zip(plan.inputs, buffers, strict=True)):
            fence(slot, _bytes_of(value, node), node.spec.dtype.numpy.itemsize)
        for slot, (shape, dtype) in enumerate(self.shapes, len(plan.inputs)):
            size = int(np.prod(shape)) * dtype.itemsize
            fence(slot, (b"\1" if dtype.kind == "b" else b"\xcc") * size, dtype.itemsize)
        for slot, temporary in plan.temporaries.items():
            fence(slot, b"\xcc" * temporary.nbytes, 64)
        for slot, array in plan.constants.items():
            fence(slot, array.tobytes(), array.itemsize)
        fence(plan.status, bytes(24), 8)
        for step in plan.steps:
            (address,) = jit.load([step.kernel])
            pointers = [slots[o].address for o in step.operands]
            table = (ctypes.c_void_p * max(1, len(pointers)))(*pointers)
            _FUNCTION(address)(ctypes.addressof(table), 0, step.kernel.chunks)
            status = slots[plan.status].array((3,), np.int64)
            if status[0]:
                self.executor.status[:] = status
                self._complain(plan.steps.index(step) + 1)
        first = len(plan.inputs)
        return [
            np.array(slots[first + i].array(shape, dtype))
            for i, (shape, dtype) in enumerate(self.shapes)
        ]


def pytest_configure(config):
    from facula.engines.native import engine

    engine.NativeSegment = FencedSegment
