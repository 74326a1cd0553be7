"""One step of a recurrent cell in two or three operations, for programs that loop over time.

The same steps composed of some fifteen operations are in ``recurrent_steps``; recording those costs
more than the arithmetic of a small cell. The names are those of the operations that PyTorch's
steps end in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from facula.operators.activation import relu
from facula.operators.contraction import matmul, mm, swapped
from facula.operators.joining import cat
from facula.operators.linear import linear
from facula.operators.operator import operator
from facula.operators.parts import chunk
from facula.operators.transcendental import sigmoid, tanh

State = tuple[Any, ...]


def _slope(x):
    """Of a sigmoid where it is ``x``."""
    return x * (1 - x)


def _products_grads(to_input, to_state, input, w_ih, state, w_hh, needs):
    found = {"b_ih": to_input, "b_hh": to_state}
    for name, weight, rows, g in (
        ("input", "w_ih", (input, w_ih), to_input),
        ("state", "w_hh", (state, w_hh), to_state),
    ):
        if name in needs:
            found[name] = matmul(g, rows[1])
        if weight in needs:
            found[weight] = mm(swapped(g), rows[0])
    return found


def _sum_grads(g, input, w_ih, state, w_hh, needs):
    return _products_grads(g, g, input, w_ih, state, w_hh, needs)


@operator(name="Add", derivative=_sum_grads)
def _gates(input, w_ih, b_ih, state, w_hh, b_hh):
    """W_ih x + b_ih + W_hh h + b_hh for rows of inputs and states."""
    return linear(input, w_ih, b_ih) + linear(state, w_hh, b_hh)


def _parts_grads(gs, input, w_ih, state, w_hh, needs):
    return _products_grads(*gs, input, w_ih, state, w_hh, needs)


@operator(name="Addmm", derivative=_parts_grads)
def _gate_parts(input, w_ih, b_ih, state, w_hh, b_hh):
    """The two parts of the gates apart."""
    return [linear(input, w_ih, b_ih), linear(state, w_hh, b_hh)]


# Gates that are outputs have gradients when gradients are differentiated: rules look at them.


def _cell_state_grads(gs, outs, c):
    (g, g_i, g_f, g_n, g_o), (_, i, f, n, o) = gs, outs
    parts = [
        (g * n + g_i) * _slope(i),
        (g * c + g_f) * _slope(f),
        (g * i + g_n) * (1 - n * n),
        g_o * _slope(o),
    ]
    return {"gates": cat(parts, 1), "c": g * f}


@operator(name="Add", derivative=_cell_state_grads)
def _cell_state(gates, c):
    """The next cell state of an LSTM; then its gates, of which only the last may be used."""
    i, f, n, o = chunk(gates, 4, 1)
    i, f, n, o = sigmoid(i), sigmoid(f), tanh(n), sigmoid(o)
    return [f * c + i * n, i, f, n, o]


def _shown_grads(g, o, c):
    seen = tanh(c)
    return {"o": g * seen, "c": g * o * (1 - seen * seen)}


@operator(name="Mul", derivative=_shown_grads)
def _shown(o, c):
    return o * tanh(c)


def _gru_grads(gs, outs, from_state, h):
    (g, g_r, g_z, g_n), (_, r, z, n) = gs, outs
    new = (g * (1 - z) + g_n) * (1 - n * n)
    update = (g * (h - n) + g_z) * _slope(z)
    reset = (new * chunk(from_state, 3, 1)[2] + g_r) * _slope(r)
    return {
        "from_input": cat([reset, update, new], 1),
        "from_state": cat([reset, update, new * r], 1),
        "h": g * z,
    }


@operator(name="Add", derivative=_gru_grads)
def _gru(from_input, from_state, h):
    """The next state; then the gates, which only the derivative uses."""
    x_r, x_z, x_n = chunk(from_input, 3, 1)
    h_r, h_z, h_n = chunk(from_state, 3, 1)
    r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
    n = tanh(x_n + r * h_n)
    return [(h - n) * z + n, r, z, n]


def _lstm_cell(input, state: State, weights: tuple) -> State:
    w_ih, w_hh, b_ih, b_hh = weights
    c, _, _, _, o = _cell_state(_gates(input, w_ih, b_ih, state[0], w_hh, b_hh), state[1])
    return _shown(o, c), c


def _gru_cell(input, state: State, weights: tuple) -> State:
    w_ih, w_hh, b_ih, b_hh = weights
    parts = _gate_parts(input, w_ih, b_ih, state[0], w_hh, b_hh)
    return (_gru(*parts, state[0])[0],)


def _tanh_cell(input, state: State, weights: tuple) -> State:
    w_ih, w_hh, b_ih, b_hh = weights
    return (tanh(_gates(input, w_ih, b_ih, state[0], w_hh, b_hh)),)


def _relu_cell(input, state: State, weights: tuple) -> State:
    w_ih, w_hh, b_ih, b_hh = weights
    return (relu(_gates(input, w_ih, b_ih, state[0], w_hh, b_hh)),)


# (input (B, in), state, (w_ih, w_hh, b_ih, b_hh)) -> new state
CELLS: dict[str, Callable[[Any, State, tuple], State]] = {
    "lstm": _lstm_cell, "gru": _gru_cell, "tanh": _tanh_cell, "relu": _relu_cell
}  # fmt: skip
