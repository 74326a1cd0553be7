"""What follows a contraction, done while its results are still in registers."""

from __future__ import annotations

from facula.base import dtypes
from facula.engines.native import ir, scalars
from facula.engines.native.lowering.loop_code import Evaluator, Scope
from facula.engines.native.lowering.loops import LoopProgram


class Epilogue:
    """A group's program as :mod:`facula.engines.native.contraction` takes it.

    Extras are the buffers the program loads and then those it stores.
    """

    keeps = False

    def __init__(self, program: LoopProgram, loaded: int):
        self.program = program
        self.key = repr(program)
        self.extras = program.slots
        self.writes = tuple(range(loaded, program.slots))
        self._begun: tuple[ir.Function | None, Scope | None] = (None, None)

    def _evaluator(self, f: ir.Function, pointers, lanes: int) -> Evaluator:
        return Evaluator(f, self.program.instructions, pointers[1:], 2, lanes)

    def begin(self, f: ir.Function, pointers) -> None:
        """Compute what is the same for all results; ``emit`` in the same function finds it."""
        evaluator = self._evaluator(f, pointers, 1)
        scope = Scope(None, frozenset())
        evaluator.ready([store.value for store in self.program.stores], scope)
        self._begun = f, scope

    def ask(self, f: ir.Function, pointers, coordinates) -> None:
        """Ask for the memory that ``emit`` will read and write there, long before it does."""
        evaluator = self._evaluator(f, pointers, 1)
        evaluator.counters = dict(enumerate(coordinates))
        places = [(s.slot, s.place, s.dtype, True) for s in self.program.stores]
        loads = [i for i in self.program.instructions if i[0] == "load"]
        places += [(slot, form, dtype, False) for _, dtype, slot, form in loads]
        for slot, form, name, writes in places:
            if form.affine and form.coefficient(2) == 1:
                storage = scalars.storage(dtypes.by_name(name))
                f.prefetch(evaluator.pointers[slot], evaluator.form(form, 1), storage, writes)

    def emit(self, f: ir.Function, pointers, value, coordinates, mask) -> None:
        """Compute and store everything for one vector of results."""
        program = self.program
        lanes = ir.lanes_of(value.type)
        evaluator = self._evaluator(f, pointers, lanes)
        evaluator.counters = dict(enumerate(coordinates))
        function, uniform = self._begun
        scope = Scope(uniform if function is f else None, frozenset((0, 1, 2)), mask)
        for i, instruction in enumerate(program.instructions):
            if instruction[0] == "anchor":
                scope.values[i] = value
        evaluator.store_all(program.stores, scope)
