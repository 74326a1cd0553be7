"""Writes the code that runs a plan: binding Python's objects to slots, then step after step.

A plan is one block of i64 words (`Plan`). A step is `STEP` words followed by the numbers of the
slots of its operands. ``call`` is a function that Python calls like a built-in one: it reads the
addresses of the arrays and numbers in two lists straight from the objects, whose layout
`objects.py` has checked. It refuses whatever is not exactly as expected, with REFUSED, and
then Python binds the slots and calls ``run``.

With a third argument ``call`` may return LEFT as soon as the first `HEAD` steps are done. A worker
does them all, and goes on with the rest, the *tail*: what it wrote in one step is in its cache in
the next. Whoever waits for it, here or in ``finish``, helps with the kernels that are shared. If
the worker sleeps or does not come, the caller does the head. The plan is `BUSY` until all is done.
"""

from __future__ import annotations

from collections.abc import Callable

from facula.engines.native.ir import Function, Value
from facula.engines.native.objects import Layout, Python
from facula.engines.native.pool_code import (
    LATE,
    Word,
    asleep,
    claim,
    clock,
    help_until,
    leave,
    note_late,
    read,
    ring,
    share,
    word,
)
from facula.engines.native.trial_code import Trial, decide, learn

REFUSED, OCCUPIED, NO_POOL, LEFT = -1, -2, -3, -4  # `call` returns these, 0, or a step's number


class Plan:
    """Places in a plan's block, in i64 words."""

    STATUS = 0  # three words
    COUNT, STEPS, TABLE, ARGUMENTS, INPUTS, OUTPUTS, EXPECTED, NUMBERS = range(3, 11)
    BUSY, TICKS, POOL, PYTHON, RELEASE, WAKE = range(11, 17)
    HEAD, TAIL = range(17, 19)  # steps of the head, address of the next one
    FIRST, START = range(19, 21)  # the step with which an errand begins, and its address
    COST = 21  # of all steps, ns
    ERRAND = 24  # the address of its code, and of this block
    DONE, RESULT = range(32, 34)  # steps done so far, and how an errand ended
    TRIAL = 40  # see trial_code.py
    SIZE = TRIAL + Trial.SIZE


STEP = 5  # words of a step before its slots: kernel, chunks, threads, loud, operands
ARRAY, FLOAT, INTEGER = 0, 1, 2  # what is expected: kind, dtype object, elements
EXPECT = 3


def pointer(f: Function, block: Value, place: int) -> Value:
    return f.load("ptr", word(f, block, place))


def run(name: str) -> str:
    """``i64 run(plan)``: 0, or the number (from 1) of the step that reported a bad index."""
    f = Function(name, ["ptr"], "i64")
    f.ret(f.helper("run_all", "i64", _write_run_all, f.arguments[0]))
    return f.text()


def errand(name: str) -> str:
    """``void errand(block)``: does the steps of a plan from `FIRST` on."""
    f = Function(name, ["ptr"])
    _do_rest(f, pointer(f, f.arguments[0], 1), 1)
    f.ret()
    return f.text()


def _do_rest(f: Function, plan: Value, me: int) -> None:
    first, stop = read(f, plan, Plan.FIRST), read(f, plan, Plan.COUNT)
    pool = pointer(f, plan, Plan.POOL)
    began = clock(f, pool)
    result = _run_steps(f, plan, pointer(f, plan, Plan.START), first, stop, me)
    with f.when(f.compare("icmp eq", first, 0)):
        learn(f, word(f, plan, Plan.TRIAL), f.op("sub", clock(f, pool), began))
    f.store(result, word(f, plan, Plan.RESULT))
    f.atomic_store(0, word(f, plan, Plan.BUSY))


def _begin(f: Function, plan: Value) -> None:
    """Before the first step: no bad index yet; workers that sleep are woken if it is worth it."""
    pool = pointer(f, plan, Plan.POOL)
    f.store(f.typed(0, "i64"), word(f, plan, Plan.STATUS))
    decide(f, word(f, plan, Plan.TRIAL), read(f, pool, Word.LIMIT))
    limit, wake = read(f, plan, Plan.TRIAL + Trial.THREADS), read(f, plan, Plan.WAKE)
    wake = f.select(f.compare("icmp slt", wake, limit), wake, limit)
    with f.when(f.compare("icmp sgt", wake, 1)):
        ring(f, pool, wake)
    _tick(f, plan, pool, read(f, plan, Plan.TICKS), 0)


def _write_run_all(f: Function) -> None:
    plan = f.arguments[0]
    _begin(f, plan)
    pool = pointer(f, plan, Plan.POOL)
    steps, count = pointer(f, plan, Plan.STEPS), read(f, plan, Plan.COUNT)
    began = clock(f, pool)
    result = _run_steps(f, plan, steps, f.typed(0, "i64"), count)
    learn(f, word(f, plan, Plan.TRIAL), f.op("sub", clock(f, pool), began))
    f.ret(result)


def _write_run_head(f: Function) -> None:
    """As run_all, but LEFT as soon as the head is done, if there is a worker for the tail."""
    plan = f.arguments[0]
    pool = pointer(f, plan, Plan.POOL)
    whole, apart, own, other = f.label(), f.label(), f.label(), f.label()
    several = f.compare("icmp sgt", read(f, pool, Word.LIMIT), 1)
    timed = f.compare("icmp ne", read(f, plan, Plan.TICKS), 0)
    alone = f.compare("icmp slt", clock(f, pool), read(f, pool, Word.ALONE_UNTIL))
    f.branch(f.op("or", f.op("xor", several, 1), f.op("or", timed, alone)), whole, apart)
    f.place(whole)
    f.ret(f.helper("run_all", "i64", _write_run_all, plan))
    f.place(apart)
    _begin(f, plan)
    f.branch(asleep(f, pool), own, other)
    f.place(own)
    f.ret(f.helper("own_head", "i64", _write_own_head, plan))
    f.place(other)
    f.ret(f.helper("other_head", "i64", _write_other_head, plan))


def _write_own_head(f: Function) -> None:
    """Does the head and leaves the tail."""
    plan = f.arguments[0]
    pool, steps, head = pointer(f, plan, Plan.POOL), pointer(f, plan, Plan.STEPS), Plan.HEAD
    bad = _run_steps(f, plan, steps, f.typed(0, "i64"), read(f, plan, head))
    with f.when(f.compare("icmp ne", bad, 0)):
        f.ret(bad)
        f.place(f.label())  # nothing follows a return
    f.store(read(f, plan, head), word(f, plan, Plan.FIRST))
    f.store(read(f, plan, Plan.TAIL), word(f, plan, Plan.START))
    leave(f, pool, word(f, plan, Plan.ERRAND))
    f.ret(LEFT)


def _write_other_head(f: Function) -> None:
    """Leaves all to a worker, and helps until the head is done."""
    plan = f.arguments[0]
    pool = pointer(f, plan, Plan.POOL)
    left = word(f, plan, Plan.ERRAND)
    head, busy = read(f, plan, Plan.HEAD), word(f, plan, Plan.BUSY)
    f.store(f.typed(0, "i64"), word(f, plan, Plan.FIRST))
    f.store(read(f, plan, Plan.STEPS), word(f, plan, Plan.START))
    f.atomic_store(0, word(f, plan, Plan.DONE))
    leave(f, pool, left)

    def far_enough() -> Value:
        known = f.compare("icmp sge", f.atomic_load(word(f, plan, Plan.DONE)), head)
        return f.op("or", known, f.compare("icmp eq", f.atomic_load(busy), 0))

    def do_it() -> None:
        with f.when(claim(f, pool, left)):
            f.ret(f.helper("own_head", "i64", _write_own_head, plan))
            f.place(f.label())  # nothing follows a return

    _help(f, plan, far_enough, do_it)
    all_, part = f.label(), f.label()
    f.branch(f.compare("icmp eq", f.atomic_load(busy), 0), all_, part)
    f.place(all_)
    f.ret(read(f, plan, Plan.RESULT))
    f.place(part)
    f.ret(LEFT)


def _help(f: Function, plan: Value, done: Callable[[], Value], late: Callable[[], None]) -> None:
    """Helps the worker that does this plan; takes a note if it is so late that its core is busy."""
    pool = pointer(f, plan, Plan.POOL)
    began = clock(f, pool)
    help_until(f, pool, done, late)
    ended = clock(f, pool)
    allowed = f.add(f.mul(read(f, plan, Plan.COST), 4), LATE)
    note_late(f, pool, f.compare("icmp sgt", f.op("sub", ended, began), allowed), ended)


def _run_steps(
    f: Function, plan: Value, step: Value, first: Value, stop: Value, me: int = 0
) -> Value:
    """The steps from ``first``, which is at ``step``, to ``stop``; 0 or which one found an error.

    ``me`` is the seat whose chunks the caller does first: a worker that does the tail keeps to its
    own, so that both threads find in their caches what they wrote before.
    """
    seat = f.typed(me, "i64")
    return f.helper("run_steps", "i64", _write_run_steps, plan, step, first, stop, seat)


def _write_run_steps(f: Function) -> None:
    plan, start, first, stop, me = f.arguments
    pool, table = pointer(f, plan, Plan.POOL), pointer(f, plan, Plan.TABLE)
    arguments = pointer(f, plan, Plan.ARGUMENTS)
    status, limit = word(f, plan, Plan.STATUS), read(f, plan, Plan.TRIAL + Trial.THREADS)
    ticks = read(f, plan, Plan.TICKS)
    step = f.variable("ptr", start)
    with f.loop(first, stop) as number:
        now = f.get("ptr", step)
        operands, slots = read(f, now, 4), word(f, now, STEP)
        with f.loop(0, operands) as i:
            slot = f.load("i64", f.at(slots, i, "i64"))
            f.store(f.load("i64", f.at(table, slot, "i64")), f.at(arguments, i, "i64"))
        _do(f, pool, limit, now, arguments, me)
        _tick(f, plan, pool, ticks, f.add(number, 1))
        with f.when(f.compare("icmp ne", f.load("i64", status), 0)):
            f.ret(f.add(number, 1))
            f.place(f.label())  # nothing follows a return
        f.atomic_store(f.add(number, 1), word(f, plan, Plan.DONE))  # done, and well
        f.set(step, f.at(slots, operands, "i64"))
    f.ret(0)


def _do(f: Function, pool: Value, limit: Value, step: Value, arguments: Value, me: Value) -> None:
    """One kernel, on this thread or on several."""
    kernel, chunks, use = pointer(f, step, 0), read(f, step, 1), read(f, step, 2)
    use = f.select(f.compare("icmp slt", use, limit), use, limit)
    many, one, end = f.label(), f.label(), f.label()
    f.branch(f.compare("icmp sgt", use, 1), many, one)
    f.place(many)
    share(f, pool, kernel, arguments, chunks, use, read(f, step, 3), me)
    f.jump(end)
    f.place(one)
    f.call_at(kernel, "void", arguments, 0, chunks)
    f.jump(end)
    f.place(end)


def _tick(f: Function, plan: Value, pool: Value, ticks: Value, number) -> None:
    with f.when(f.compare("icmp ne", ticks, 0)):
        f.store(clock(f, pool), f.at(pointer(f, plan, Plan.TICKS), number, "i64"))


def call(name: str) -> str:
    """``PyObject *call(self, arguments, count)``: Python's ``call(inputs, outputs[, leave])``."""
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
    wide = f.op("or", wide, f.compare("icmp eq", count, 3))  # or it leaves work to a worker
    f.set(result, f.select(f.compare("icmp eq", limit, 0), NO_POOL, f.typed(OCCUPIED, "i64")))
    started = f.compare("icmp ne", limit, 0)
    f.branch(f.op("or", started, f.op("xor", wide, 1)), ready, end)
    f.place(ready)
    f.branch(f.atomic_swap(busy, 0, 1), free, end)
    f.place(free)
    f.set(result, f.helper("bind_and_run", "i64", _write_bind_and_run, python, plan, given, count))
    with f.when(f.compare("icmp ne", f.get("i64", result), LEFT)):
        f.atomic_store(0, busy)
    f.jump(end)
    f.place(end)
    made = f.call_at(pointer(f, python, Python.FROM_LONG), "ptr", f.get("i64", result))
    f.ret(made)


def finish(name: str) -> str:
    """``PyObject *finish(self, arguments, count)``: returns when the tail is done."""
    f = Function(name, ["ptr", "ptr", "i64"], "ptr")
    owner = f.arguments[0]
    python = f.load("ptr", f.at(owner, Layout.BYTES, "i64"))
    plan = f.load("ptr", f.at(owner, Layout.BYTES + 1, "i64"))
    with f.when(f.compare("icmp ne", f.atomic_load(word(f, plan, Plan.BUSY)), 0)):
        state = f.call_at(pointer(f, python, Python.SAVE), "ptr")
        _finish(f, plan)
        f.call_at(pointer(f, python, Python.RESTORE), "void", state)
    f.ret(f.call_at(pointer(f, python, Python.FROM_LONG), "ptr", 0))
    return f.text()


def _finish(f: Function, plan: Value) -> None:
    """Does what is left if no worker has begun it, else helps the worker."""
    pool = pointer(f, plan, Plan.POOL)
    own, other, end = f.label(), f.label(), f.label()
    f.branch(claim(f, pool, word(f, plan, Plan.ERRAND)), own, other)
    f.place(own)
    _do_rest(f, plan, 0)
    f.jump(end)
    f.place(other)
    busy = word(f, plan, Plan.BUSY)
    _help(f, plan, lambda: f.compare("icmp eq", f.atomic_load(busy), 0), lambda: None)
    f.jump(end)
    f.place(end)


def _write_bind_and_run(f: Function) -> None:
    python, plan, given, count = f.arguments
    refused, two, bound, alone, aside = (f.label() for _ in range(5))
    leaving = f.compare("icmp eq", count, 3)
    f.branch(f.op("or", leaving, f.compare("icmp eq", count, 2)), two, refused)
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
    f.ret(f.helper("run", "i64", _write_run, plan, leaving))
    f.place(aside)  # other threads of the program may run meanwhile
    state = f.call_at(pointer(f, python, Python.SAVE), "ptr")
    result = f.helper("run", "i64", _write_run, plan, leaving)
    f.call_at(pointer(f, python, Python.RESTORE), "void", state)
    f.ret(result)


def _write_run(f: Function) -> None:
    plan, leaving = f.arguments
    whole, part = f.label(), f.label()
    f.branch(leaving, part, whole)
    f.place(part)
    f.ret(f.helper("run_head", "i64", _write_run_head, plan))
    f.place(whole)
    f.ret(f.helper("run_all", "i64", _write_run_all, plan))


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
