"""How the elements of each dtype lie in memory and in registers, and how they move between."""

from __future__ import annotations

from facula.base import dtypes
from facula.base.dtypes import COMPLEX, dtype
from facula.engines.native import ir
from facula.engines.native.ir import Value

_STORAGE = {
    dtypes.float32: "float", dtypes.float64: "double", dtypes.float16: "half",
    dtypes.bfloat16: "float", dtypes.bool_: "i8",
    dtypes.int8: "i8", dtypes.int16: "i16", dtypes.int32: "i32", dtypes.int64: "i64",
    dtypes.uint8: "i8", dtypes.uint16: "i16", dtypes.uint32: "i32", dtypes.uint64: "i64",
}  # fmt: skip
_COMPUTE = {**_STORAGE, dtypes.float16: "float", dtypes.bool_: "i1"}


def has_type(own: dtype) -> bool:
    """Whether elements of this dtype can be kept in registers; complex numbers cannot."""
    return own.category < COMPLEX


def storage(own: dtype) -> str:
    """The LLVM type of an element in memory (bfloat16 is kept as the reference keeps it)."""
    return _STORAGE[own]


def compute(own: dtype) -> str:
    """The LLVM type of an element in registers."""
    return _COMPUTE[own]


def loaded(f: ir.Function, own: dtype, value: Value) -> Value:
    """What was read from memory, as the type of registers."""
    if own is dtypes.bool_:
        return f.compare("icmp ne", value, 0)
    return f.convert("fpext", value, "float") if own is dtypes.float16 else value


def stored(f: ir.Function, own: dtype, value: Value) -> Value:
    """A value of registers as the type of memory."""
    if own is dtypes.bool_:
        return f.convert("zext", value, "i8")
    return f.convert("fptrunc", value, "half") if own is dtypes.float16 else value


def load(
    f: ir.Function, own: dtype, pointer: Value, lanes: int, mask: Value | None = None
) -> Value:
    """Consecutive elements; where the mask does not hold they are 0 and not touched."""
    type_ = ir.vector(storage(own), lanes)
    if mask is None:
        return loaded(f, own, f.load(type_, pointer))
    if lanes > 1:
        return loaded(f, own, f.masked_load(type_, pointer, mask))
    slot = f.variable(type_, 0)
    with f.when(mask):
        f.set(slot, f.load(type_, pointer))
    return loaded(f, own, f.get(type_, slot))


def store(
    f: ir.Function, own: dtype, value: Value, pointer: Value, mask: Value | None = None
) -> None:
    """Write consecutive elements, those where the mask holds."""
    value = stored(f, own, value)
    if mask is None:
        f.store(value, pointer)
    elif ir.lanes_of(value.type) > 1:
        f.masked_store(value, pointer, mask)
    else:
        with f.when(mask):
            f.store(value, pointer)


def load_strided(
    f: ir.Function, own: dtype, pointer: Value, stride: int | Value, lanes: int,
    mask: Value | None = None,
) -> Value:  # fmt: skip
    """Elements ``stride`` apart, the first at ``pointer``; a mask must hold for that one."""
    element = storage(own)
    if stride == 0:
        return f.splat(load(f, own, pointer, 1), lanes)
    if stride == 1 or lanes == 1:
        return load(f, own, pointer, lanes, mask if lanes > 1 else None)
    if mask is not None:
        steps = f.op("mul", f.lane_numbers(lanes), _wide(f, stride, lanes))
        return gather(f, own, pointer, steps, mask)
    if stride == -1:
        start = f.at(pointer, 1 - lanes, element)
        return f.shuffle(load(f, own, start, lanes), None, list(range(lanes))[::-1])
    parts = Value(ir.vector(element, lanes), "poison")
    for lane in range(lanes):
        place = stride * lane if isinstance(stride, int) else f.op("mul", stride, lane)
        parts = f.insert(parts, f.load(element, f.at(pointer, place, element)), lane)
    return loaded(f, own, parts)


def _wide(f: ir.Function, stride: int | Value, lanes: int) -> Value:
    if isinstance(stride, Value):
        return f.splat(stride, lanes)
    return ir.constant(ir.vector("i64", lanes), stride)


def gather(
    f: ir.Function, own: dtype, pointer: Value, places: Value, mask: Value | None = None
) -> Value:
    """Elements at the i64 indices ``places``; where the mask does not hold they are 0."""
    element, lanes = storage(own), ir.lanes_of(places.type)
    if lanes == 1:
        return load(f, own, f.at(pointer, places, element), 1)
    type_ = ir.vector(element, lanes)
    if mask is None:
        parts = Value(type_, "poison")
        for lane in range(lanes):
            place = f.extract(places, lane)
            parts = f.insert(parts, f.load(element, f.at(pointer, place, element)), lane)
        return loaded(f, own, parts)
    pointers = f.new(f"<{lanes} x ptr>", f"getelementptr {element}, {pointer}, {places}")
    name = f"llvm.masked.gather.{ir.mangled(type_)}.v{lanes}p0"
    align = ir.constant("i32", ir.align_of(element))
    f.declared.setdefault(
        name, f"declare {type_} @{name}(<{lanes} x ptr>, i32 immarg, {mask.type}, {type_})"
    )
    return loaded(f, own, f.call(name, type_, pointers, align, mask, ir.constant(type_, 0)))


def number(f: ir.Function, own: dtype, pointer: Value) -> Value:
    """A Python number: 8 bytes that hold a double, or an i64 for int and bool."""
    if own.is_floating_point:
        value = f.load("double", pointer)
        return value if own is dtypes.float64 else f.convert("fptrunc", value, "float")
    value = f.load("i64", pointer)
    if own is dtypes.bool_:
        return f.compare("icmp ne", value, 0)
    return f.convert("trunc", value, compute(own)) if compute(own) != "i64" else value
