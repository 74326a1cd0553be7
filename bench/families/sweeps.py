"""Matrix products and convolutions by themselves, as fractions of the machine's peak."""

from __future__ import annotations

from rows import Row

# (rows, inner, columns): squares, then what small networks ask for.
PRODUCTS = [(n, n, n) for n in (64, 128, 256, 512, 1024, 2048)] + [
    (4, 400, 120), (10, 784, 100), (64, 784, 512), (512, 128, 384),
]  # fmt: skip
# (name, batch, channels in and out, pixels, kernel, stride, padding, groups)
CONVOLUTIONS = [
    ("LeNet's first", 4, 3, 6, 32, 5, 1, 0, 1),
    ("LeNet's second", 4, 6, 16, 14, 5, 1, 0, 1),
    ("ResNet stem", 4, 3, 64, 224, 7, 2, 3, 1),
    ("3x3", 4, 64, 64, 56, 3, 1, 1, 1),
    ("3x3", 8, 128, 128, 28, 3, 1, 1, 1),
    ("3x3", 8, 256, 256, 14, 3, 1, 1, 1),
    ("3x3", 16, 512, 512, 7, 3, 1, 1, 1),
    ("3x3, stride 2", 4, 64, 128, 56, 3, 2, 1, 1),
    ("1x1", 4, 64, 256, 56, 1, 1, 0, 1),
    ("depthwise 3x3", 4, 96, 96, 56, 3, 1, 1, 96),
]


def _product(m: int, k: int, n: int) -> Row:
    def build(kit):
        t = kit.t
        a, b = t.randn(m, k), t.randn(k, n)
        return lambda: (a @ b).numpy()

    return Row(
        f"matmul-{m}-{k}-{n}", f"matmul {m}x{k} by {k}x{n}", "sweeps", build, flops=2.0 * m * k * n
    )


def _convolution(number: int, case: tuple, backward: bool) -> Row:
    name, batch, before, after, size, kernel, stride, padding, groups = case

    def build(kit):
        t = kit.t
        x = t.randn(batch, before, size, size)
        w = t.randn(after, before // groups, kernel, kernel)
        options = {"stride": stride, "padding": padding, "groups": groups}
        if not backward:
            return lambda: t.nn.functional.conv2d(x, w, **options).numpy()
        x.requires_grad_()
        w.requires_grad_()
        with t.no_grad():
            slope = t.randn_like(t.nn.functional.conv2d(x, w, **options))

        def step():
            x.grad = w.grad = None
            t.nn.functional.conv2d(x, w, **options).backward(slope)
            return x.grad.numpy(), w.grad.numpy()

        return step

    out = (size + 2 * padding - kernel) // stride + 1
    forward = 2.0 * batch * out * out * after * (before // groups) * kernel * kernel
    what = "gradients" if backward else "forward"
    return Row(
        f"conv-{number}-{what}",
        f"convolution {name}, {before} to {after}, {size} px, batch {batch}, {what}",
        "sweeps",
        build,
        # The value of the convolution is not needed for its gradients: who computes it
        # nevertheless does more than is counted.
        flops=forward * (2 if backward else 1),
    )


ROWS = [
    *[_product(*case) for case in PRODUCTS],
    *[_convolution(i, case, b) for i, case in enumerate(CONVOLUTIONS) for b in (False, True)],
]
