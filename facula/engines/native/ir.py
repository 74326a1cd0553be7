"""Writes LLVM IR as text: a function builder of about forty methods.

Values are a type and a name; types are LLVM's own spelling (``float``, ``<16 x float>``, ``ptr``).
Python numbers stand for constants wherever the other operand tells their type. Variables that
change (loop counters, accumulators) are stack slots; LLVM turns them into registers.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager


class Value:
    """An SSA value or a constant: ``str(value)`` is how instructions name it."""

    __slots__ = ("name", "type")

    def __init__(self, type_: str, name: str):
        self.type = type_
        self.name = name

    def __str__(self) -> str:
        return f"{self.type} {self.name}"


Operand = Value | int | float | bool


def vector(element: str, lanes: int) -> str:
    """The type of ``lanes`` elements; one lane is the element itself."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def element_of(type_: str) -> str:
    """``float`` for ``<16 x float>``, and for ``float``."""
    return type_.split(" x ")[1][:-1] if type_[0] == "<" else type_


def lanes_of(type_: str) -> int:
    """16 for ``<16 x float>``, 1 for ``float``."""
    return int(type_[1:].split(" ")[0]) if type_[0] == "<" else 1


def like(type_: str, element: str) -> str:
    """``type_`` with another element type and as many lanes."""
    return vector(element, lanes_of(type_))


def constant(type_: str, value) -> Value:
    """A constant, the same in every lane."""
    element = element_of(type_)
    text = _constant_text(element, value)
    return Value(type_, text if element == type_ else f"splat ({element} {text})")


def mask(lanes: Sequence[bool]) -> Value:
    """A constant mask."""
    if len(lanes) == 1:
        return constant("i1", lanes[0])
    bits = ", ".join(["i1 true" if lane else "i1 false" for lane in lanes])
    return Value(vector("i1", len(lanes)), f"<{bits}>")


def _only_lane(mask: Value) -> int | None:
    """The lane of a constant mask that holds alone."""
    lanes = mask.name[1:-1].split(",") if mask.name[0] == "<" else []
    found = [i for i, lane in enumerate(lanes) if lane.endswith("true")]
    return found[0] if len(found) == 1 else None


def _constant_text(element: str, value) -> str:
    if element == "i1":
        return "true" if value else "false"
    if element in ("float", "double", "half", "bfloat"):
        number = float(value)
        if element == "float":
            try:
                number = struct.unpack("f", struct.pack("f", number))[0]
            except OverflowError:
                number = float("inf") if number > 0 else float("-inf")
        elif element == "half":
            return f"0xH{struct.unpack('H', struct.pack('e', number))[0]:04X}"
        elif element == "bfloat":
            return f"0xR{struct.unpack('I', struct.pack('f', number))[0] >> 16:04X}"
        return f"0x{struct.unpack('Q', struct.pack('d', number))[0]:016X}"
    if element == "ptr":
        return "null"
    return str(int(value))


class Function:
    """One function under construction."""

    def __init__(self, name: str, arguments: Sequence[str], returns: str = "void"):
        self.name = name
        self.arguments = [Value(t, f"%a{i}") for i, t in enumerate(arguments)]
        self.returns = returns
        self._slots: list[str] = []
        self._lines: list[str] = []
        self._next = 0
        self.declared: dict[str, str] = {}
        # Loops that fill or copy must not become calls of libc: there is nothing to link with.
        self.attributes = 'nounwind "no-builtins"'
        self.linkage = ""

    # Text -------------------------------------------------------------------------------------

    def text(self) -> str:
        """The function's definition and the declarations it needs."""
        return "\n".join([*self.declared.values(), self._definition()])

    def _definition(self) -> str:
        arguments = ", ".join(map(str, self.arguments))
        body = "\n".join([*self._slots, "  br label %start", "start:", *self._lines])
        head = f"define {self.linkage}{self.returns} @{self.name}({arguments}) {self.attributes}"
        return f"{head} {{\nentry:\n{body}\n}}\n"

    def helper(
        self, name: str, returns: str, write: Callable[[Function], None], *arguments: Value
    ) -> Value:
        """Call a function of the same module that is never inlined; ``write`` fills it in once.

        Equal names must mean equal code; an argument is passed by value whatever its lanes.
        """
        if name not in self.declared:
            inner = Function(name, [a.type for a in arguments], returns)
            inner.linkage, inner.attributes = "internal ", "nounwind noinline"
            write(inner)
            for other, text in inner.declared.items():
                self.declared.setdefault(other, text)
            self.declared[name] = inner._definition()
        return self.call(name, returns, *arguments)

    def table(self, name: str, element: str, numbers: Sequence[int | float]) -> Value:
        """The address of constants that are part of the module."""
        items = ", ".join([f"{element} {_constant_text(element, x)}" for x in numbers])
        kind = f"[{len(numbers)} x {element}]"
        self.declared[name] = f"@{name} = internal constant {kind} [{items}], align 64"
        return Value("ptr", f"@{name}")

    def line(self, text: str) -> None:
        self._lines.append("  " + text)

    def new(self, type_: str, text: str) -> Value:
        """The result of an instruction, under a new name."""
        value = Value(type_, f"%t{self._next}")
        self._next += 1
        self._lines.append(f"  {value.name} = {text}")
        return value

    def label(self) -> str:
        self._next += 1
        return f"l{self._next}"

    def place(self, label: str) -> None:
        self._lines.append(f"{label}:")

    def jump(self, label: str) -> None:
        self.line(f"br label %{label}")

    def branch(self, condition: Value, yes: str, no: str) -> None:
        self.line(f"br {condition}, label %{yes}, label %{no}")

    def ret(self, value: Operand | None = None) -> None:
        self.line(f"ret {self.typed(value, self.returns)}" if value is not None else "ret void")

    # Operations -------------------------------------------------------------------------------

    @staticmethod
    def typed(operand, type_: str) -> Value:
        return operand if isinstance(operand, Value) else constant(type_, operand)

    def pair(self, a: Operand, b: Operand) -> tuple[Value, Value]:
        """Two operands of one type; a number takes the other's, a scalar its lanes."""
        if not isinstance(a, Value):
            assert isinstance(b, Value)
            a = constant(b.type, a)
        if not isinstance(b, Value):
            b = constant(a.type, b)
        if a.type != b.type:
            a, b = self.splat(a, lanes_of(b.type)), self.splat(b, lanes_of(a.type))
        return a, b

    def op(self, name: str, a: Operand, b: Operand) -> Value:
        """A binary instruction: ``fadd``, ``sub nsw``, ``lshr``, ``xor`` and so on."""
        a, b = self.pair(a, b)
        return self.new(a.type, f"{name} {a}, {b.name}")

    def add(self, a: Operand, b: Operand) -> Value:
        """Integer addition of indices; nothing is emitted for adding 0."""
        if not isinstance(b, Value) and b == 0 and isinstance(a, Value):
            return a
        if not isinstance(a, Value) and a == 0 and isinstance(b, Value):
            return b
        return self.op("add nsw", a, b)

    def mul(self, a: Operand, b: Operand) -> Value:
        """Integer multiplication of indices; nothing is emitted for multiplying by 1."""
        if not isinstance(b, Value) and b == 1 and isinstance(a, Value):
            return a
        return self.op("mul nsw", a, b)

    def compare(self, name: str, a: Operand, b: Operand) -> Value:
        """``icmp slt``, ``fcmp ult`` and so on; an i1 for each lane."""
        a, b = self.pair(a, b)
        return self.new(like(a.type, "i1"), f"{name} {a}, {b.name}")

    def select(self, condition: Value, a: Operand, b: Operand) -> Value:
        a, b = self.pair(a, b)
        if lanes_of(condition.type) < lanes_of(a.type):
            condition = self.splat(condition, lanes_of(a.type))
        elif lanes_of(condition.type) > lanes_of(a.type):
            lanes = lanes_of(condition.type)
            a, b = self.splat(a, lanes), self.splat(b, lanes)
        return self.new(a.type, f"select {condition}, {a}, {b}")

    def convert(self, name: str, value: Value, element: str) -> Value:
        """``sext``, ``fptosi``, ``bitcast`` ... to another element type, lanes kept."""
        to = like(value.type, element)
        return value if to == value.type else self.new(to, f"{name} {value} to {to}")

    def fneg(self, value: Value) -> Value:
        return self.new(value.type, f"fneg {value}")

    def call(self, name: str, returns: str, *arguments: Value, flags: str = "") -> Value:
        """Call a function or intrinsic by name; it is declared as needed."""
        text = ", ".join(map(str, arguments))
        types = ", ".join([a.type for a in arguments])
        self.declared.setdefault(name, f"declare {returns} @{name}({types})")
        if returns == "void":
            self.line(f"call void @{name}({text})")
            return Value("void", "")
        return self.new(returns, f"call {flags}{returns} @{name}({text})")

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """An LLVM intrinsic overloaded on its result type, ``fma`` or ``sqrt`` for example."""
        type_ = arguments[0].type
        return self.call(f"llvm.{name}.{mangled(type_)}", type_, *arguments)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Value:
        """a * b + c, rounded once; numbers and scalars take the widest operand's type."""
        widest = max([x for x in (a, b, c) if isinstance(x, Value)], key=lambda v: lanes_of(v.type))
        full = [self.splat(self.typed(x, widest.type), lanes_of(widest.type)) for x in (a, b, c)]
        return self.intrinsic("fma", *full)

    def splat(self, value: Value, lanes: int) -> Value:
        """A scalar in every lane."""
        if lanes == 1 or lanes_of(value.type) == lanes:
            return value
        type_ = vector(value.type, lanes)
        if value.name[0] != "%":
            return Value(type_, f"splat ({value})")
        one = self.new(type_, f"insertelement {type_} poison, {value}, i64 0")
        zeros = f"<{lanes} x i32> zeroinitializer"
        return self.new(type_, f"shufflevector {one}, {type_} poison, {zeros}")

    def shuffle(self, a: Value, b: Value | None, order: Sequence[int]) -> Value:
        """Lanes picked from ``a`` followed by ``b``; -1 leaves a lane open."""
        if len(order) == 1 and order[0] < lanes_of(a.type):
            return self.extract(a, max(0, order[0]))
        type_ = vector(element_of(a.type), len(order))
        other = b or Value(a.type, "poison")
        picks = ", ".join([f"i32 {i}" if i >= 0 else "i32 poison" for i in order])
        return self.new(type_, f"shufflevector {a}, {other}, <{len(order)} x i32> <{picks}>")

    def extract(self, value: Value, lane: int | Value) -> Value:
        if lanes_of(value.type) == 1:
            return value
        lane = self.typed(lane, "i64")
        return self.new(element_of(value.type), f"extractelement {value}, {lane}")

    def insert(self, value: Value, item: Value, lane: int | Value) -> Value:
        return self.new(value.type, f"insertelement {value}, {item}, {self.typed(lane, 'i64')}")

    def lane_numbers(self, lanes: int, element: str = "i64") -> Value:
        """0, 1, 2, ... in the lanes."""
        if lanes == 1:
            return constant(element, 0)
        numbers = ", ".join([f"{element} {i}" for i in range(lanes)])
        return Value(vector(element, lanes), f"<{numbers}>")

    # Memory -----------------------------------------------------------------------------------

    def at(self, pointer: Value, index: Operand, element: str) -> Value:
        """The address of element number ``index`` of type ``element``."""
        if not isinstance(index, Value) and index == 0:
            return pointer
        index = self.typed(index, "i64")
        return self.new("ptr", f"getelementptr inbounds {element}, {pointer}, {index}")

    def load(self, type_: str, pointer: Value) -> Value:
        """Load a scalar or a vector; a vector need only be aligned as its elements are."""
        return self.new(type_, f"load {type_}, {pointer}, align {align_of(element_of(type_))}")

    def store(self, value: Value, pointer: Value) -> None:
        self.line(f"store {value}, {pointer}, align {align_of(element_of(value.type))}")

    def masked_load(self, type_: str, pointer: Value, mask: Value, other: Operand = 0) -> Value:
        """Load the lanes where ``mask`` holds; the others are ``other`` and are not touched."""
        align = constant("i32", align_of(element_of(type_)))
        name = f"llvm.masked.load.{mangled(type_)}.p0"
        self.declared.setdefault(
            name, f"declare {type_} @{name}(ptr, i32 immarg, {mask.type}, {type_})"
        )
        return self.call(name, type_, pointer, align, mask, self.typed(other, type_))

    def masked_store(self, value: Value, pointer: Value, mask: Value) -> None:
        """Store the lanes where ``mask`` holds."""
        lane = _only_lane(mask)
        if lane is not None:
            # LLVM 20 stores the whole lane that a value was truncated from (LLVM issue 179489).
            place = self.at(pointer, lane, element_of(value.type))
            self.store(self.extract(value, lane), place)
            return
        align = constant("i32", align_of(element_of(value.type)))
        name = f"llvm.masked.store.{mangled(value.type)}.p0"
        self.declared.setdefault(
            name, f"declare void @{name}({value.type}, ptr, i32 immarg, {mask.type})"
        )
        self.call(name, "void", value, pointer, align, mask)

    def prefetch(self, pointer: Value, index: Operand, element: str, write: bool = False) -> None:
        """Fetch a line of memory into the second-level cache; it need not exist."""
        index = self.typed(index, "i64")
        place = self.new("ptr", f"getelementptr {element}, {pointer}, {index}")
        why, level, data = (Value("i32", n) for n in (str(int(write)), "2", "1"))
        self.call("llvm.prefetch.p0", "void", place, why, level, data)

    def variable(self, type_: str, start: Operand | None = None) -> Value:
        """A slot that :meth:`get` and :meth:`set` use; LLVM keeps it in a register."""
        slot = Value("ptr", f"%v{self._next}")
        self._next += 1
        self._slots.append(f"  {slot.name} = alloca {type_}")
        if start is not None:
            self.set(slot, self.typed(start, type_))
        return slot

    def get(self, type_: str, slot: Value) -> Value:
        return self.new(type_, f"load {type_}, {slot}")

    def set(self, slot: Value, value: Value) -> None:
        self.line(f"store {value}, {slot}")

    def array(self, element: str, count: int, align: int = 64) -> Value:
        """Memory on the stack for ``count`` elements."""
        slot = Value("ptr", f"%v{self._next}")
        self._next += 1
        self._slots.append(f"  {slot.name} = alloca {element}, i64 {count}, align {align}")
        return slot

    # Other threads and other functions --------------------------------------------------------

    def call_at(self, pointer: Value, returns: str, *arguments: Operand) -> Value:
        """Call a function through its address; numbers are passed as i64."""
        text = ", ".join([str(self.typed(a, "i64")) for a in arguments])
        if returns == "void":
            self.line(f"call void {pointer.name}({text})")
            return Value("void", "")
        return self.new(returns, f"call {returns} {pointer.name}({text})")

    def atomic_load(self, pointer: Value, order: str = "acquire") -> Value:
        """An i64 that other threads write."""
        return self.new("i64", f"load atomic i64, {pointer} {order}, align 8")

    def atomic_store(self, value: Operand, pointer: Value, order: str = "release") -> None:
        """Write an i64 that other threads read."""
        self.line(f"store atomic {self.typed(value, 'i64')}, {pointer} {order}, align 8")

    def atomic_add(self, pointer: Value, value: Operand) -> Value:
        """Add to an i64 that other threads change too; the value before."""
        return self.new(
            "i64", f"atomicrmw add {pointer}, {self.typed(value, 'i64')} acq_rel, align 8"
        )

    def atomic_swap(self, pointer: Value, expected: Operand, value: Operand) -> Value:
        """Replace an i64 if it still is ``expected``; whether it was, as an i1."""
        before, after = self.typed(expected, "i64"), self.typed(value, "i64")
        text = f"cmpxchg {pointer}, {before}, {after} acq_rel acquire, align 8"
        both = self.new("{ i64, i1 }", text)
        return self.new("i1", f"extractvalue {both}, 1")

    def pause(self) -> None:
        """Tell the CPU that this thread is waiting in a loop."""
        machine = platform.machine().lower()
        if machine in ("x86_64", "amd64"):
            self.call("llvm.x86.sse2.pause", "void")
        elif machine in ("aarch64", "arm64"):
            self.call("llvm.aarch64.hint", "void", Value("i32", "1"))

    # Control ----------------------------------------------------------------------------------

    @contextmanager
    def loop(self, start: Operand, stop: Operand, step: int = 1) -> Iterator[Value]:
        """``for i in range(start, stop, step)``; ``step`` is positive."""
        counter = self.variable("i64", start)
        head, body, end = self.label(), self.label(), self.label()
        certain = isinstance(start, int) and isinstance(stop, int) and start < stop
        self.jump(body if certain else head)
        if not certain:
            self.place(head)
            now = self.get("i64", counter)
            self.branch(self.compare("icmp slt", now, stop), body, end)
        self.place(body)
        index = self.get("i64", counter)
        yield index
        after = self.op("add nsw", index, step)
        self.set(counter, after)
        if certain:
            self.branch(self.compare("icmp slt", after, stop), body, end)
        else:
            self.jump(head)
        self.place(end)

    @contextmanager
    def when(self, condition: Value) -> Iterator[None]:
        """Run the body only if the i1 holds."""
        yes, end = self.label(), self.label()
        self.branch(condition, yes, end)
        self.place(yes)
        yield
        self.jump(end)
        self.place(end)


_ALIGN = {
    "i1": 1, "i8": 1, "i16": 2, "half": 2, "bfloat": 2, "i32": 4, "float": 4,
    "i64": 8, "double": 8, "ptr": 8, "i128": 8,
}  # fmt: skip


def align_of(element: str) -> int:
    """Bytes of one element, which is also how it is aligned."""
    return _ALIGN[element]


_MANGLED = {"float": "f32", "double": "f64", "half": "f16", "bfloat": "bf16"}


def mangled(type_: str) -> str:
    """``v16f32`` for ``<16 x float>``: how intrinsics are named."""
    element = element_of(type_)
    short = _MANGLED.get(element, element)
    return short if element == type_ else f"v{lanes_of(type_)}{short}"
