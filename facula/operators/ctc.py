"""Connectionist temporal classification (Graves et al. 2006): the loss of unaligned sequences.

A target of labels is interleaved with blanks; ``alpha[t, s]`` is the log-probability of all paths
that end at its position s at time t. The loss is minus that of both last positions at the end.
"""

from __future__ import annotations

import math

import numpy as np

from facula.base import dtypes
from facula.graph.primitives import indexing as ix
from facula.graph.primitives import movement as m
from facula.operators import kit
from facula.operators.arithmetic import _select, maximum
from facula.operators.loss_reduction import checked
from facula.operators.movement import squeeze, unsqueeze
from facula.operators.operator import operator
from facula.operators.pointwise import isinf
from facula.operators.positions import array_of, computed
from facula.operators.precision import require_real
from facula.operators.reduction import _mean, _sum
from facula.operators.transcendental import exp, log


def _shape(x):
    return x._value.spec.shape


# The recursion ----------------------------------------------------------------------------------


def _log_sum(*terms):
    """log of the sum of exponentials; all -inf gives -inf."""
    top = terms[0]
    for term in terms[1:]:
        top = maximum(top, term)
    safe = _select(top == -math.inf, 0.0, top)
    total = None
    for term in terms:
        part = exp(term - safe)
        total = part if total is None else total + part
    return log(total) + safe


def _moved(x, by):
    """The last axis moved by ``by`` places; -inf comes in."""
    size = abs(by)
    zero, shape = (0, 0), _shape(x)
    lowest = kit.number(-math.inf, x._value.spec.dtype)
    side = (0, size)
    padded = kit.bind(m.pad, x, lowest, low=side if by > 0 else zero, high=zero if by > 0 else side)
    start = 0 if by > 0 else size
    stop = (shape[0], start + shape[1])
    return kit.bind(m.slice_, padded, start=(0, start), stop=stop, step=(1, 1))


def _emissions(log_probs, labels):
    """log-probability of each position's label at each time, as a list of (N, L)."""
    times, batch, _ = _shape(log_probs)
    length = _shape(labels)[1]
    index = kit.broadcast_to(kit.reshape(labels, (1, batch, length)), (times, batch, length))
    picked = kit.bind(ix.gather, log_probs, index, axis=2)
    return [_at(picked, t) for t in range(times)]


def _at(x, t):
    _, batch, length = _shape(x)
    part = kit.bind(m.slice_, x, start=(t, 0, 0), stop=(t + 1, batch, length), step=(1, 1, 1))
    return kit.reshape(part, (batch, length))


def _stacked(parts):
    batch, length = _shape(parts[0])
    return kit.bind(m.concat, *[kit.reshape(p, (1, batch, length)) for p in parts], axis=0)


def _positions(length):
    return kit.reshape(kit.bind(m.iota, size=length, dtype=dtypes.int64), (1, length))


@operator(
    name="CtcLoss",
    derivative={
        "log_probs": lambda g, log_probs, labels, jumps, times, lengths, zero_infinity, outs: (
            _ctc_grad(g, log_probs, labels, jumps, times, lengths, outs[0], outs[1], zero_infinity)
        )
    },
)
def _ctc(log_probs, labels, jumps, times, lengths, zero_infinity: bool):
    """The loss of each sequence, and alpha for every time.

    ``labels`` (N, 2S+1) are interleaved with blanks; ``jumps`` says where the blank before a
    label may be left out; ``times`` and ``lengths`` (N, 1) are the lengths of inputs and targets.
    """
    emitted = _emissions(log_probs, labels)
    place = _positions(_shape(labels)[1])
    alpha = _select((place < 2) & (place < lengths * 2 + 1), emitted[0], -math.inf)
    alphas = [alpha]
    for t in range(1, len(emitted)):
        jumped = _select(jumps, _moved(alpha, 2), -math.inf)
        moved = _log_sum(alpha, _moved(alpha, 1), jumped) + emitted[t]
        alpha = _select(times > t, moved, alpha)
        alphas.append(alpha)
    last = kit.bind(ix.gather, alpha, lengths * 2, axis=1)
    before = kit.bind(ix.gather, alpha, maximum(lengths * 2 - 1, 0), axis=1)
    before = _select(lengths > 0, before, -math.inf)
    loss = -_log_sum(last, before)
    loss = _select(times > 0, loss, _select(lengths > 0, math.inf, 0.0 * loss))
    return kit.reshape(loss, (_shape(loss)[0],)), _stacked(alphas)


@operator(differentiable=False)
def _ctc_grad(g, log_probs, labels, jumps, times, lengths, loss, alphas, zero_infinity: bool):
    """Probability of each class less how often the paths of the target use it."""
    steps, batch, classes = _shape(log_probs)
    length = _shape(labels)[1]
    emitted = _emissions(log_probs, labels)
    place = _positions(length)
    ends = (place >= lengths * 2 - 1) & (place <= lengths * 2)
    onward_jumps = _moved(kit.as_dtype(jumps, dtypes.float32), -2) > 0
    total = kit.reshape(loss, (batch, 1))
    zero = kit.full((batch, length), 0, alphas._value.spec.dtype)
    final = _select(ends, zero, -math.inf)
    beta = final  # log-probability of the rest of the path, without this time's emission
    used = []
    for t in reversed(range(steps)):
        if t < steps - 1:
            onward = beta + emitted[t + 1]
            jumped = _select(onward_jumps, _moved(onward, -2), -math.inf)
            moved = _log_sum(onward, _moved(onward, -1), jumped)
            beta = _select(times > t + 1, moved, final)
        weight = exp(_at(alphas, t) + beta + total)
        used.append(_select(times > t, weight, 0.0))
    index = kit.broadcast_to(kit.reshape(labels, (1, batch, length)), (steps, batch, length))
    zeros = kit.full((steps, batch, classes), 0, alphas._value.spec.dtype)
    counts = kit.bind(ix.scatter, zeros, index, _stacked(used[::-1]), axis=2, mode="add")
    time = kit.reshape(kit.bind(m.iota, size=steps, dtype=dtypes.int64), (steps, 1, 1))
    inside = time < kit.reshape(times, (1, batch, 1))
    if zero_infinity:
        inside = inside & ~isinf(kit.reshape(loss, (1, batch, 1)))
    return _select(inside, (exp(log_probs) - counts) * kit.reshape(g, (1, batch, 1)), 0.0)


# The public function ----------------------------------------------------------------------------


def _lengths(given, name, batch):
    array = array_of(given) if hasattr(given, "_value") else np.asarray(given)
    array = np.atleast_1d(array)
    if array.dtype.kind not in "iu":
        raise RuntimeError(f"{name} must be integral")
    if array.size != batch:
        raise RuntimeError(f"{name} must be of size batch_size")
    return array.astype(np.int64).reshape(batch)


def _padded_targets(targets, lengths, blank):
    """Targets as (N, S): concatenated ones are cut apart first."""
    array = array_of(targets)
    longest = int(lengths.max(initial=0))
    if array.ndim > 1:
        if array.shape[0] != len(lengths):
            raise RuntimeError(
                f"Expected tensor to have size {len(lengths)} at dimension 0, but got size "
                f"{array.shape[0]} for argument #2 'targets' (while checking arguments for "
                "ctc_loss_cpu)"
            )
        if array.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{array.shape[1]} for argument #2 'targets' (while checking arguments for "
                "ctc_loss_cpu)"
            )
        return array[:, :longest].astype(np.int64)
    if array.size != lengths.sum():
        raise RuntimeError(
            f"Expected tensor to have size {lengths.sum()} at dimension 0, but got size "
            f"{array.size} for argument #2 'targets' (while checking arguments for ctc_loss_cpu)"
        )
    out = np.full((len(lengths), longest), blank, np.int64)
    at = 0
    for row, count in enumerate(lengths):
        out[row, :count] = array[at : at + count]
        at += count
    return out


def _interleaved(targets, lengths, blank, classes):
    """(labels with blanks between them, where a blank may be jumped over)."""
    used = np.arange(targets.shape[1])[None, :] < lengths[:, None]
    targets = np.where(used, targets, blank)
    if targets.size and (targets.min() < 0 or targets.max() >= classes):
        raise RuntimeError(f"target labels must lie in [0, {classes})")
    labels = np.full((len(lengths), 2 * targets.shape[1] + 1), blank, np.int64)
    labels[:, 1::2] = targets
    jumps = np.zeros(labels.shape, bool)
    jumps[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    return labels, jumps


def ctc_loss(
    log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
    zero_infinity=False,
):  # fmt: skip
    """Minus the log-probability of each target, summed over all its alignments with the input.

    Shapes: log_probs (T, N, C) or (T, C); targets (N, S), or all of them in one vector. "mean"
    divides each loss by its target's length first.
    """
    reduction = checked(reduction)
    require_real("ctc_loss_cpu", log_probs)
    single = log_probs._value.spec.ndim == 2
    if single:
        log_probs = unsqueeze(log_probs, 1)
    steps, batch, classes = _shape(log_probs)
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    times = _lengths(input_lengths, "input_lengths", batch)
    lengths = _lengths(target_lengths, "target_lengths", batch)
    if times.size and times.max() > steps:
        raise RuntimeError(
            f"Expected input_lengths to have value at most {steps}, but got value {times.max()} "
            "(while checking arguments for ctc_loss_cpu)"
        )
    labels, jumps = _interleaved(_padded_targets(targets, lengths, blank), lengths, blank, classes)
    column = (batch, 1)
    loss = _ctc(
        log_probs, computed(labels), computed(jumps), computed(times.reshape(column)),
        computed(lengths.reshape(column)), bool(zero_infinity),
    )[0]  # fmt: skip
    if zero_infinity:
        loss = _select(isinf(loss), 0.0, loss)
    if reduction == "mean":
        counts = np.maximum(lengths, 1).astype(loss._value.spec.dtype.numpy)
        return _mean(loss / computed(counts, loss._value.spec.dtype), None, False, None)
    if reduction == "sum":
        return _sum(loss, None, False, None)
    return squeeze(loss, 0) if single else loss


NAMESPACES = {"torch": [], "functional": ["ctc_loss"]}
