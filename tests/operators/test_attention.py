"""Attention and multi-head attention against PyTorch, whose plain kernel is the oracle."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import facula
from tests.operators.compare import check
from tests.operators.families import normal, refused

QUERY, KEY, VALUE = normal(2, 3, 4, 5), normal(2, 3, 6, 5, seed=1), normal(2, 3, 6, 7, seed=2)
MASK = np.random.default_rng(0).uniform(size=(4, 6)) > 0.4
MASK[1] = False  # a query that may attend to nothing
# Enough queries for the kernels that go over blocks.
LONG = normal(2, 3, 30, 5), normal(2, 3, 18, 5, seed=1), normal(2, 3, 18, 7, seed=2)
LONG_MASK = np.random.default_rng(1).uniform(size=(30, 18)) > 0.4
LONG_MASK[11] = False
OPTIONS = {
    "plain": lambda t: {},
    "causal": lambda t: {"is_causal": True},
    "scale": lambda t: {"scale": 0.3},
    "bool mask": lambda t: {"attn_mask": t.from_numpy(MASK)},
    "float mask": lambda t: {"attn_mask": t.from_numpy(normal(4, 6, seed=3))},
}


def plain_kernel(library):
    """PyTorch's fast kernel has no second derivative; its plain one has."""
    if library is facula:
        return contextlib.nullcontext()
    return library.nn.attention.sdpa_kernel(library.nn.attention.SDPBackend.MATH)


@pytest.mark.parametrize(
    "inputs",
    [(QUERY, KEY, VALUE), (QUERY[0], KEY[0], VALUE[0]), (QUERY[0, 0], KEY[0, 0], VALUE[0, 0])],
)
@pytest.mark.parametrize("name", OPTIONS)
def test_attention(name, inputs):
    def run(library, q, k, v):
        with plain_kernel(library):
            return library.nn.functional.scaled_dot_product_attention(
                q, k, v, **OPTIONS[name](library)
            )

    check(run, *inputs, names=False, second=name != "bool mask", tolerance=1e-8)


LONG_OPTIONS = {
    **{name: OPTIONS[name] for name in ("plain", "causal", "scale")},
    "bool mask": lambda t: {"attn_mask": t.from_numpy(LONG_MASK)},
    "float mask": lambda t: {"attn_mask": t.from_numpy(normal(30, 18, seed=3))},
    "padding": lambda t: {"attn_mask": t.from_numpy(LONG_MASK[:1])},
    "one number a query": lambda t: {"attn_mask": t.from_numpy(normal(30, 1, seed=3))},
}


@pytest.mark.parametrize("axes", [4, 3, 2])
@pytest.mark.parametrize("name", LONG_OPTIONS)
def test_attention_in_blocks(name, axes):
    inputs = [x[(0,) * (4 - axes)] for x in LONG]

    def run(library, q, k, v):
        with plain_kernel(library):
            return library.nn.functional.scaled_dot_product_attention(
                q, k, v, **LONG_OPTIONS[name](library)
            )

    check(run, *inputs, names=False, second="mask" not in name, tolerance=1e-8)


@pytest.mark.parametrize("shape", [(2, 1, 30, 18), (1, 3, 1, 18), (2, 1, 1, 18), (3, 30, 18)])
def test_masks_that_are_broadcast(shape):
    mask = np.random.default_rng(2).uniform(size=shape) > 0.3

    def run(library, q, k, v):
        with plain_kernel(library):
            return library.nn.functional.scaled_dot_product_attention(
                q, k, v, library.from_numpy(mask)
            )

    check(run, *LONG, names=False, tolerance=1e-8)


def test_parts_of_one_product():
    """Queries, keys and values as layers make them: parts of one product, heads in between."""

    def run(library, x):
        heads = [p.view(2, 30, 3, 4).transpose(1, 2) for p in x.split(12, dim=2)]
        out = library.nn.functional.scaled_dot_product_attention(*heads, is_causal=True)
        return out.transpose(1, 2).reshape(2, 30, 12)

    check(run, normal(2, 30, 36), names=False, tolerance=1e-8)


def test_other_axes_first():
    """Keys whose elements are not neighbours."""

    def run(library, q, k, v):
        return library.nn.functional.scaled_dot_product_attention(
            q, k.transpose(2, 3), v.flip(2), is_causal=True
        )

    check(run, LONG[0], np.swapaxes(LONG[1], 2, 3).copy(), LONG[2], names=False, tolerance=1e-8)


@pytest.mark.parametrize("needed", [(0,), (1,), (2,), (0, 2)])
def test_only_some_gradients(needed):
    torch = pytest.importorskip("torch")
    found = []
    for library in (facula, torch):
        inputs = [library.from_numpy(x.copy()) for x in LONG]
        for i in needed:
            inputs[i].requires_grad_()
        out = library.nn.functional.scaled_dot_product_attention(*inputs)
        out.cos().sum().backward()
        found.append([inputs[i].grad.numpy() for i in needed])
        assert all(inputs[i].grad is None for i in range(3) if i not in needed)
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, 1e-10, 1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_narrow_floats(dtype):
    torch = pytest.importorskip("torch")
    limit = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 5e-6}[dtype]
    given = [*LONG[:2], normal(2, 3, 18, 5, seed=2)]
    wide, narrow = [], []
    for library, own, to in ((torch, "float64", wide), (facula, dtype, narrow)):
        inputs = [library.from_numpy(x).to(getattr(library, dtype)) for x in given]
        inputs = [x.to(getattr(library, own)).requires_grad_() for x in inputs]
        out = library.nn.functional.scaled_dot_product_attention(*inputs, is_causal=True)
        out.sum().backward()
        to += [x.detach().double().numpy() for x in (out, *[x.grad for x in inputs])]
    for ours, theirs in zip(narrow, wide, strict=True):
        np.testing.assert_allclose(ours, theirs, limit, limit)


def test_no_more_rounding_than_in_pytorch():
    torch = pytest.importorskip("torch")
    given = [normal(2, 4, 200, 32, seed=i).astype(np.float32) for i in range(3)]
    errors = []
    for library in (facula, torch):
        narrow, exact = [], []
        for kind, to in (("float32", narrow), ("float64", exact)):
            own = torch if kind == "float64" else library
            inputs = [own.from_numpy(x.copy()).to(getattr(own, kind)) for x in given]
            inputs = [x.requires_grad_() for x in inputs]
            out = own.nn.functional.scaled_dot_product_attention(*inputs, is_causal=True)
            (out * out).sum().backward()
            to += [x.detach().numpy() for x in (out, *[x.grad for x in inputs])]
        errors.append(
            [np.sqrt(np.square(a - b).mean()) for a, b in zip(narrow, exact, strict=True)]
        )
    for ours, theirs in zip(*errors, strict=True):
        assert ours <= 1.5 * theirs


def test_the_gradient_of_a_mask():
    def run(library, q, k, v, mask):
        with plain_kernel(library):
            return library.nn.functional.scaled_dot_product_attention(q, k, v, mask)

    check(run, QUERY, KEY, VALUE, normal(4, 6, seed=3), names=False, second=True, tolerance=1e-8)


def test_the_name_of_the_node():
    check(
        lambda library, q, k: library.nn.functional.scaled_dot_product_attention(q, k, k),
        QUERY,
        KEY,
    )


def test_grouped_queries():
    def run(library, q, k, v):
        return library.nn.functional.scaled_dot_product_attention(q, k, v, enable_gqa=True)

    check(
        run, normal(2, 4, 3, 5), normal(2, 2, 6, 5, seed=1), normal(2, 2, 6, 5, seed=2), names=False
    )


def test_dropout_of_the_weights():
    def run(library, q, k, v):
        library.manual_seed(3)
        return library.nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=0.4)

    check(run, QUERY, KEY, VALUE, names=False)


E = 8
HEADS = {
    "plain": lambda t: {},
    "mask": lambda t: {"attn_mask": t.tensor([[False, True, False]] * 3)},
    "float mask for each head": lambda t: {"attn_mask": t.from_numpy(normal(4, 3, 3))},
    "padding": lambda t: {
        "key_padding_mask": t.tensor([[False, False, True], [False, True, False]])
    },
    "causal": lambda t: {"attn_mask": t.ones(3, 3).triu(1).bool(), "is_causal": True},
    "each head": lambda t: {"average_attn_weights": False},
}


@pytest.mark.parametrize("need_weights", [True, False])
@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("extra", [False, True])
def test_multi_head_attention(name, need_weights, extra):
    def run(library, q, kv, weight, bias, row, out, out_bias):
        library.manual_seed(1)
        result = library.nn.functional.multi_head_attention_forward(
            q, kv, kv, E, 2, weight, bias, row if extra else None, row if extra else None, extra,
            0.5 if extra else 0.0, out, out_bias, need_weights=need_weights, **HEADS[name](library),
        )  # fmt: skip
        return result if need_weights else result[0]

    inputs = (
        normal(3, 2, E),
        normal(3, 2, E, seed=1),
        normal(3 * E, E, seed=2) / 3,
        normal(3 * E, seed=3),
    )
    check(
        run,
        *inputs,
        normal(1, 1, E, seed=4),
        normal(E, E, seed=5),
        normal(E, seed=6),
        names=False,
        tolerance=1e-8,
    )


def test_one_sequence_attends_to_itself():
    def run(library, x, weight, bias, out, out_bias):
        return library.nn.functional.multi_head_attention_forward(
            x, x, x, E, 4, weight, bias, None, None, False, 0.0, out, out_bias
        )

    check(
        run,
        normal(3, E),
        normal(3 * E, E, seed=2) / 3,
        normal(3 * E, seed=3),
        normal(E, E),
        normal(E),
        names=False,
    )


def test_separate_projections():
    def run(library, q, k, v, bias, wq, wk, wv, out, out_bias):
        return library.nn.functional.multi_head_attention_forward(
            q, k, v, E, 2, None, bias, None, None, False, 0.0, out, out_bias,
            use_separate_proj_weight=True, q_proj_weight=wq, k_proj_weight=wk, v_proj_weight=wv,
        )  # fmt: skip

    check(
        run, normal(3, 2, E), normal(4, 2, 5), normal(4, 2, 6), normal(3 * E), normal(E, E, seed=1),
        normal(E, 5), normal(E, 6), normal(E, E, seed=2), normal(E), names=False, tolerance=1e-8,
    )  # fmt: skip


REFUSED = {
    "dtypes": lambda F, t: F.scaled_dot_product_attention(
        t.ones(2, 3), t.ones(2, 3).double(), t.ones(2, 3)
    ),
    "ranks": lambda F, t: F.scaled_dot_product_attention(t.ones(3), t.ones(3), t.ones(3)),
    "mask dtype": lambda F, t: F.scaled_dot_product_attention(
        t.ones(2, 3), t.ones(2, 3), t.ones(2, 3), t.ones(2, 2, dtype=t.int64)
    ),
    "heads": lambda F, t: F.multi_head_attention_forward(
        *[t.ones(3, 2, 8)] * 3,
        8,
        3,
        t.ones(24, 8),
        None,
        None,
        None,
        False,
        0.0,
        t.ones(8, 8),
        None,
    )[0],
    "causal hint": lambda F, t: F.multi_head_attention_forward(
        *[t.ones(3, 2, 8)] * 3,
        8,
        2,
        t.ones(24, 8),
        None,
        None,
        None,
        False,
        0.0,
        t.ones(8, 8),
        None,
        is_causal=True,
    )[0],
    "mask shape": lambda F, t: F.multi_head_attention_forward(
        *[t.ones(3, 2, 8)] * 3,
        8,
        2,
        t.ones(24, 8),
        None,
        None,
        None,
        False,
        0.0,
        t.ones(8, 8),
        None,
        attn_mask=t.ones(2, 3),
    )[0],
}


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name):
    ours, theirs = refused(lambda library: REFUSED[name](library.nn.functional, library))
    assert ours[:30] == theirs[:30]
