"""Lanes: arithmetic on IR values that reads like arithmetic, for writing formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps

from facula.engines.native import ir, target

_FLOATS = ("half", "bfloat", "float", "double")
_INT_OF = {"half": "i16", "float": "i32", "double": "i64"}
_FLOAT_OF = {"i16": "half", "i32": "float", "i64": "double"}


class Lanes:
    """A value of one or several lanes in a function under construction.

    Operators mean what they mean for floats or, by type, for signed integers; comparisons are
    false for NaN (``differs`` is true). Python numbers stand for constants.
    """

    __slots__ = ("f", "value")

    def __init__(self, f: ir.Function, value: ir.Value):
        self.f = f
        self.value = value

    @property
    def element(self) -> str:
        return ir.element_of(self.value.type)

    @property
    def count(self) -> int:
        return ir.lanes_of(self.value.type)

    @property
    def type(self) -> str:
        return self.value.type

    @property
    def is_float(self) -> bool:
        return self.element in _FLOATS

    def like(self, number) -> Lanes:
        """A number as a constant of this type."""
        if isinstance(number, Lanes):
            return number
        return Lanes(self.f, ir.constant(self.value.type, number))

    def _apply(self, name: str, a, b) -> Lanes:
        return Lanes(self.f, self.f.op(name, _raw(a), _raw(b)))

    def _either(self, for_floats: str, for_integers: str, a, b) -> Lanes:
        return self._apply(for_floats if self.is_float else for_integers, a, b)

    def __add__(self, other):
        return self._either("fadd", "add", self, other)

    def __radd__(self, other):
        return self._either("fadd", "add", other, self)

    def __sub__(self, other):
        return self._either("fsub", "sub", self, other)

    def __rsub__(self, other):
        return self._either("fsub", "sub", other, self)

    def __mul__(self, other):
        return self._either("fmul", "mul", self, other)

    def __rmul__(self, other):
        return self._either("fmul", "mul", other, self)

    def __truediv__(self, other):
        return self._apply("fdiv", self, other)

    def __rtruediv__(self, other):
        return self._apply("fdiv", other, self)

    def __neg__(self):
        if self.is_float:
            return Lanes(self.f, self.f.fneg(self.value))
        return self._apply("sub", 0, self)

    def __and__(self, other):
        return self._apply("and", self, other)

    def __or__(self, other):
        return self._apply("or", self, other)

    def __xor__(self, other):
        return self._apply("xor", self, other)

    def __invert__(self):
        return self._apply("xor", self, 1 if self.element == "i1" else -1)

    def __lshift__(self, other):
        return self._apply("shl", self, other)

    def __rshift__(self, other):
        """Zeros come in from the left; ``shift_signed`` keeps the sign."""
        return self._apply("lshr", self, other)

    def shift_signed(self, other) -> Lanes:
        return self._apply("ashr", self, other)

    def _compare(self, for_floats: str, for_integers: str, other) -> Lanes:
        name = for_floats if self.is_float else for_integers
        return Lanes(self.f, self.f.compare(name, self.value, _raw(other)))

    def __lt__(self, other):
        return self._compare("fcmp olt", "icmp slt", other)

    def __le__(self, other):
        return self._compare("fcmp ole", "icmp sle", other)

    def __gt__(self, other):
        return self._compare("fcmp ogt", "icmp sgt", other)

    def __ge__(self, other):
        return self._compare("fcmp oge", "icmp sge", other)

    def equals(self, other) -> Lanes:
        return self._compare("fcmp oeq", "icmp eq", other)

    def differs(self, other) -> Lanes:
        return self._compare("fcmp une", "icmp ne", other)

    def below(self, other) -> Lanes:
        """Less than, as unsigned integers."""
        return self._compare("fcmp olt", "icmp ult", other)

    def is_nan(self) -> Lanes:
        return Lanes(self.f, self.f.compare("fcmp uno", self.value, self.value))

    def convert(self, name: str, element: str) -> Lanes:
        return Lanes(self.f, self.f.convert(name, self.value, element))

    def bits(self) -> Lanes:
        """A float's bits as an integer."""
        return self.convert("bitcast", _INT_OF[self.element])

    def as_float(self) -> Lanes:
        """The float with these bits."""
        return self.convert("bitcast", _FLOAT_OF[self.element])

    def widened(self) -> Lanes:
        """float as double."""
        return self.convert("fpext", "double")

    def narrowed(self) -> Lanes:
        """double as float, rounded."""
        return self.convert("fptrunc", "float")

    def unary(self, intrinsic: str) -> Lanes:
        return Lanes(self.f, self.f.intrinsic(intrinsic, self.value))

    def any(self) -> Lanes:
        """Whether an i1 holds in some lane, as one i1."""
        return self._reduced("or")

    def all(self) -> Lanes:
        """Whether an i1 holds in every lane, as one i1."""
        return self._reduced("and")

    def _reduced(self, how: str) -> Lanes:
        if self.count == 1:
            return self
        name = f"llvm.vector.reduce.{how}.v{self.count}i1"
        return Lanes(self.f, self.f.call(name, "i1", self.value))


def _raw(x):
    return x.value if isinstance(x, Lanes) else x


def where(condition: Lanes, a, b) -> Lanes:
    """``a`` in the lanes where the condition holds, ``b`` in the others."""
    return Lanes(condition.f, condition.f.select(condition.value, _raw(a), _raw(b)))


def fma(a, b, c) -> Lanes:
    """a * b + c rounded once."""
    (first, *_) = [x for x in (a, b, c) if isinstance(x, Lanes)]
    return Lanes(first.f, first.f.fma(_raw(a), _raw(b), _raw(c)))


def muladd(a, b, c) -> Lanes:
    """a * b + c, rounded once where the CPU does that quickly."""
    (first, *_) = [x for x in (a, b, c) if isinstance(x, Lanes)]
    full = [first.like(x).value for x in (a, b, c)]
    return Lanes(first.f, first.f.intrinsic("fmuladd", *full))


def horner(x: Lanes, coefficients: Sequence[float]) -> Lanes:
    """The polynomial with these coefficients, the highest power first."""
    total = muladd(x, coefficients[0], coefficients[1]) if len(coefficients) > 1 else None
    if total is None:
        return x.like(coefficients[0])
    for c in coefficients[2:]:
        total = muladd(total, x, c)
    return total


def copysign(size: Lanes, sign: Lanes) -> Lanes:
    return Lanes(size.f, size.f.intrinsic("copysign", size.value, sign.value))


def at_most(x: Lanes, limit) -> Lanes:
    """min(x, limit); a NaN stays."""
    return where(x.like(limit) < x, limit, x)


def at_least(x: Lanes, limit) -> Lanes:
    """max(x, limit); a NaN stays."""
    return where(x.like(limit) > x, limit, x)


def has_lookup(x: Lanes) -> bool:
    """Whether :func:`lookup` takes one instruction for as many lanes as ``x`` has."""
    return x.count == 16 and x.element in ("float", "i32") and target.has("avx512f")


def lookup(place: Lanes, table: Sequence[float]) -> Lanes:
    """Of 16 floats the one that the lowest four bits of each lane of ``place`` number."""
    f, floats = place.f, ir.vector("float", 16)
    items = ", ".join([str(ir.constant("float", x)) for x in table])
    name = "llvm.x86.avx512.permvar.sf.512"
    return Lanes(f, f.call(name, floats, ir.Value(floats, f"<{items}>"), place.value))


def in_double(function: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """A formula for doubles as one for floats too: computed in double, then rounded."""

    @wraps(function)
    def formula(*operands: Lanes) -> Lanes:
        if operands[0].element == "double":
            return function(*operands)
        return function(*[x.widened() for x in operands]).narrowed()

    return formula


def outlined(function: Callable[..., Lanes]) -> Callable[..., Lanes]:
    """A long formula as a function of the module that its uses call."""

    @wraps(function)
    def formula(*operands: Lanes) -> Lanes:
        def write(f: ir.Function) -> None:
            f.ret(function(*[Lanes(f, v) for v in f.arguments]).value)

        first = operands[0]
        name = f"facula.{function.__name__}.{ir.mangled(first.type)}"
        return Lanes(first.f, first.f.helper(name, first.type, write, *[x.value for x in operands]))

    return formula


class Variable:
    """A value that changes: a slot of the function."""

    __slots__ = ("f", "slot", "type")

    def __init__(self, start: Lanes):
        self.f, self.type = start.f, start.type
        self.slot = start.f.variable(start.type)
        self.set(start)

    def get(self) -> Lanes:
        return Lanes(self.f, self.f.get(self.type, self.slot))

    def set(self, value: Lanes) -> None:
        self.f.set(self.slot, value.value)
