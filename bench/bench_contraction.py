"""Contractions beside PyTorch's on one core, and as fractions of that core's measured peak.

``python bench/bench_contraction.py [lenet|resnet|resnet224|mobilenet|matmul ...]``
"""

from __future__ import annotations

import ctypes
import statistics
import sys
import time
from functools import partial

import numpy as np
import torch

from facula.engines.native import ir, jit, target
from facula.engines.native.contraction import lower
from facula.engines.native.kernel import Kernel, Lowered
from facula.engines.native.views import View, row_major

FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
CHAINS = 12


def peak_kernel() -> Kernel:
    """Independent chains of multiply-adds: a chunk is 1000 rounds."""

    def emit(name: str) -> str:
        lanes = target.lanes("float")
        kind = ir.vector("float", lanes)
        f = ir.Function(name, ["ptr", "i64", "i64"])
        buffers, begin, end = f.arguments
        place = f.load("ptr", buffers)
        factor = f.load(kind, place)
        slots = [f.variable(kind) for _ in range(CHAINS)]
        for slot in slots:
            f.set(slot, factor)
        with f.loop(f.mul(begin, 1000), f.mul(end, 1000)):
            for slot in slots:
                f.set(slot, f.intrinsic("fmuladd", f.get(kind, slot), factor, factor))
        for i, slot in enumerate(slots):
            f.store(f.get(kind, slot), f.at(place, i * lanes, "float"))
        f.ret()
        return f.text()

    return Kernel("peak", f"bench peak {target.vector_bits()}", emit)


class Runner:
    """A lowered contraction with its memory."""

    def __init__(self, lowered: Lowered, arrays, shape):
        self.out = np.zeros(shape, np.float32)
        self.temps = [np.zeros(n + 64, np.uint8) for n in lowered.temps]
        begin = time.perf_counter()
        addresses = jit.load([p.kernel for p in lowered.pieces])
        self.compiling = time.perf_counter() - begin
        tables = {
            "input": [a.ctypes.data for a in arrays],
            "output": [self.out.ctypes.data],
            "temp": [(t.ctypes.data + 63) // 64 * 64 for t in self.temps],
        }
        self.calls = []
        for piece, address in zip(lowered.pieces, addresses, strict=True):
            pointers = [tables[r.role][r.number] for r in piece.operands]
            table = (ctypes.c_void_p * len(pointers))(*pointers)
            self.calls.append((FUNCTION(address), table, piece.kernel))

    def __call__(self) -> None:
        for function, table, kernel in self.calls:
            function(table, 0, kernel.chunks)


def seconds(call, least: float = 0.004) -> float:
    """Seconds of one call."""
    count = 1
    while True:
        begin = time.perf_counter()
        for _ in range(count):
            call()
        took = time.perf_counter() - begin
        if took >= least:
            return took / count
        count = max(count + 1, int(count * 1.5 * least / max(took, 1e-7)))


def side_by_side(calls, rounds: int = 7) -> list[float]:
    """Median seconds of each call, measured in turn."""
    found = [[seconds(c) for c in calls] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*found, strict=True)]


def measured_peak() -> float:
    """Multiplications a second of one core."""
    (address,) = jit.load([peak_kernel()])
    place = np.zeros(1024, np.float32)
    table = (ctypes.c_void_p * 1)(place.ctypes.data)
    function = FUNCTION(address)
    took = min(seconds(lambda: function(table, 0, 20)) for _ in range(5))
    return 20 * 1000 * CHAINS * target.lanes("float") / took


def picked(call, number: int):
    """The result of PyTorch's call, or one of several."""
    return call() if number < 0 else call()[number]


def conv_case(x, w, stride=1, padding=0, groups=1, kinds="fiw"):
    """The named ones of forward, input gradient and weight gradient."""
    rank = len(x) - 2
    params = {
        "stride": (stride,) * rank, "padding": ((padding, padding),) * rank,
        "dilation": (1,) * rank, "groups": groups,
    }  # fmt: skip
    out = [(n + 2 * padding - k) // stride + 1 for n, k in zip(x[2:], w[2:], strict=True)]
    g = (x[0], w[0], *out)
    title = f"{'x'.join(map(str, x))} * {'x'.join(map(str, w))}"
    title += (
        f" s{stride}" * (stride > 1) + f" p{padding}" * (padding > 0) + f" g{groups}" * (groups > 1)
    )
    tx, tw, tg = [torch.randn(s) for s in (x, w, g)]
    work = float(np.prod(g)) * np.prod(w[1:])

    def gradient(mask):
        return lambda: torch.ops.aten.convolution_backward(
            tg, tx, tw, None, [stride] * rank, [padding] * rank, [1] * rank, False, [0] * rank,
            groups, mask,
        )  # fmt: skip

    def forward():
        return torch.nn.functional.conv2d(tx, tw, None, stride, padding, 1, groups)

    table = {
        "f": ("conv", params, (tx, tw), g, forward),
        "i": (
            "conv_input_grad",
            {**params, "shape": x},
            (tg, tw),
            x,
            gradient([True, False, False]),
        ),
        "w": (
            "conv_weight_grad",
            {**params, "shape": w},
            (tg, tx),
            w,
            gradient([False, True, False]),
        ),
    }
    for name in kinds:
        kind, given, tensors, shape, theirs = table[name]
        result = partial(picked, theirs, "fiw".index(name) - 1)
        yield (
            f"{kind:17}{title}",
            kind,
            given,
            [t.numpy() for t in tensors],
            None,
            shape,
            result,
            work,
        )


def matmul_case(m, k, n, turn=(False, False)):
    """a @ b, either of them the transpose of what lies in memory."""
    ta = torch.randn(k, m).T if turn[0] else torch.randn(m, k)
    tb = torch.randn(n, k).T if turn[1] else torch.randn(k, n)
    views = [
        View((m, k), (1, m) if turn[0] else (k, 1)),
        View((k, n), (1, k) if turn[1] else (n, 1)),
    ]
    arrays = [ta.T.numpy() if turn[0] else ta.numpy(), tb.T.numpy() if turn[1] else tb.numpy()]
    title = f"matmul {m}x{k}{'T' * turn[0]} @ {k}x{n}{'T' * turn[1]}"
    yield title, "matmul", {}, arrays, views, (m, n), (lambda: ta @ tb), float(m) * k * n


def linear(m, k, n):
    """A linear layer: forward, input gradient, weight gradient."""
    yield from matmul_case(m, k, n, (False, True))
    yield from matmul_case(m, n, k)
    yield from matmul_case(n, m, k, (True, False))


def lenet(batch=4):
    yield from conv_case((batch, 3, 32, 32), (6, 3, 5, 5), kinds="fw")
    yield from conv_case((batch, 6, 14, 14), (16, 6, 5, 5))
    for k, n in ((400, 120), (120, 84), (84, 10)):
        yield from linear(batch, k, n)


def resnet():
    yield from conv_case((32, 3, 32, 32), (64, 3, 3, 3), padding=1, kinds="fw")
    for channels, size in ((64, 32), (128, 16), (256, 8), (512, 4)):
        yield from conv_case((32, channels, size, size), (channels, channels, 3, 3), padding=1)
        if channels < 512:
            yield from conv_case((32, channels, size, size), (2 * channels, channels, 3, 3), 2, 1)
            yield from conv_case((32, channels, size, size), (2 * channels, channels, 1, 1), 2)


def resnet224():
    yield from conv_case((8, 3, 224, 224), (64, 3, 7, 7), 2, 3, kinds="fw")
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        yield from conv_case((8, channels, size, size), (channels, channels, 3, 3), padding=1)


def mobilenet():
    for channels, size, stride in (
        (32, 112, 1),
        (96, 112, 2),
        (192, 28, 1),
        (576, 14, 1),
        (960, 7, 1),
    ):
        yield from conv_case((8, channels, size, size), (channels, 1, 3, 3), stride, 1, channels)
    yield from conv_case((8, 96, 56, 56), (24, 96, 1, 1))
    yield from conv_case((8, 160, 7, 7), (960, 160, 1, 1))


def matmul():
    for n in (64, 128, 256, 512, 1024, 2048):
        yield from matmul_case(n, n, n)
    yield from linear(512, 128, 512)
    yield from linear(512, 512, 128)
    yield from linear(16, 128, 512)
    yield from linear(512, 784, 100)


SUITES = {
    "lenet": lenet, "lenet1": lambda: lenet(1), "lenet64": lambda: lenet(64),
    "lenet512": lambda: lenet(512), "resnet": resnet, "resnet224": resnet224,
    "mobilenet": mobilenet, "matmul": matmul,
}  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(SUITES)
    peak = measured_peak()
    print(f"peak of one core: {peak / 1e9:.1f} G multiply-adds a second")
    for name in names:
        print(f"{name:62} {'ours us':>9} {'theirs':>9} {'ratio':>6} {'peak':>6} {'compile ms':>10}")
        total = compiling = theirs_total = 0.0
        for title, kind, params, arrays, views, shape, theirs, work in SUITES[name]():
            views = views or [row_major(a.shape) for a in arrays]
            runner = Runner(lower(kind, params, "float32", *views, shape), arrays, shape)
            runner()
            expected = theirs().numpy()
            assert np.allclose(runner.out, expected, rtol=1e-3, atol=1e-3 * abs(expected).max()), (
                title
            )
            ours, other = side_by_side([runner, theirs], 3 if work > 1e8 else 7)
            total, theirs_total = total + ours, theirs_total + other
            compiling += runner.compiling
            print(
                f"{title:62} {ours * 1e6:9.1f} {other * 1e6:9.1f} {other / ours:6.2f}"
                f" {work / ours / peak:6.1%} {runner.compiling * 1e3:10.1f}"
            )
        print(
            f"{'sum':62} {total * 1e6:9.1f} {theirs_total * 1e6:9.1f} {theirs_total / total:6.2f}"
            f" {'':6} {compiling * 1e3:10.1f}\n"
        )


if __name__ == "__main__":
    main()
