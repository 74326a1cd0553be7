"""Convolutions and transposed convolutions in one to three dimensions."""

from __future__ import annotations

from facula.base.dtypes import BOOL
from facula.graph.primitives import contraction as p
from facula.graph.primitives import elementwise as e
from facula.operators import kit
from facula.operators.arithmetic import _add
from facula.operators.basic import conj
from facula.operators.contraction import c_name, check_tensors
from facula.operators.movement import _permute, _squeeze, _unsqueeze
from facula.operators.operator import operator
from facula.operators.reduction import sum as sum_

# A convolution is linear in the input and in the weight. Three operators - forward, gradient for
# the input (also the transposed convolution), gradient for the weight - are closed under
# differentiation: the derivative of each is written with the other two.


def _shape(x):
    return x._value.spec.shape


def _dtype(x):
    return x._value.spec.dtype


@operator(
    name="Convolution",
    derivative={
        "x": lambda g, x, w, geometry: _conv_input(g, conj(w), _shape(x), geometry),
        "w": lambda g, x, w, geometry: _conv_weight(g, conj(x), _shape(w), geometry),
    },
)
def _conv(x, w, geometry: tuple):
    return kit.bind(p.conv, x, w, **_params(geometry))


@operator(
    name="Convolution",
    derivative={
        "y": lambda g, w, geometry: _conv(g, conj(w), geometry),
        "w": lambda g, y, w, geometry: _conv_weight(conj(y), g, _shape(w), geometry),
    },
)
def _conv_input(y, w, shape: tuple, geometry: tuple):
    return kit.bind(p.conv_input_grad, y, w, shape=shape, **_params(geometry))


@operator(
    name="Convolution",
    derivative={
        "y": lambda g, x, geometry: _conv(conj(x), g, geometry),
        "x": lambda g, y, x, geometry: _conv_input(conj(y), g, _shape(x), geometry),
    },
)
def _conv_weight(y, x, shape: tuple, geometry: tuple):
    return kit.bind(p.conv_weight_grad, y, x, shape=shape, **_params(geometry))


def _params(geometry):
    stride, padding, dilation, groups = geometry
    return {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def _convolution_grads(g, input, weight, geometry, output, needs):
    found = {}
    if output is None:
        if "input" in needs:
            found["input"] = _conv_input(g, conj(weight), _shape(input), geometry)
        if "weight" in needs:
            found["weight"] = _conv_weight(g, conj(input), _shape(weight), geometry)
    else:
        if "input" in needs:
            found["input"] = _conv(g, conj(weight), geometry)
        if "weight" in needs:
            found["weight"] = _conv_weight(conj(input), g, _shape(weight), geometry)
    if "bias" in needs:
        found["bias"] = sum_(g, (0, *range(2, len(_shape(g)))))
    return found


@operator(name="Convolution", derivative=_convolution_grads)
def _convolution(input, weight, bias, geometry: tuple, output: tuple):
    """``output`` is None, or for a transposed convolution its spatial sizes."""
    if output is None:
        out = kit.bind(p.conv, input, weight, **_params(geometry))
    else:
        shape = (_shape(input)[0], _shape(weight)[1] * geometry[3], *output)
        out = kit.bind(p.conv_input_grad, input, weight, shape=shape, **_params(geometry))
    if bias is None:
        return out
    spatial = (1,) * (len(_shape(out)) - 2)
    return kit.bind(e.add, out, kit.reshape(bias, (*_shape(bias), *spatial)))


# Arguments ---------------------------------------------------------------------------------------


def _each(name, value, rank) -> tuple[int, ...]:
    """An int or a sequence of ints as one int for each spatial dimension."""
    if isinstance(value, int):
        return (value,) * rank
    values = tuple([int(v) for v in value])
    if len(values) == 1:
        return values * rank
    if len(values) != rank:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the "
            f"convolution dimensions, but got {name}={list(values)}"
        )
    return values


def _check_numbers(stride, padding, dilation, output_padding, groups):
    if any(n < 0 for pair in padding for n in pair):
        raise RuntimeError("negative padding is not supported")
    if any(n < 0 for n in output_padding):
        raise RuntimeError("negative output_padding is not supported")
    if any(n <= 0 for n in stride):
        raise RuntimeError("non-positive stride is not supported")
    if any(n <= 0 for n in dilation):
        raise RuntimeError("non-positive dilation is not supported")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")


def _check_dtypes(input, weight, bias):
    own = _dtype(input)
    if bias is not None and _dtype(bias) is not own:
        raise RuntimeError(
            f"Input type ({c_name(own)}) and bias type ({c_name(_dtype(bias))}) should be the same"
        )
    if _dtype(weight) is not own:
        if own.legacy != "Float":
            raise RuntimeError(
                f"expected scalar type {own.legacy} but found {_dtype(weight).legacy}"
            )
        raise RuntimeError(
            f"Input type (torch.{own.legacy}Tensor) and weight type "
            f"(torch.{_dtype(weight).legacy}Tensor) should be the same or input should be a MKLDNN "
            "tensor and weight is a dense tensor"
        )
    if own.category == BOOL:
        raise NotImplementedError("\"slow_conv2d_cpu\" not implemented for 'Bool'")


def _check_channels(x, w, bias, groups, transposed):
    which = f"Given transposed={int(transposed)}" if transposed else f"Given groups={groups}"
    if w[0] < groups or (transposed and w[0] % groups):
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {list(w)} instead"
        )
    if not transposed and w[0] % groups:
        raise RuntimeError(
            f"{which}, expected weight to be divisible by {groups} at dimension 0, but got weight "
            f"of size [{list(w)}] instead"
        )
    expected = w[0] if transposed else w[1] * groups
    if x[1] != expected:
        raise RuntimeError(
            f"{which}, weight of size {list(w)}, expected input{list(x)} to have {expected} "
            f"channels, but got {x[1]} channels instead"
        )
    outputs = w[1] * groups if transposed else w[0]
    if bias is not None and _shape(bias) != (outputs,):
        given = "Given transposed=1, weight" if transposed else "Given weight"
        raise RuntimeError(
            f"{given} of size {list(w)}, expected bias to be 1-dimensional with {outputs} "
            f"elements, but got bias of size {list(_shape(bias))} instead"
        )


def _by(sizes) -> str:
    return "(" + " x ".join(map(str, sizes)) + ")"


def _check_kernel(x, w, padding, dilation):
    padded = [n + low + high for n, (low, high) in zip(x[2:], padding, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(w[2:], dilation, strict=True)]
    if any(n < k for n, k in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: {_by(padded)}. Kernel size: {_by(reach)}. "
            "Kernel size can't be greater than actual input size"
        )


def _transposed_sizes(x, w, stride, padding, dilation, output_padding):
    """Spatial sizes of the result, and the padding that the equivalent gradient has."""
    for extra, s, d in zip(output_padding, stride, dilation, strict=True):
        if extra >= s and extra >= d:
            names = ("width",) if len(stride) == 1 else ("height", "width")
            names = names if len(stride) <= 2 else ("depth", *names)
            told = " ".join(
                f"{what}_{name}: {n}"
                for what, numbers in (
                    ("output_padding", output_padding), ("stride", stride), ("dilation", dilation)
                )
                for name, n in zip(names, numbers, strict=True)
            )  # fmt: skip
            raise RuntimeError(
                "output padding must be smaller than either stride or dilation, but got " + told
            )
    sizes = [
        (n - 1) * s - low - high + d * (k - 1) + extra + 1
        for n, k, s, (low, high), d, extra in zip(
            x[2:], w[2:], stride, padding, dilation, output_padding, strict=True
        )
    ]
    if any(n < 0 for n in sizes):
        raise RuntimeError(
            f"Given input size per channel: {_by(x[2:])}. Calculated output size per channel: "
            f"{_by(sizes)}. Output size is too small"
        )
    # A convolution of the result must give the input's size back; extra rows that reach over a
    # whole stride are cut off again.
    cut = [
        (low, high - extra if extra >= s else high)
        for (low, high), s, extra in zip(padding, stride, output_padding, strict=True)
    ]
    return tuple(sizes), tuple(cut)


def _convolve(input, weight, bias, stride, padding, dilation, groups, output_padding=None):
    """A batched convolution after PyTorch's checks; transposed if ``output_padding`` is given."""
    x, w = _shape(input), _shape(weight)
    transposed = output_padding is not None
    _check_numbers(stride, padding, dilation, output_padding or (), groups)
    _check_channels(x, w, bias, groups, transposed)
    _check_dtypes(input, weight, bias)
    sizes = None
    if transposed:
        sizes, padding = _transposed_sizes(x, w, stride, padding, dilation, output_padding)
    else:
        _check_kernel(x, w, padding, dilation)
    return _convolution(input, weight, bias, (stride, padding, dilation, groups), sizes)


def _geometry(rank, weight, stride, padding, dilation, groups):
    """(stride, (before, after) padding, dilation, groups) from arguments as users write them."""
    steps = _each("stride", stride, rank)
    spread = _each("dilation", dilation, rank)
    own = len(_shape(weight)) - 2
    if own != rank:
        raise RuntimeError(
            f"expected stride to be a single integer value or a list of {own} values to match the "
            f"convolution dimensions, but got stride={list(steps)}"
        )
    return steps, _paddings(padding, weight, steps, spread, rank), spread, groups


def _forward_grads(g, input, weight, stride, padding, dilation, groups, needs):
    rank = len(_shape(weight)) - 2
    geometry = _geometry(rank, weight, stride, padding, dilation, groups)
    return _convolution_grads(g, input, weight, geometry, None, needs)


def _forward(rank):
    """The convolution of batches; it takes its arguments as users write them.

    So a call like an earlier one is found by them, and they are looked at once.
    """
    name = f"conv{rank}d"

    def body(input, weight, bias, stride, padding, dilation, groups):
        check_tensors(name, input=input, weight=weight)
        ndim = len(_shape(input))
        if ndim != rank + 2:
            raise RuntimeError(
                f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but "
                f"got input of size: {list(_shape(input))}"
            )
        geometry = _geometry(rank, weight, stride, padding, dilation, groups)
        return _convolve(input, weight, bias, *geometry)

    body.__name__ = f"_{name}"
    return operator(name="Convolution", derivative=_forward_grads)(body)


_conv1d, _conv2d, _conv3d = _forward(1), _forward(2), _forward(3)


def _is_single(input, ndim) -> bool:
    """Whether the input has no batch dimension."""
    try:
        return input._value.spec.ndim == ndim
    except AttributeError:  # no tensor, which the operator refuses
        return False


def _squeeze_first(out):
    """The only member of a batch, under the node name that PyTorch gives it."""
    return _squeeze(out, (0,), int)


def _paddings(padding, weight, stride, dilation, rank):
    """(before, after) for each spatial dimension."""
    if not isinstance(padding, str):
        return tuple([(n, n) for n in _each("padding", padding, rank)])
    if padding == "valid":
        return ((0, 0),) * rank
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for k, d in zip(_shape(weight)[2:], dilation, strict=True)]
    return tuple([(n // 2, n - n // 2) for n in total])


# Public functions --------------------------------------------------------------------------------


def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of (N, C, L) or (C, L) with a weight (O, C/groups, K)."""
    if _is_single(input, 2):
        batch = _unsqueeze(input, 0)
        return _squeeze_first(_conv1d(batch, weight, bias, stride, padding, dilation, groups))
    return _conv1d(input, weight, bias, stride, padding, dilation, groups)


def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of images (N, C, H, W) or (C, H, W) with a weight (O, C/groups, KH, KW).

    ``padding`` is an int, a pair, "valid" or "same" (then the stride must be 1).

    >>> import facula as torch
    >>> x, w = torch.randn(1, 3, 32, 32), torch.randn(6, 3, 5, 5)
    >>> torch.nn.functional.conv2d(x, w).shape
    torch.Size([1, 6, 28, 28])
    """
    try:  # what _is_single does
        single = input._value.spec.ndim == 3
    except AttributeError:
        single = False
    if single:
        batch = _unsqueeze(input, 0)
        return _squeeze_first(_conv2d(batch, weight, bias, stride, padding, dilation, groups))
    return _conv2d(input, weight, bias, stride, padding, dilation, groups)


def conv3d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Cross-correlation of volumes (N, C, D, H, W) with a weight (O, C/groups, KD, KH, KW)."""
    if _is_single(input, 4):
        batch = _unsqueeze(input, 0)
        return _squeeze_first(_conv3d(batch, weight, bias, stride, padding, dilation, groups))
    return _conv3d(input, weight, bias, stride, padding, dilation, groups)


def _transpose_nd(
    name, rank, input, weight, bias, stride, padding, output_padding, groups, dilation
):
    check_tensors(name, input=input, weight=weight)
    ndim = len(_shape(input))
    if ndim not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but got "
            f"input of size: {list(_shape(input))}"
        )
    if ndim == rank + 1:
        input = _unsqueeze(input, 0)
    pads = tuple([(n, n) for n in _each("padding", padding, rank)])
    out = _convolve(
        input,
        weight,
        bias,
        _each("stride", stride, rank),
        pads,
        _each("dilation", dilation, rank),
        groups,
        _each("output_padding", output_padding, rank),
    )
    return _squeeze_first(out) if ndim == rank + 1 else out


def conv_transpose1d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The gradient of ``conv1d`` for its input, as an operation: weight (C, O/groups, K)."""
    return _transpose_nd(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose2d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The gradient of ``conv2d`` for its input, as an operation: weight (C, O/groups, KH, KW)."""
    return _transpose_nd(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def conv_transpose3d(
    input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1
):
    """The gradient of ``conv3d`` for its input, as an operation: weight (C, O/groups, *K)."""
    return _transpose_nd(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """Any of the convolutions, chosen by the weight's rank and ``transposed``."""
    rank = len(_shape(weight)) - 2
    return _convolve(
        input,
        weight,
        bias,
        _each("stride", stride, rank),
        tuple([(n, n) for n in _each("padding", padding, rank)]),
        _each("dilation", dilation, rank),
        groups,
        _each("output_padding", output_padding, rank) if transposed else None,
    )


def conv_tbc(input, weight, bias, pad=0):
    """A 1-d convolution of (time, batch, channels) with a weight (K, C, O)."""
    if len(_shape(input)) != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if len(_shape(weight)) != 3:
        raise RuntimeError(
            "Weight tensor must have 3 dims: kernel_width, in_channels, out_channels."
        )
    if len(_shape(bias)) != 1:
        raise RuntimeError("Bias must be 1-D")
    return _conv_tbc(input, weight, bias, pad)


@operator(name="ConvTbc")
def _conv_tbc(input, weight, bias, pad: int):
    geometry = ((1,), ((pad, pad),), (1,), 1)
    moved = _conv(_permute(input, (1, 2, 0)), _permute(weight, (2, 1, 0)), geometry)
    return _add(_permute(moved, (2, 0, 1)), bias, None)


_NAMES = [
    "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "conv_tbc",
]  # fmt: skip
NAMESPACES = {"torch": [*_NAMES, "convolution"], "functional": _NAMES}
