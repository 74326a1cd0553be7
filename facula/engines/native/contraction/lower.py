"""From a contraction node to kernels: the one entry point, :func:`lower`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from facula.engines.native import ir, target
from facula.engines.native.contraction import depthwise, kinds, winograd
from facula.engines.native.contraction.blocks import Writer
from facula.engines.native.contraction.choose import Choice, choose
from facula.engines.native.contraction.combine import combine
from facula.engines.native.contraction.conversion import (
    PAIRS,
    Conversion,
    Rounded,
    multiplies_pairs,
    pair_axes,
)
from facula.engines.native.contraction.copies import Copy
from facula.engines.native.contraction.finish import Store
from facula.engines.native.contraction.problem import Problem, Strided
from facula.engines.native.kernel import Kernel, Lowered, Piece, Ref, given, result, temporary
from facula.engines.native.views import View, row_major

FLOATS = {
    "float32": ("float", "float"),
    "float64": ("double", "double"),
    "float16": ("half", "float"),
    "bfloat16": ("float", "float"),
}


SAMPLES = 8  # packed side by side at most


def lower(kind: str, params, dtype, a: View, b: View, shape: Sequence[int], epilogue=None):
    """The kernels of a contraction, or None for a dtype that is left to the reference.

    ``a`` and ``b`` are the primitive's operands in order, ``shape`` that of its result. The
    epilogue sees every result once, as vectors along the last coordinate.
    """
    name = getattr(dtype, "name", dtype)
    if name not in FLOATS:
        return None
    if 0 in shape:
        return Lowered([])
    found = ways(kind, params, name, a, b, tuple(shape), epilogue)
    return min(found, key=lambda way: sum([piece.kernel.cost for piece in way.pieces]))


def ways(kind: str, params, name: str, a: View, b: View, shape, epilogue=None) -> list[Lowered]:
    """All ways there are: with the operands as they are, and with copies of 16-bit ones."""
    memory, compute = FLOATS[name]
    rounds = "bfloat16" if name == "bfloat16" else ""
    if epilogue is not None and name in ("bfloat16", "float16"):
        epilogue = Rounded(epilogue, name)
    found = [Lowering(memory, compute, memory, rounds).run(kind, params, a, b, shape, epilogue)]
    other = _converted(name, kind, params, a, b)
    if other is not None:
        left, right = other.views
        found.append(other.run(kind, params, left, right, shape, epilogue))
    return found


def _converted(name: str, kind: str, params, a: View, b: View) -> Lowering | None:
    """A lowering that begins with copies of both operands in another form."""
    if name == "bfloat16" and multiplies_pairs():
        axes = pair_axes(kind, params, a, b)
        lowering = Lowering(PAIRS, "float", "float", "bfloat16")
        return lowering if axes and lowering.convert((a, b), axes, "float") else None
    if name == "float16":
        lowering = Lowering("float", "float", "half", "")
        return lowering if lowering.convert((a, b), (None, None), "half") else None
    return None


class Lowering:
    """Collects the pieces of one contraction.

    Its operands lie in memory as ``memory``, its sums are ``compute``, its result is ``stored``.
    """

    def __init__(self, memory: str, compute: str, stored: str, rounds: str):
        self.memory, self.compute, self.rounds = memory, compute, rounds
        self.stored = stored
        self.sources = [given(0), given(1)]
        self.views: list[View] = []
        self.pieces: list[Piece] = []
        self.temps: list[int] = []

    def convert(self, views: Sequence[View], axes: Sequence[int | None], source: str) -> bool:
        """Begin with copies of both operands, if they can be made."""
        for i, (view, axis) in enumerate(zip(views, axes)):
            found = Conversion.of(view, axis, source)
            if found is None:
                return False
            self.sources[i] = self._copied(given(i), found[0])
            self.views.append(found[1])
        return True

    def run(self, kind: str, params, a: View, b: View, shape, epilogue) -> Lowered:
        """Everything: copies, contraction, sums of partial results."""
        if self.memory == self.stored == "float":
            pieces = winograd.pieces(
                kind, params, a, b, shape, epilogue, self._temporary, self.rounds
            )
            if pieces is None:
                pieces = depthwise.pieces(kind, params, a, b, shape, epilogue, self.rounds)
            if pieces is not None:
                return Lowered(pieces, self.temps)
        left = Strided(self.sources[0], a.shape, a.strides, a.offset)
        right = Strided(self.sources[1], b.shape, b.strides, b.offset)
        problem = self._problem(kind, params, left, right, shape)
        self._contract(problem, epilogue)
        return Lowered(self.pieces, self.temps)

    def _problem(self, kind: str, params, a: Strided, b: Strided, shape) -> Problem:
        """The cheapest way to see a node: what is padded and what guarded."""
        if kind == "matmul":
            return kinds.matmul(a, b, shape)
        if kind == "conv_input_grad":
            params = {**params, "shape": shape}
            axes = kinds.input_grad_axes(params, b.shape[2:])
            padding = kinds.input_grad_padding(axes, a.shape[2:])

            def view(x: Strided, guarded) -> Problem:
                return kinds.input_grad(params, x, b, axes, guarded, padding)

            return self._cheapest(a, padding, view)
        if kind == "conv":
            return self._cheapest(
                a, params["padding"], lambda x, guarded: kinds.conv(params, x, b, shape, guarded)
            )
        assert kind == "conv_weight_grad", kind
        return self._cheapest(
            b,
            params["padding"],
            lambda x, guarded: kinds.weight_grad(params, a, x, shape, guarded),
            packs=False,
        )

    def _cheapest(self, x: Strided, padding, view, packs: bool = True) -> Problem:
        """Pads ``x`` along all axes, along the last one, or along none, or packs its samples."""
        x = _cut(x, padding)
        borders = [(max(0, low), max(0, high)) for low, high in padding]
        wide = [i for i, pair in enumerate(borders) if any(pair)]
        options: list[tuple[Strided, Copy | None, tuple[int, ...]]] = []
        for guarded in sorted({(), tuple(wide), tuple(wide[:-1])}):
            options.append((*self._padding(x, borders, guarded), guarded))
        if packs and x.shape[0] >= 3:
            options.append((*self._packing(x), tuple(wide)))
        best = None
        for made, copy, guarded in options:
            problem = view(made, guarded)
            cycles = self._choice(problem).cycles + (copy.cycles if copy else 0)
            if best is None or cycles < best[0]:
                best = (cycles, made, copy, guarded)
        assert best is not None
        _, made, copy, guarded = best
        if copy is not None:
            made = made._replace(ref=self._copied(x.ref, copy))
        return view(made, guarded)

    def _packing(self, x: Strided) -> tuple[Strided, Copy]:
        """``x`` as ``[samples / width][*sizes][channel][width]``, and the copy that makes it."""
        samples, channels, *sizes = x.shape
        width = -(-samples // -(-samples // SAMPLES))
        panels = -(-samples // width)
        made = (panels, *sizes, channels, width)
        strides = (width * x.strides[0], *x.strides[2:], x.strides[1], x.strides[0])
        copy = Copy.simplified(self.memory, made, strides, x.offset, panel=0, total=samples)
        steps = row_major(made).strides
        dense = (1, width, *steps[1:-2])
        return Strided(x.ref, x.shape, dense, 0, steps[0], width), copy

    def _padding(self, x: Strided, borders, guarded) -> tuple[Strided, Copy | None]:
        """``x`` with zeros around the axes that are not guarded, and the copy that makes it."""
        kept = [(0, 0) if i in guarded else pair for i, pair in enumerate(borders)]
        if not any(map(any, kept)):
            return x, None
        sizes = (*x.shape[:2], *[n + sum(pair) for n, pair in zip(x.shape[2:], kept)])
        low = (0, 0, *[low for low, _ in kept])
        copy = Copy(self.memory, sizes, x.strides, low, x.shape, x.offset)
        return Strided(x.ref, sizes, row_major(sizes).strides), copy

    def _choice(self, problem: Problem, extras: int = 0) -> Choice:
        bits = target.vector_bits()
        return choose(_anonymous(problem), self.memory, self.compute, bits, extras)

    def _temporary(self, elements: int, element: str) -> Ref:
        self.temps.append((elements + 16) * ir.align_of(element))
        return temporary(len(self.temps) - 1)

    def _copied(self, source: Ref, copy: Copy | Conversion) -> Ref:
        element = copy.element if isinstance(copy, Copy) else copy.made
        made = self._temporary(copy.elements, element)
        self.pieces.append(Piece(copy.kernel(), (source, made), (1,)))
        return made

    def _contract(self, problem: Problem, epilogue) -> None:
        choice = self._choice(problem, epilogue.extras if epilogue else 0)
        plan = choice.plan
        sources = [problem.left.ref, problem.right.ref]
        if choice.swapped:
            sources.reverse()
        for i, copy in enumerate((choice.scalar_copy, choice.vector_copy)):
            if copy is not None:
                sources[i] = self._copied(sources[i], copy)
        last = epilogue or Store(problem.shape, self.stored, self.rounds)
        extras = [given(2 + i) for i in range(last.extras)]
        outputs = [result()] if last.keeps else []
        writes = [*range(len(outputs)), *[len(outputs) + i for i in last.writes]]
        if plan.splits == 1:
            kernel = self._kernel(choice, last)
            operands = (*sources, *outputs, *extras)
            self.pieces.append(Piece(kernel, operands, tuple([2 + i for i in writes])))
            return
        partial = Store((plan.splits * problem.shape[0], *problem.shape[1:]), self.compute)
        sums = self._temporary(plan.splits * prod(problem.shape), self.compute)
        self.pieces.append(Piece(self._kernel(choice, partial), (*sources, sums), (2,)))
        added = combine(problem.shape, plan.splits, self.compute, last)
        operands = (sums, *outputs, *extras)
        self.pieces.append(Piece(added, operands, tuple([1 + i for i in writes])))

    def _kernel(self, choice: Choice, epilogue) -> Kernel:
        plan, chunks = choice.plan, choice.chunks
        return Kernel(
            "contraction",
            f"contraction {plan} {chunks} {epilogue.key}",
            lambda name: Writer(name, plan, epilogue, chunks).text(),
            chunks,
            choice.cycles / 3,
            2.0 * choice.products * (2 if plan.memory == PAIRS else 1),
        )


def _anonymous(problem: Problem) -> Problem:
    """The problem without the names of its buffers: what a choice depends on."""
    nobody = given(0)
    return replace(
        problem,
        left=problem.left._replace(ref=nobody),
        right=problem.right._replace(ref=nobody),
    )


def _cut(x: Strided, padding) -> Strided:
    """``x`` without what a negative padding leaves out."""
    shape, offset = list(x.shape), x.offset
    for i, (low, high) in enumerate(padding):
        offset += max(0, -low) * x.strides[2 + i]
        shape[2 + i] -= max(0, -low) + max(0, -high)
    return Strided(x.ref, tuple(shape), x.strides, offset)
