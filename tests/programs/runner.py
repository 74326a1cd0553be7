"""Runs a program on PyTorch and on facula, line by line, and says where they differ first."""

from __future__ import annotations

import copy
import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch

import facula
from facula.base.flags import flags
from tests.programs.program import Line, Program

NAME = r"(?<![.\w'])[a-z]\d*\b(?!')"  # a variable in the text of a line

# PyTorch refuses these because of how it keeps memory; facula gives the right result instead.
LENIENT = (
    "modified by an inplace operation",
    "some elements of the input tensor and the written-to tensor refer",
    "not implemented for",
    "has been detached in-place",
    "Could this error message be improved",
)


@dataclass
class Difference:
    """What differed, and after which line."""

    kind: str
    what: str
    line: Line | None

    def __str__(self) -> str:
        after = f"after: {self.line.text}" if self.line else "at the end"
        return f"{self.what}\n  {after}"


def environment(library) -> dict:
    """The names a program may use."""
    return {"torch": library, "F": library.nn.functional, "np": np, "copy": copy}


@contextmanager
def settings(program: Program):
    """facula's flags for a program; PyTorch's and NumPy's warnings off."""
    before = flags.eager, flags.nodes
    flags.eager, flags.nodes = program.eager, program.nodes
    facula.runtime.recorder.recorder.flush()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            yield
    finally:
        flags.eager, flags.nodes = before


def execute(text: str, env: dict) -> Exception | None:
    """Run one line; the exception it raised."""
    try:
        exec(compile(text, "<program>", "exec"), env)
    except Exception as error:
        return error
    return None


def lenient(error: Exception | None) -> bool:
    """Whether only PyTorch has to refuse this; it lacks some second derivatives, as cdist's."""
    if isinstance(error, NotImplementedError):
        return True
    return error is not None and any(part in str(error) for part in LENIENT)


def run(program: Program) -> Difference | None:
    """The first difference between the two libraries, or None."""
    ours, theirs = environment(facula), environment(torch)
    with settings(program):
        for line in program.lines:
            found = _step(program, line, ours, theirs)
            if found is not None:
                return None if found == "stop" else found
        try:
            return compare_all(program, program.lines[-1] if program.lines else None, ours, theirs)
        except Exception as error:
            return Difference("reading", f"reading raised {type(error).__name__}: {error}", None)


def _step(program, line, ours, theirs):
    before = _versions(line, ours, theirs)
    wanted = execute(line.text, theirs)
    if line.kind == "second order" and "does not require grad" in str(wanted):
        return "stop"  # composed gradients count as depending on their operands
    if line.kind.startswith("item") and "a leaf Variable" in str(wanted):
        return "stop"  # x[i] += y asks a view that has not noticed the first write of the two
    if lenient(wanted) or spoilt(theirs):
        return "stop"
    got = execute(line.text, ours)
    if type(wanted) is not type(got) and not _same_error(got, wanted):
        return Difference("error", f"{_show(got)} but PyTorch {_show(wanted)}", line)
    if wanted is not None:
        return "stop" if partial(line.text) else None
    try:
        return (
            _compare_versions(line, before, ours, theirs)
            or _compare_new(line, ours, theirs)
            or (compare_all(program, line, ours, theirs) if program.watch else None)
        )
    except Exception as error:
        return Difference("reading", f"reading raised {type(error).__name__}: {error}", line)


def partial(text: str) -> bool:
    """Whether a statement that fails may have done half of its work."""
    return "\n" in text or ";" in text or "backward" in text


def spoilt(env) -> bool:
    """Whether PyTorch made a variable that nobody can go on with.

    A view that it no longer lets anyone use, or a complex32: half a type even there.
    """
    for value in env.values():
        if isinstance(value, torch.Tensor):
            if value.dtype is torch.complex32:
                return True
            try:
                value.requires_grad, value.grad_fn
            except RuntimeError:
                return True
    return False


def _same_error(got, wanted) -> bool:
    return got is not None and wanted is not None and type(got).__name__ == type(wanted).__name__


def _show(error) -> str:
    return "no error" if error is None else f"{type(error).__name__}: {str(error)[:300]}"


def _versions(line, ours, theirs):
    return [
        (ours[w]._version, theirs[w]._version) if w in ours and w in theirs else None
        for w in line.writes
    ]


def _compare_versions(line, before, ours, theirs):
    for name, old in zip(line.writes, before, strict=True):
        if old is None or name not in ours:
            continue
        if theirs[name]._version > old[1] and not ours[name]._version > old[0]:
            return Difference("version", f"{name}._version did not grow", line)
    return None


def _compare_new(line, ours, theirs):
    for name in line.new:
        a, b = ours.get(name), theirs.get(name)
        if not isinstance(b, torch.Tensor):
            continue
        found = _compare_facts(name, a, b, name in line.strided)
        if found is None and line.names:
            own, other = type(a.grad_fn).__name__, type(b.grad_fn).__name__
            if own != other:
                found = f"{name}.grad_fn is {own}, PyTorch's {other}"
        if found is not None:
            return Difference(found.split(" ")[0].split(".")[-1], found, line)
    return None


def _compare_facts(name, a, b, strided) -> str | None:
    """What can be known of a tensor without computing it."""
    if not isinstance(a, facula.Tensor):
        return f"{name}: {type(a).__name__} instead of a tensor"
    facts = ["shape", "dtype", "requires_grad", "is_leaf"]
    for fact in facts:
        own, other = getattr(a, fact), getattr(b, fact)
        if (tuple(own) != tuple(other)) if fact == "shape" else (str(own) != str(other)):
            return f"{name}.{fact} is {own}, PyTorch's {other}"
    if (a.grad_fn is None) != (b.grad_fn is None):
        return f"{name}.grad_fn is {a.grad_fn}, PyTorch's {b.grad_fn}"
    if strided:
        for fact in ("stride", "storage_offset", "is_contiguous"):
            own, other = getattr(a, fact)(), getattr(b, fact)()
            if own != other:
                return f"{name}.{fact} is {own}, PyTorch's {other}"
    return None


def compare_all(program, line, ours, theirs) -> Difference | None:
    """Compare every variable: facts, values, gradients."""
    noise = line.noise if line is not None else {}
    for name, b in theirs.items():
        if name.startswith("__") or name in ("torch", "F", "np", "copy"):
            continue
        if name not in ours:
            return Difference("missing", f"{name} is missing", line)
        found = _compare_variable(program, name, ours[name], b, noise.get(name, 0.0))
        if found is not None:
            return Difference(found.split(" ")[0].split(".")[-1], found, line)
    return None


def _compare_variable(program, name, a, b, tolerance) -> str | None:
    if isinstance(b, torch.Tensor):
        return _compare_tensor(program, name, a, b, tolerance)
    if isinstance(b, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return f"{name}: array {a.dtype}{a.shape}, PyTorch's {b.dtype}{b.shape}"
        return _compare_numbers(name, a, b, tolerance)
    if isinstance(b, (tuple, list)) and b and isinstance(b[0], torch.Tensor):
        if len(a) != len(b):
            return f"{name}: {len(a)} tensors, PyTorch {len(b)}"
        pairs = enumerate(zip(a, b, strict=True))
        found = [_compare_tensor(program, f"{name}[{i}]", x, y, tolerance) for i, (x, y) in pairs]
        return next((f for f in found if f), None)
    if isinstance(b, (bool, int, float, complex, tuple, list)):
        return _compare_numbers(name, np.asarray(a), np.asarray(b), tolerance)
    return None


def _compare_tensor(program, name, a, b, tolerance) -> str | None:
    found = _compare_facts(name, a, b, False)
    if found is not None:
        return found
    found = _compare_numbers(name, values(a), values(b), tolerance)
    if found is not None or (not b.is_leaf and not b.retains_grad):
        return found
    own, other = a.grad, b.grad
    if (own is None) != (other is None):
        return f"{name}.grad is {own}, PyTorch's {other}"
    if other is None:
        return None
    found = _compare_facts(f"{name}.grad", own, other, False)
    return found or _compare_numbers(f"{name}.grad", values(own), values(other), program.coarse)


def values(x) -> np.ndarray:
    """A tensor's numbers as an array."""
    if isinstance(x, torch.Tensor):
        x = x.detach().resolve_conj()
        return (x.float() if x.dtype is torch.bfloat16 else x).numpy().copy()
    return np.asarray(x._buffer())


def _compare_numbers(name, a, b, tolerance) -> str | None:
    if a.shape != b.shape:
        return f"{name}: values of shape {a.shape}, PyTorch's {b.shape}"
    if b.dtype.kind in "fc":
        finite = np.abs(b[np.isfinite(b)])
        limit = tolerance * (1 + (float(finite.max()) if finite.size else 0.0))
        same = np.isclose(
            a.astype(np.complex128), b.astype(np.complex128), rtol=0, atol=limit, equal_nan=True
        )
    else:
        same = a == b
    if np.all(same):
        return None
    return f"{name} is\n{a}\nPyTorch's\n{b}\n(tolerance {tolerance})"


def signature(found: Difference) -> str:
    """Differences with the same signature have probably the same cause."""
    what = re.sub(NAME, "x", found.what.split("\n")[0])
    what = re.sub(r"-?\d[\d.]*(e[+-]\d+)?", "#", what)
    return f"{found.kind} | {found.line.kind if found.line else ''} | {what[:160]}"


def reduce(program: Program, found: Difference) -> tuple[Program, Difference]:
    """The program without the lines that the difference does not need."""
    if found.line in program.lines:
        program = program.only(program.lines[: program.lines.index(found.line) + 1])
    kind, changed = found.kind, True
    while changed:
        changed = False
        for at in range(len(program.lines) - 1, -1, -1):
            lines = program.lines[:at] + program.lines[at + 1 :]
            again = run(program.only(lines)) if lines and _closed(lines) else None
            if again is not None and again.kind == kind:
                program, found, changed = program.only(lines), again, True
    return program, found


def _closed(lines) -> bool:
    """Whether every variable is assigned before it is used."""
    known: set[str] = set()
    for line in lines:
        used = set(re.findall(NAME, line.text))
        if not used - {"g", "e"} <= known | set(line.new):
            return False
        known |= set(line.new)
    return True
