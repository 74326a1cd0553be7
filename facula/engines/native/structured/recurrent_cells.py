"""The cells of recurrent layers, in lanes: a step, and what its gradient does to a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from facula.engines.native.scalars.lanes import Lanes, muladd, where
from facula.engines.native.structured.recurrent_gates import sigmoid, tanh

Values = Sequence[Lanes]
Value = Callable[[], Lanes]  # loaded when it is asked for
Later = Sequence[Value]
Forward = Callable[[Values, Values], tuple[Values, Values]]
Backward = Callable[[Lanes, Value, Later, Later, Later], tuple[Values, "Lanes | None"]]


def _less_square(x: Lanes) -> Lanes:
    """1 - x * x: the slope of tanh where it is x."""
    return muladd(-x, x, 1.0)


def _slope(x: Lanes) -> Lanes:
    """x (1 - x): the slope of a sigmoid where it is x."""
    return x * (1.0 - x)


# (gates, states before) -> (states after, what is kept)


def _lstm(gates: Values, state: Values) -> tuple[Values, Values]:
    i, f, g, o = gates
    i, f, g, o = sigmoid(i), sigmoid(f), tanh(g), sigmoid(o)
    cell = muladd(f, state[1], i * g)
    return (o * tanh(cell), cell), (i, f, g, o)


def _tanh(gates: Values, state: Values) -> tuple[Values, Values]:
    return (tanh(gates[0]),), ()


def _relu(gates: Values, state: Values) -> tuple[Values, Values]:
    return (where(gates[0] < 0.0, 0.0, gates[0]),), ()


def gru(xs: Values, hs: Values, state: Values) -> tuple[Values, Values]:
    """As the others, from what comes from the input and from the state apart."""
    r, z = [sigmoid(x + h) for x, h in zip(xs[:2], hs[:2], strict=True)]
    n = tanh(muladd(r, hs[2], xs[2]))
    return (muladd(state[0] - n, z, n),), (r, z, n, hs[2])


SUMMED: dict[str, Forward] = {"lstm": _lstm, "tanh": _tanh, "relu": _relu}


# (gradient of the output, carried from the step after, kept, states before, states after)
# -> (gradients of the gates and others, carried to the step before)


def _lstm_grad(
    grad: Lanes, carry: Value, kept: Later, before: Later, after: Later
) -> tuple[Values, Lanes | None]:
    i, f, g, o = [x() for x in kept]
    cell = tanh(after[1]())
    total = muladd(grad * o, _less_square(cell), carry())
    gates = (
        total * g * _slope(i),
        total * before[1]() * _slope(f),
        total * i * _less_square(g),
        grad * cell * _slope(o),
    )
    return gates, total * f


def _gru_grad(
    grad: Lanes, carry: Value, kept: Later, before: Later, after: Later
) -> tuple[Values, Lanes | None]:
    r, z, n, hn = [x() for x in kept]
    grad = grad + carry()
    new = grad * (1.0 - z) * _less_square(n)
    update = grad * (before[0]() - n) * _slope(z)
    return (new * hn * _slope(r), update, new * r, new), grad * z


def _tanh_grad(
    grad: Lanes, carry: Value, kept: Later, before: Later, after: Later
) -> tuple[Values, Lanes | None]:
    return (grad * _less_square(after[0]()),), None


def _relu_grad(
    grad: Lanes, carry: Value, kept: Later, before: Later, after: Later
) -> tuple[Values, Lanes | None]:
    return (where(after[0]() <= 0.0, 0.0, grad),), None


BACKWARD: dict[str, Backward] = {
    "lstm": _lstm_grad, "gru": _gru_grad, "tanh": _tanh_grad, "relu": _relu_grad
}  # fmt: skip
CARRYING = ("lstm", "gru")  # cells whose gradient also goes past the weights
