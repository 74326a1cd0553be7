"""The rows in jax: loss, gradients and update in one jitted function that donates its state."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from peers.layouts import batches_last, channels_last, feed

IMAGES = ("NHWC", "HWIO", "NHWC")


def cross_entropy(scores, labels):
    chosen = jnp.take_along_axis(jax.nn.log_softmax(scores), labels[..., None], -1)
    return -chosen.mean()


def quadratic(outputs, targets):
    return ((outputs - targets) ** 2).sum(1).mean() / 2


def binary(outputs, targets):
    return -(targets * jnp.log(outputs) + (1 - targets) * jnp.log(1 - outputs)).mean()


LOSSES = {"cross entropy": cross_entropy, "quadratic": quadratic, "binary": binary}


def sgd(parameters, gradients, memory, lr, momentum=0.0):
    if momentum:
        memory = jax.tree.map(lambda m, g: momentum * m + g, memory, gradients)
        gradients = memory
    return jax.tree.map(lambda p, g: p - lr * g, parameters, gradients), memory


def adam(parameters, gradients, memory, lr, decay=0.0, first=0.9, second=0.999, tiny=1e-8):
    means, squares, count = memory
    count = count + 1
    means = jax.tree.map(lambda m, g: first * m + (1 - first) * g, means, gradients)
    squares = jax.tree.map(lambda s, g: second * s + (1 - second) * g * g, squares, gradients)
    a, b = 1 - first**count, jnp.sqrt(1 - second**count)

    def moved(p, m, s):
        return p * (1 - lr * decay) - lr / a * m / (jnp.sqrt(s) / b + tiny)

    return jax.tree.map(moved, parameters, means, squares), (means, squares, count)


def stepper(loss, parameters, batches, update, memory):
    """A step function; ``loss(parameters, x, y)`` and ``update(p, g, memory)``."""

    def train(parameters, memory, x, y):
        value, gradients = jax.value_and_grad(loss)(parameters, x, y)
        return value, *update(parameters, gradients, memory)

    train = jax.jit(train, donate_argnums=(0, 1))
    state = [[jnp.array(p) for p in parameters], memory]
    turn = feed(batches, jnp.array)

    def step():
        value, *state[:] = train(*state, *next(turn))
        return float(value)

    return step


def zeros(parameters):
    return [jnp.zeros(p.shape, p.dtype) for p in parameters]


def convolution(x, w, stride=1, padding=0):
    edges = [(padding, padding)] * 2
    return lax.conv_general_dilated(x, w, (stride, stride), edges, dimension_numbers=IMAGES)


def pool(x, size, stride, padding=0):
    edges = ((0, 0), (padding, padding), (padding, padding), (0, 0))
    window, strides = (1, size, size, 1), (1, stride, stride, 1)
    return lax.reduce_window(x, -jnp.inf, lax.max, window, strides, edges)


def chain(parameters, batches, layers, loss, optimizer, lr, momentum=0.0):
    """Layers in a row."""
    parameters, batches = channels_last(parameters), batches_last(batches)

    def value(parameters, x, y):
        given = iter(parameters)
        for kind, *options in layers:
            if kind == "conv":
                x = convolution(x, next(given)) + next(given)
            elif kind == "linear":
                x = x @ next(given) + next(given)
            elif kind == "pool":
                x = pool(x, options[0], options[0])
            elif kind == "flatten":
                x = x.reshape(x.shape[0], -1)
            else:
                x = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[kind](x)
        return LOSSES[loss](x, y)

    def update(p, g, m):
        return sgd(p, g, m, lr, momentum)

    return stepper(value, parameters, batches, update, zeros(parameters) if momentum else ())


def _normalised(x, scale, shift):
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift


def resnet(parameters, batches, depths, small, lr, momentum):
    """A residual network in training; running statistics, which no loss sees, are left out."""
    parameters, batches = channels_last(parameters), batches_last(batches)

    def value(parameters, x, y):
        given = iter(parameters)

        def unit(x, stride=1, padding=1):
            x = convolution(x, next(given), stride, padding)
            return _normalised(x, next(given), next(given))

        x = jax.nn.relu(unit(x) if small else unit(x, 2, 3))
        x = x if small else pool(x, 3, 2, 1)
        for stage, blocks in enumerate(depths):
            for i in range(blocks):
                stride = 2 if stage and not i else 1
                out = unit(jax.nn.relu(unit(x, stride)))
                x = jax.nn.relu(out + (unit(x, stride, 0) if stride == 2 else x))
        return cross_entropy(x.mean((1, 2)) @ next(given) + next(given), y)

    def update(p, g, m):
        return sgd(p, g, m, lr, momentum)

    return stepper(value, parameters, batches, update, zeros(parameters))


def _layer_norm(x, scale, shift):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) * lax.rsqrt(variance + 1e-5) * scale + shift


def gpt(parameters, batches, layers, heads, lr, decay):
    """The transformer of families/transformers.py; matrices stay as PyTorch has them."""

    def value(parameters, x, y):
        given = iter(parameters)

        def linear(x):
            return x @ next(given).T + next(given)

        def norm(x):
            return _layer_norm(x, next(given), next(given))

        batch, length = x.shape
        words, places = next(given), next(given)
        x = words[x] + places
        seen = jnp.tril(jnp.ones((length, length), bool))
        for _ in range(layers):
            qkv = linear(norm(x)).reshape(batch, length, 3, heads, -1)
            q, k, v = (qkv[:, :, i].transpose(0, 2, 1, 3) for i in range(3))
            scores = q @ k.swapaxes(2, 3) / math.sqrt(q.shape[-1])
            weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))
            mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(x.shape)
            x = x + linear(mixed)
            x = x + linear(jax.nn.gelu(linear(norm(x)), approximate=False))
        return cross_entropy(norm(x) @ next(given).T, y)

    def update(p, g, m):
        return adam(p, g, m, lr, decay)

    memory = (zeros(parameters), zeros(parameters), jnp.zeros(()))
    return stepper(value, parameters, batches, update, memory)


def lstm(parameters, batches, lr):
    """The LSTM of families/recurrent.py, its time steps in a scan."""

    def value(parameters, x, y):
        from_input, from_state, bias1, bias2, weight, bias = parameters
        ahead = (x @ from_input.T + bias1 + bias2).swapaxes(0, 1)

        def tick(state, gates):
            hidden, cell = state
            i, f, g, o = jnp.split(gates + hidden @ from_state.T, 4, 1)
            cell = jax.nn.sigmoid(f) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
            return (jax.nn.sigmoid(o) * jnp.tanh(cell), cell), None

        rest = jnp.zeros((x.shape[0], from_state.shape[1]))
        (hidden, _), _ = lax.scan(tick, (rest, rest), ahead)
        return cross_entropy(hidden @ weight.T + bias, y)

    def update(p, g, m):
        return adam(p, g, m, lr)

    memory = (zeros(parameters), zeros(parameters), jnp.zeros(()))
    return stepper(value, parameters, batches, update, memory)
