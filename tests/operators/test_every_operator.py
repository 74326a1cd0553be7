"""Every public operator beside PyTorch: values, dtypes, shapes, gradients, errors.

The sample arguments come from PyTorch's own database; operators it lacks have samples here. An
operator with neither fails the last test. FACULA_SAMPLES sets how many samples each gets.
"""

from __future__ import annotations

import os
import warnings

import numpy as np
import pytest

import facula
from facula.operators.namespaces import FUNCTIONAL, INPLACE, METHODS, TORCH

torch = pytest.importorskip("torch")

from tests.operators import database  # noqa: E402 (needs torch)
from tests.operators.known_differences import (  # noqa: E402
    DIFFERENT,
    DIFFERENT_ERRORS,
    LENIENT_ERRORS,
    NO_VALUES,
    OTHER_DTYPES,
)
from tests.operators.own_samples import SAMPLES  # noqa: E402

COUNT = int(os.environ.get("FACULA_SAMPLES", "2"))
TOLERANCE = {
    torch.float64: 1e-8, torch.complex128: 1e-8, torch.float32: 2e-4, torch.complex64: 2e-4,
    torch.float16: 2e-2, torch.bfloat16: 1e-1,
}  # fmt: skip


def full_name(entry) -> str:
    return f"{entry.name}.{entry.variant_test_name}" if entry.variant_test_name else entry.name


ENTRIES = [e for e in database.load() if database.counterpart(e) is not None]


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def described(sample) -> str:
    """A sample's arguments, tensors as dtype and shape."""

    def short(x):
        if isinstance(x, torch.Tensor):
            return f"{str(x.dtype)[6:]}{list(x.shape)}"
        if isinstance(x, (tuple, list)):
            return f"[{', '.join(map(short, x))}]"
        return repr(x)[:60]

    named = [f"{k}={short(v)}" for k, v in sample.kwargs.items()]
    return f"({', '.join([*map(short, [sample.input, *sample.args]), *named])})"


def attempt(function, args, kwargs):
    """(flat results, None) or (None, the exception)."""
    try:
        found = database.flat(function(*args, **kwargs))
        for x in found:
            if isinstance(x, facula.Tensor):
                x._buffer()
        return found, None
    except Exception as error:
        return None, error


def same_error(sample, error, refusal):
    names = type(error).__name__, type(refusal).__name__
    assert names[0] == names[1], f"{described(sample)}: {error!r}, PyTorch {refusal!r}"


def compare(ours, theirs, what, values=True, factor=1):
    """One result beside PyTorch's."""
    if not isinstance(theirs, torch.Tensor):
        if isinstance(theirs, (bool, int, float, complex)) and values:
            assert ours == pytest.approx(theirs, nan_ok=True), what
        return
    assert isinstance(ours, facula.Tensor), what
    if theirs.layout != torch.strided:
        return
    assert str(ours.dtype) == str(theirs.dtype), what
    assert tuple(ours.shape) == tuple(theirs.shape), what
    if not values:
        return
    a, b = database.array(ours), database.array(theirs)
    if b.dtype.kind not in "fc":
        np.testing.assert_array_equal(a, b, what)
        return
    finite = np.abs(b[np.isfinite(b)])
    limit = TOLERANCE[theirs.dtype] * factor
    scale = 1 + (float(finite.max()) if finite.size else 0.0)
    a, b = a.astype(np.complex128), b.astype(np.complex128)
    np.testing.assert_allclose(a, b, rtol=limit, atol=limit * min(scale, 1e6), err_msg=what)


def total(library, outputs):
    """A real number that depends on every element of every output that has a gradient."""
    terms = []
    for x in outputs:
        if isinstance(x, (torch.Tensor, facula.Tensor)) and x.requires_grad:
            w = np.cos(np.arange(x.numel()) * 1.7 + 0.3).reshape(tuple(x.shape))
            for part in [x.real, x.imag] if x.is_complex() else [x]:
                terms.append((part * library.tensor(w, dtype=part.dtype)).sum())
    return sum(terms) if terms else None


def leaves(arguments):
    kinds = (torch.Tensor, facula.Tensor)
    return [x for x in database.flat(arguments) if isinstance(x, kinds) and x.requires_grad]


def compare_gradients(given, ours, theirs, outputs, references):
    wanted = total(torch, references)
    inputs = leaves(theirs)
    if wanted is None or not inputs:
        return
    try:
        expected = torch.autograd.grad(wanted, inputs, allow_unused=True)
    except RuntimeError:
        return  # PyTorch has no derivative here
    found = facula.autograd.grad(total(facula, outputs), leaves(ours), allow_unused=True)
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a is None or b is None:
            other = b if a is None else a
            assert other is None or not database.array(other).any(), f"gradient {i} of {given}"
        else:
            compare(a, b, f"gradient {i} of {given}", factor=10)


def check_sample(entry, sample, values=True, grad=True):
    theirs = [sample.input, *sample.args, sample.kwargs]
    ours = [database.converted(x) for x in theirs]
    given = full_name(entry) + described(sample)
    references, refusal = attempt(entry.op, theirs[:-1], sample.kwargs)
    outputs, error = attempt(database.counterpart(entry), ours[:-1], ours[-1])
    if refusal is not None or error is not None:
        assert type(error).__name__ == type(refusal).__name__, f"{given}: {error!r}, {refusal!r}"
        return
    assert len(outputs) == len(references), given
    for i, (a, b) in enumerate(zip(outputs, references, strict=True)):
        compare(a, b, f"output {i} of {given}", values)
    if grad and values:
        compare_gradients(given, ours, theirs, outputs, references)


def samples(entry, dtype, grad):
    found = entry.sample_inputs("cpu", dtype, requires_grad=grad and entry.supports_autograd)
    return [sample for _, sample in zip(range(COUNT), found, strict=False)]


@pytest.mark.parametrize("entry", ENTRIES, ids=full_name)
def test_values_and_gradients(entry):
    name = full_name(entry)
    if name in DIFFERENT:
        pytest.skip(DIFFERENT[name])
    dtype = next((d for d in (torch.float64, torch.complex128, torch.int64, torch.bool)
                  if d in entry.supported_dtypes("cpu")), None)  # fmt: skip
    if dtype is None:
        pytest.skip("PyTorch has it for devices only")
    for sample in samples(entry, dtype, dtype.is_floating_point or dtype.is_complex):
        check_sample(entry, sample, values=entry.name not in NO_VALUES)


@pytest.mark.parametrize("entry", ENTRIES, ids=full_name)
def test_dtypes(entry):
    name = full_name(entry)
    if name in DIFFERENT:
        pytest.skip(DIFFERENT[name])
    for dtype in (torch.int64, torch.bool, torch.bfloat16, torch.complex64):
        known = (name, str(dtype)[6:]) in OTHER_DTYPES
        if known or dtype not in entry.supported_dtypes("cpu"):
            continue
        for sample in samples(entry, dtype, False)[: (COUNT + 1) // 2]:
            check_sample(entry, sample, values=entry.name not in NO_VALUES, grad=False)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.error_inputs_func], ids=full_name)
def test_errors(entry):
    if full_name(entry) in DIFFERENT_ERRORS:
        pytest.skip(DIFFERENT_ERRORS[full_name(entry)])
    for case in entry.error_inputs("cpu"):
        sample = case.sample_input
        theirs = [sample.input, *sample.args]
        try:
            ours, named = [database.converted(x) for x in theirs], database.converted(sample.kwargs)
        except Exception:
            continue  # sparse and other layouts
        _, refusal = attempt(entry.op, theirs, sample.kwargs)
        if refusal is None or any(part in str(refusal) for part in LENIENT_ERRORS):
            continue
        _, error = attempt(database.counterpart(entry), ours, named)
        same_error(sample, error, refusal)


@pytest.mark.parametrize("name", SAMPLES)
def test_own_samples(name):
    for function in SAMPLES[name]:
        references, refusal = attempt(lambda f=function: f(torch), (), {})
        assert refusal is None, f"{name}: {refusal!r}"
        outputs, error = attempt(lambda f=function: f(facula), (), {})
        assert error is None, f"{name}: {error!r}"
        assert len(outputs) == len(references)
        for a, b in zip(outputs, references, strict=True):
            compare(a, b, name)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.inplace_variant], ids=full_name)
def test_in_place(entry):
    name = full_name(entry)
    method = getattr(facula.Tensor, f"{entry.name}_", None)
    if method is None or name in DIFFERENT or entry.name in NO_VALUES:
        pytest.skip(DIFFERENT.get(name, "no such method, or random"))
    if torch.float64 not in entry.supported_dtypes("cpu"):
        pytest.skip("not for floats")
    for sample in samples(entry, torch.float64, False):
        if sample.broadcasts_input:
            continue
        ours = database.converted([sample.input, *sample.args])
        named = database.converted(sample.kwargs)
        theirs = [sample.input.clone(), *sample.args]
        references, refusal = attempt(entry.inplace_variant, theirs, sample.kwargs)
        outputs, error = attempt(method, ours, named)
        same_error(sample, error, refusal)
        if refusal is None:
            assert outputs[0] is ours[0]
            compare(outputs[0], references[0], f"{name}_{described(sample)}")


def test_no_operator_is_untested():
    if not ENTRIES:
        pytest.skip("this PyTorch ships no database")
    tested = {e.name.removeprefix("nn.functional.") for e in ENTRIES}
    tested |= {alias.name.split(".")[-1] for e in ENTRIES for alias in e.aliases}
    names = {*TORCH, *METHODS, *INPLACE, *FUNCTIONAL}
    missing = sorted(names - tested - set(SAMPLES))
    assert not missing, f"operators without samples: {missing}"
