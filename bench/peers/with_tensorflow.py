"""The rows in TensorFlow: one tf.function a step, images channels-last."""

from __future__ import annotations

import tensorflow as tf

from peers.layouts import batches_last, channels_last, feed


def cross_entropy(scores, labels):
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, scores)
    return tf.reduce_mean(losses)


def quadratic(outputs, targets):
    return tf.reduce_mean(tf.reduce_sum((outputs - targets) ** 2, 1)) / 2


def binary(outputs, targets):
    logs = targets * tf.math.log(outputs) + (1 - targets) * tf.math.log(1 - outputs)
    return -tf.reduce_mean(logs)


LOSSES = {"cross entropy": cross_entropy, "quadratic": quadratic, "binary": binary}


def _stepper(forward, variables, batches, lr, momentum):
    """A step function of SGD; ``forward(variables, x, y)`` is the loss."""
    moving = [tf.Variable(tf.zeros_like(v)) for v in variables] if momentum else []

    @tf.function
    def train(x, y):
        with tf.GradientTape() as tape:
            loss = forward(variables, x, y)
        gradients = tape.gradient(loss, variables)
        for i, (variable, gradient) in enumerate(zip(variables, gradients)):
            if momentum:
                gradient = moving[i].assign(momentum * moving[i] + gradient)
            variable.assign_sub(lr * gradient)
        return loss

    turn = feed(batches, tf.constant)
    return lambda: float(train(*next(turn)))


def chain(parameters, batches, layers, loss, optimizer, lr, momentum=0.0):
    """Layers in a row."""

    def forward(variables, x, y):
        given = iter(variables)
        for kind, *options in layers:
            if kind == "conv":
                x = tf.nn.conv2d(x, next(given), 1, "VALID") + next(given)
            elif kind == "linear":
                x = x @ next(given) + next(given)
            elif kind == "pool":
                x = tf.nn.max_pool2d(x, options[0], options[0], "VALID")
            elif kind == "flatten":
                x = tf.reshape(x, (x.shape[0], -1))
            else:
                x = {"relu": tf.nn.relu, "sigmoid": tf.nn.sigmoid}[kind](x)
        return LOSSES[loss](x, y)

    variables = [tf.Variable(p) for p in channels_last(parameters)]
    return _stepper(forward, variables, batches_last(batches), lr, momentum)


def resnet(parameters, batches, depths, small, lr, momentum):
    """A residual network in training; running statistics, which no loss sees, are left out."""

    def forward(variables, x, y):
        given = iter(variables)

        def unit(x, stride=1, padding=1):
            edges = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
            x = tf.nn.conv2d(x, next(given), stride, edges)
            scale, shift = next(given), next(given)
            x, *_ = tf.compat.v1.nn.fused_batch_norm(x, scale, shift, epsilon=1e-5)
            return x

        x = tf.nn.relu(unit(x) if small else unit(x, 2, 3))
        if not small:
            x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])  # zeros: the inputs are not negative
            x = tf.nn.max_pool2d(x, 3, 2, "VALID")
        for stage, blocks in enumerate(depths):
            for i in range(blocks):
                stride = 2 if stage and not i else 1
                out = unit(tf.nn.relu(unit(x, stride)))
                x = tf.nn.relu(out + (unit(x, stride, 0) if stride == 2 else x))
        return cross_entropy(tf.reduce_mean(x, (1, 2)) @ next(given) + next(given), y)

    variables = [tf.Variable(p) for p in channels_last(parameters)]
    return _stepper(forward, variables, batches_last(batches), lr, momentum)
