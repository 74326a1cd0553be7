"""The windows of pooling: their geometry, PyTorch's checks, and the node's name."""

from __future__ import annotations

from facula.base.caches import Cache


def _shape(x):
    return x._value.spec.shape


def each(name, what, value, rank) -> tuple[int, ...]:
    """An int or a sequence of ints as one int for each spatial dimension."""
    if isinstance(value, int):
        return (value,) * rank
    values = tuple([int(v) for v in value])
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        words = {1: "one int", 2: "two ints", 3: "three ints"}
        raise RuntimeError(
            f"{name}: {what} must either be a single int, or a tuple of {words[rank]}"
        )
    return values


def _output_size(n, k, s, pad, d, ceil_mode):
    size = (n + 2 * pad - d * (k - 1) - 1 + (s - 1 if ceil_mode else 0)) // s + 1
    # The last window must start inside the input or its left padding.
    return size - 1 if ceil_mode and (size - 1) * s >= n + pad else size


def geometry_of(name, rank, input, kernel_size, stride, padding, dilation, ceil_mode):
    """(kernel, stride, (before, after) padding, dilation, output sizes) of a pooling call."""
    kernel = each(name, "kernel_size", kernel_size, rank)
    empty = stride is None or (not isinstance(stride, int) and len(stride) == 0)
    steps = kernel if empty else each(name, "stride", stride, rank)
    pads = each(name, "padding", padding, rank)
    spread = each(name, "dilation", dilation, rank)
    _check_window(name, kernel, steps, pads, spread)
    sizes = _shape(input)[-rank:]
    out = tuple(
        [
            _output_size(n, k, s, pad, d, ceil_mode)
            for n, k, s, pad, d in zip(sizes, kernel, steps, pads, spread, strict=True)
        ]
    )
    if any(n < 1 for n in out):
        _refuse_size(name, rank, input, sizes, out)
    padded = [
        (pad, max(pad, (m - 1) * s + d * (k - 1) + 1 - n - pad))
        for n, k, s, pad, d, m in zip(sizes, kernel, steps, pads, spread, out, strict=True)
    ]
    return kernel, steps, tuple(padded), spread, out


def _refuse_size(name, rank, input, sizes, out):
    if name == "max_pool1d" and input._node is None:
        raise RuntimeError(f"max_pool1d() Invalid computed output size: {out[0]}")
    lead = (_shape(input)[-rank - 1], 1) if rank == 1 else (_shape(input)[-rank - 1],)
    given, found = ["x".join(map(str, (*lead, *n))) for n in (sizes, out)]
    raise RuntimeError(
        f"Given input size: ({given}). Calculated output size: ({found}). Output size is too small"
    )


def _check_window(name, kernel, stride, padding, dilation):
    if any(s == 0 for s in stride):
        raise RuntimeError("stride should not be zero")
    if any(k <= 0 for k in kernel):
        raise RuntimeError(
            f"{name}: kernel size should be greater than zero, but got {list(kernel)}"
        )
    if any(d <= 0 for d in dilation):
        axes = "TWH" if len(dilation) == 3 else "HW"
        told = " ".join(f"dilation{a}: {d}" for a, d in zip(axes, dilation, strict=False))
        raise RuntimeError(f"dilation should be greater than zero, but got {told}")
    for k, pad, d in zip(kernel, padding, dilation, strict=True):
        if pad < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {pad}")
        if pad > (d * (k - 1) + 1) // 2:
            if len(kernel) == 1 and name.startswith("max"):
                raise RuntimeError(
                    "max_pool1d() padding should be at most half of kernel size, but got "
                    f"padding={pad} and kernel_size={k}"
                )
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={pad}, kernel_size={k} and dilation={d}"
            )


def window_params(geometry):
    kernel, stride, padding, dilation, out = geometry
    return {
        "kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "out": out
    }  # fmt: skip


def pool_name(template_name):
    """The node's name from the rank of the windows; PyTorch pools 1-d inputs as images."""

    def name(specs, template):
        rank = len(template[-1][-1])
        return "SqueezeBackward1" if rank == 1 else template_name.format(rank)

    return name


_known = Cache(2000)


def recalled(name, input, arguments):
    """What ``remember`` was given for a call like this one; None if there was none."""
    try:
        return _known.get((name, input._value.spec, arguments))
    except (AttributeError, TypeError):
        return None


def remember(name, input, arguments, geometry) -> None:
    """Keep the geometry of a call that passed all checks."""
    try:
        _known.put((name, input._value.spec, arguments), geometry)
    except TypeError:
        return  # lists among the arguments: they are looked at again each time
