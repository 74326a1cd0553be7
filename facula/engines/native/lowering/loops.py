"""LoopProgram: a fused elementwise and reduction kernel, ready to be written as machine code.

The loop runs over ``outer`` dimensions and, for reductions, ``inner`` ones. Instructions that
depend on inner dimensions are computed for every element, the others once a row. Reductions come
in order: a later one may use the result of an earlier one, as a softmax does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from facula.engines.native.lowering.forms import Form


@dataclass(frozen=True)
class Store:
    """Write an instruction's value to a buffer; ``full`` if there is one for each element."""

    slot: int
    dtype: str
    value: int
    place: Form
    full: bool


@dataclass(frozen=True)
class LoopProgram:
    """``instructions`` over dimensions 0 .. len(sizes)-1, the first ``outer`` of them outer.

    A reduction is an instruction ``("reduce", dtype, kind, operand)``.
    """

    sizes: tuple[int, ...]
    outer: int
    instructions: tuple[tuple, ...]
    stores: tuple[Store, ...]
    slots: int

    @property
    def rows(self) -> int:
        return prod(self.sizes[: self.outer])

    @property
    def row(self) -> int:
        """Elements of a row: 1 where nothing is reduced."""
        return prod(self.sizes[self.outer :])


def levels(program: LoopProgram) -> list[bool]:
    """For each instruction, whether its value differs from element to element of a row."""
    inner = range(program.outer, len(program.sizes))
    found: list[bool] = []
    for instruction in program.instructions:
        what = instruction[0]
        if what in ("load", "index"):
            form = instruction[-1]
            found.append(any(form.involves(d) for d in inner))
        elif what == "op":
            found.append(any(found[i] for i in instruction[4]))
        else:
            found.append(False)
    return found


def simplified(program: LoopProgram) -> LoopProgram:
    """The same program with as few loops as can be: dimensions of size 1 go, others merge."""
    program = _without_reductions(_without_single(program))
    dim = len(program.sizes) - 2
    while dim >= 0:
        if dim + 1 != program.outer and _mergeable(program, dim):
            program = _merged(program, dim)
        dim -= 1
    return program


def _forms(program: LoopProgram) -> list[Form]:
    found = [i[-1] for i in program.instructions if i[0] in ("load", "index")]
    return found + [s.place for s in program.stores]


def _mergeable(program: LoopProgram, dim: int) -> bool:
    """Whether dimensions ``dim`` and ``dim + 1`` are walked as one in every buffer."""
    size = program.sizes[dim + 1]
    for form in _forms(program):
        if form.coefficient(dim) != form.coefficient(dim + 1) * size:
            return False
        if not form.affine and (_in_atoms(form, dim) or _in_atoms(form, dim + 1)):
            return False
    return True


def _in_atoms(form: Form, dim: int) -> bool:
    return any(not isinstance(s, int) and s[1].involves(dim) for s, _ in form.terms)


def _merged(program: LoopProgram, dim: int) -> LoopProgram:
    sizes = program.sizes
    names = {d: d if d <= dim else d - 1 for d in range(len(sizes))}
    merged = (*sizes[:dim], sizes[dim] * sizes[dim + 1], *sizes[dim + 2 :])
    return _renamed(program, merged, names, drop=dim, outer=program.outer - (dim < program.outer))


def _without_single(program: LoopProgram) -> LoopProgram:
    kept = [d for d, n in enumerate(program.sizes) if n != 1]
    if len(kept) == len(program.sizes):
        return program
    names = {d: i for i, d in enumerate(kept)}
    outer = sum(d < program.outer for d in kept)
    return _renamed(program, tuple([program.sizes[d] for d in kept]), names, None, outer)


def _without_reductions(program: LoopProgram) -> LoopProgram:
    """Where rows have one element, reductions are that element."""
    if program.outer < len(program.sizes):
        return program
    names: list[int] = []
    kept: list[tuple] = []
    for instruction in program.instructions:
        if instruction[0] == "reduce":
            names.append(names[instruction[3]])
            continue
        names.append(len(kept))
        kept.append(renumbered(instruction, names))
    stores = [Store(s.slot, s.dtype, names[s.value], s.place, s.full) for s in program.stores]
    return LoopProgram(program.sizes, program.outer, tuple(kept), tuple(stores), program.slots)


def renumbered(instruction: tuple, names) -> tuple:
    """An instruction whose operands have new numbers."""
    if instruction[0] == "reduce":
        return (*instruction[:3], names[instruction[3]])
    if instruction[0] == "op":
        return (*instruction[:4], tuple([names[o] for o in instruction[4]]), instruction[5])
    return instruction


def _renamed(program, sizes, names, drop, outer) -> LoopProgram:
    """Rename the dimensions; terms of ``drop`` and of dimensions without a name vanish."""

    def form(old: Form) -> Form:
        terms = []
        for s, c in old.terms:
            if not isinstance(s, int):
                terms.append(((s[0], form(s[1]), s[2]), c))
            elif s != drop and s in names:
                terms.append((names[s], c))
        return Form(old.const, tuple(terms))

    instructions = tuple(
        [(*i[:-1], form(i[-1])) if i[0] in ("load", "index") else i for i in program.instructions]
    )
    stores = tuple([Store(s.slot, s.dtype, s.value, form(s.place), s.full) for s in program.stores])
    return LoopProgram(sizes, outer, instructions, stores, program.slots)


def live(instructions: Sequence[tuple], roots: Sequence[int]) -> list[int]:
    """The instructions that the roots depend on, in order; reductions included."""
    needed = set(roots)
    for i in range(len(instructions) - 1, -1, -1):
        if i in needed:
            needed.update(operands(instructions[i]))
    return sorted(needed)


def operands(instruction: tuple) -> tuple[int, ...]:
    """Numbers of the instructions that one uses."""
    what = instruction[0]
    if what == "op":
        return instruction[4]
    return (instruction[3],) if what == "reduce" else ()
