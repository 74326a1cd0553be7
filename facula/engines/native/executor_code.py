"""Writes the code that runs a plan: binding Python's objects to slots, then step after step.

A plan is one block of i64 words (`Plan`). A step is `STEP` words followed by the numbers of the
slots of its operands. ``call`` is a function that Python calls like a built-in one: it reads the
addresses of the arrays and numbers in two lists straight from the objects, whose layout
`objects.py` has checked. It refuses whatever is not exactly as expected, with REFUSED, and
then Python binds the slots and calls ``run``.
"""

from __future__ import annotations

from facula.engines.native.ir import Function, Value
from facula.engines.native.objects import Layout, Python
from facula.engines.native.pool_code import Word, clock, read, ring, share, word

REFUSED, OCCUPIED, NO_POOL = -1, -2, -3  # `call` returns these, 0, or the number of a step


class Plan:
    """Places in a plan's block, in i64 words."""

    STATUS = 0  # three words
    COUNT, STEPS, TABLE, ARGUMENTS, INPUTS, OUTPUTS, EXPECTED, NUMBERS = range(3, 11)
    BUSY, TICKS, POOL, PYTHON, RELEASE, WAKE = range(11, 17)
    SIZE = 17


STEP = 5  # words of a step before its slots: kernel, chunks, threads, loud, operands
ARRAY, FLOAT, INTEGER = 0, 1, 2  # what is expected: kind, dtype object, elements
EXPECT = 3


def pointer(f: Function, block: Value, place: int) -> Value:
    return f.load("ptr", word(f, block, place))


def run(name: str) -> str:
    """``i64 run(plan)``: 0, or the number (from 1) of the step that reported a bad index."""
    f = Function(name, ["ptr"], "i64")
    f.ret(f.helper("run_steps", "i64", _write_run, f.arguments[0]))
    return f.text()


def _write_run(f: Function) -> None:
    plan = f.arguments[0]
    pool, table = pointer(f, plan, Plan.POOL), pointer(f, plan, Plan.TABLE)
    arguments = pointer(f, plan, Plan.ARGUMENTS)
    status = word(f, plan, Plan.STATUS)
    f.store(f.typed(0, "i64"), status)
    limit, wake = read(f, pool, Word.LIMIT), read(f, plan, Plan.WAKE)
    wake = f.select(f.compare("icmp slt", wake, limit), wake, limit)
    with f.when(f.compare("icmp sgt", wake, 1)):
        ring(f, pool, wake)
    ticks = read(f, plan, Plan.TICKS)
    _tick(f, plan, pool, ticks, 0)
    step = f.variable("ptr", pointer(f, plan, Plan.STEPS))
    with f.loop(0, read(f, plan, Plan.COUNT)) as number:
        now = f.get("ptr", step)
        operands, slots = read(f, now, 4), word(f, now, STEP)
        with f.loop(0, operands) as i:
            slot = f.load("i64", f.at(slots, i, "i64"))
            f.store(f.load("i64", f.at(table, slot, "i64")), f.at(arguments, i, "i64"))
        _do(f, pool, limit, now, arguments)
        _tick(f, plan, pool, ticks, f.add(number, 1))
        with f.when(f.compare("icmp ne", f.load("i64", status), 0)):
            f.ret(f.add(number, 1))
            f.place(f.label())  # nothing follows a return
        f.set(step, f.at(slots, operands, "i64"))
    f.ret(0)


def _do(f: Function, pool: Value, limit: Value, step: Value, arguments: Value) -> None:
    """One kernel, on this thread or on several."""
    kernel, chunks, use = pointer(f, step, 0), read(f, step, 1), read(f, step, 2)
    use = f.select(f.compare("icmp slt", use, limit), use, limit)
    many, one, end = f.label(), f.label(), f.label()
    f.branch(f.compare("icmp sgt", use, 1), many, one)
    f.place(many)
    share(f, pool, kernel, arguments, chunks, use, read(f, step, 3))
    f.jump(end)
    f.place(one)
    f.call_at(kernel, "void", arguments, 0, chunks)
    f.jump(end)
    f.place(end)


def _tick(f: Function, plan: Value, pool: Value, ticks: Value, number) -> None:
    with f.when(f.compare("icmp ne", ticks, 0)):
        f.store(clock(f, pool), f.at(pointer(f, plan, Plan.TICKS), number, "i64"))


def call(name: str) -> str:
    """``PyObject *call(self, arguments, count)``: Python's ``call(inputs, outputs)``."""
    f = Function(name, ["ptr", "ptr", "i64"], "ptr")
    owner, given, count = f.arguments
    python = f.load("ptr", f.at(owner, Layout.BYTES, "i64"))
    f.ret(f.helper("answer", "ptr", _write_answer, python, owner, given, count))
    return f.text()


def _write_answer(f: Function) -> None:
    """The answer as a Python int; ``owner`` are bytes that hold two addresses."""
    python, owner, given, count = f.arguments
    plan = f.load("ptr", f.at(owner, Layout.BYTES + 1, "i64"))
    result = f.variable("i64", OCCUPIED)
    busy = word(f, plan, Plan.BUSY)
    free, ready, end = f.label(), f.label(), f.label()
    limit = read(f, pointer(f, plan, Plan.POOL), Word.LIMIT)
    wide = f.compare("icmp sgt", read(f, plan, Plan.WAKE), 1)
    f.set(result, f.select(f.compare("icmp eq", limit, 0), NO_POOL, f.typed(OCCUPIED, "i64")))
    started = f.compare("icmp ne", limit, 0)
    f.branch(f.op("or", started, f.op("xor", wide, 1)), ready, end)
    f.place(ready)
    f.branch(f.atomic_swap(busy, 0, 1), free, end)
    f.place(free)
    f.set(result, f.helper("bind_and_run", "i64", _write_bind_and_run, python, plan, given, count))
    f.atomic_store(0, busy)
    f.jump(end)
    f.place(end)
    made = f.call_at(pointer(f, python, Python.FROM_LONG), "ptr", f.get("i64", result))
    f.ret(made)


def _write_bind_and_run(f: Function) -> None:
    python, plan, given, count = f.arguments
    refused, two, bound, alone, aside = (f.label() for _ in range(5))
    f.branch(f.compare("icmp eq", count, 2), two, refused)
    f.place(refused)
    f.ret(REFUSED)
    f.place(two)
    inputs, outputs = read(f, plan, Plan.INPUTS), read(f, plan, Plan.OUTPUTS)
    zero = f.typed(0, "i64")
    needed = f.typed(Layout.READABLE, "i32")
    fits = f.helper(
        "bind", "i1", _write_bind, python, plan, f.load("ptr", given), zero, inputs, needed
    )
    needed = f.typed(Layout.WRITABLE, "i32")
    second = f.load("ptr", f.at(given, 1, "ptr"))
    fits_too = f.helper("bind", "i1", _write_bind, python, plan, second, inputs, outputs, needed)
    f.branch(f.op("and", fits, fits_too), bound, refused)
    f.place(bound)
    f.branch(f.compare("icmp ne", read(f, plan, Plan.RELEASE), 0), aside, alone)
    f.place(alone)
    f.ret(f.helper("run_steps", "i64", _write_run, plan))
    f.place(aside)  # other threads of the program may run meanwhile
    state = f.call_at(pointer(f, python, Python.SAVE), "ptr")
    result = f.helper("run_steps", "i64", _write_run, plan)
    f.call_at(pointer(f, python, Python.RESTORE), "void", state)
    f.ret(result)


def _write_bind(f: Function) -> None:
    """Puts the addresses of a list's items into the slots from ``first``; false if one is odd."""
    python, plan, sequence, first, count, needed = f.arguments
    odd, sized, items_, end = f.label(), f.label(), f.label(), f.label()
    is_list = _has_type(f, python, Python.LIST, sequence)
    f.branch(is_list, sized, odd)
    f.place(odd)
    f.ret(False)
    f.place(sized)
    f.branch(f.compare("icmp eq", read(f, sequence, Layout.LIST_SIZE), count), items_, odd)
    f.place(items_)
    items = pointer(f, sequence, Layout.LIST_ITEMS)
    table, expected = pointer(f, plan, Plan.TABLE), pointer(f, plan, Plan.EXPECTED)
    with f.loop(0, count) as i:
        slot = f.add(first, i)
        item = f.load("ptr", f.at(items, i, "ptr"))
        wanted = f.at(expected, f.mul(slot, EXPECT), "i64")
        array, other, next_ = f.label(), f.label(), f.label()
        f.branch(_has_type(f, python, Python.NDARRAY, item), array, other)
        f.place(array)
        _check_array(f, item, wanted, needed, odd)
        f.store(read(f, item, Layout.ARRAY_DATA), f.at(table, slot, "i64"))
        f.jump(next_)
        f.place(other)
        _number(f, python, plan, item, wanted, slot, odd)
        f.jump(next_)
        f.place(next_)
    f.jump(end)
    f.place(end)
    f.ret(True)


def _has_type(f: Function, python: Value, place: int, item: Value) -> Value:
    return f.compare("icmp eq", read(f, item, Layout.TYPE), read(f, python, place))


def _require(f: Function, condition: Value, odd: str) -> None:
    good = f.label()
    f.branch(condition, good, odd)
    f.place(good)


def _check_array(f: Function, item: Value, wanted: Value, needed: Value, odd: str) -> None:
    """The array must be as the plan was made for: dtype, elements, C order, aligned."""
    flags = f.load("i32", word(f, item, Layout.ARRAY_FLAGS))
    _require(f, f.compare("icmp eq", f.op("and", flags, needed), needed), odd)
    dtype = f.compare("icmp eq", read(f, item, Layout.ARRAY_DTYPE), read(f, wanted, 1))
    _require(f, dtype, odd)
    rank = f.convert("sext", f.load("i32", word(f, item, Layout.ARRAY_RANK)), "i64")
    shape, size = pointer(f, item, Layout.ARRAY_SHAPE), f.variable("i64", 1)
    with f.loop(0, rank) as axis:
        f.set(size, f.mul(f.get("i64", size), f.load("i64", f.at(shape, axis, "i64"))))
    _require(f, f.compare("icmp eq", f.get("i64", size), read(f, wanted, 2)), odd)


def _number(
    f: Function, python: Value, plan: Value, item: Value, wanted: Value, slot: Value, odd: str
) -> None:
    """A Python float is read where it stands, an int or bool is written beside the table."""
    kind, target = read(f, wanted, 0), f.at(pointer(f, plan, Plan.TABLE), slot, "i64")
    floating, whole, no_error, erred, good, end = (f.label() for _ in range(6))
    is_float = _has_type(f, python, Python.FLOAT, item)
    f.branch(f.op("and", is_float, f.compare("icmp eq", kind, FLOAT)), floating, whole)
    f.place(floating)
    address = f.new("i64", f"ptrtoint {word(f, item, Layout.FLOAT_VALUE)} to i64")
    f.store(address, target)
    f.jump(end)
    f.place(whole)
    is_int = f.op(
        "or",
        _has_type(f, python, Python.INT, item),
        _has_type(f, python, Python.BOOL, item),
    )
    _require(f, f.op("and", is_int, f.compare("icmp eq", kind, INTEGER)), odd)
    number = f.call_at(pointer(f, python, Python.AS_LONG), "i64", item)
    f.branch(f.compare("icmp eq", number, -1), no_error, good)
    f.place(no_error)  # -1 is also what stands for an error
    error = f.call_at(pointer(f, python, Python.ERROR), "ptr")
    f.branch(f.compare("icmp ne", error, 0), erred, good)
    f.place(erred)
    f.call_at(pointer(f, python, Python.CLEAR), "void")
    f.jump(odd)
    f.place(good)
    place = f.at(pointer(f, plan, Plan.NUMBERS), slot, "i64")
    f.store(number, place)
    f.store(f.new("i64", f"ptrtoint {place} to i64"), target)
    f.jump(end)
    f.place(end)
