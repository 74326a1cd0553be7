"""Writes the code of the thread pool: sharing the chunks of a kernel, and the life of a worker.

All state is one block of i64 words (`Word`), followed by a block for each thread (`Seat`). A job
is a kernel whose chunks are dealt out to the seats as spans. A span is one atomic word, its
*ticket*: ``job << 32 | next << 16 | end``. Whoever moves ``next`` has taken that unit; a thread
empties its own span first (what it wrote in the step before is in its cache), then the others'.
A ticket can only be moved while its job is unfinished, and a job's description only changes when
it is finished, so whoever took a unit has read the right description.

An *errand* is work that one worker does alone, or with the chunks of its jobs shared as above: a
block whose first word is the address of ``void(errand)``. Whoever takes it from the pool's one
place for errands does it, be it a worker or, in the end, the thread that left it there.

Workers look at the bell (the number of the newest job) and for an errand for a while, then sleep
until they are rung. Nobody ever waits for a sleeping worker: what it would do is done by others.
"""

from __future__ import annotations

from collections.abc import Callable

from facula.engines.native.ir import Function, Value


class Word:
    """Places in the pool's block, in i64 words; what changes together shares a cache line."""

    BELL, KERNEL, ARGUMENTS, UNITS, CHUNKS, USE, ERRAND = range(7)
    DONE = 8
    LIMIT, BUSY, SPIN, ALONE_UNTIL, BACKOFF, CLOCK_ID = range(16, 22)
    # Addresses of functions of the C library.
    YIELD, CLOCK, LOCK, UNLOCK, WAIT, BROADCAST = range(24, 30)
    SEATS = 32


class Seat:
    """Places in a thread's block; the mutex and the condition have room for any platform's."""

    TICKET, NUMBER, POOL = 0, 1, 2
    ASLEEP = 8
    MUTEX, CONDITION = 16, 32
    SIZE = 48


MOST_UNITS = 4096  # a ticket has room for 65,535
LATE = 100_000  # ns that a worker may be behind before the cores are taken to be overbooked
PATIENCE = 200  # looks at an errand, some microseconds, after which nobody is expected to take it
FIRST_BACKOFF, LONGEST_BACKOFF = 1_000_000, 64_000_000  # ns of working alone after that


def word(f: Function, block: Value, place: int) -> Value:
    return f.at(block, place, "i64")


def read(f: Function, block: Value, place: int) -> Value:
    return f.load("i64", word(f, block, place))


def function(f: Function, pool: Value, place: int) -> Value:
    return f.load("ptr", word(f, pool, place))


def seat_of(f: Function, pool: Value, number: Value | int) -> Value:
    """The block of thread ``number``; 0 is whoever shares out a job."""
    index = f.add(f.mul(f.typed(number, "i64"), Seat.SIZE), Word.SEATS)
    return f.at(pool, index, "i64")


def now(f: Function, pool: Value) -> Value:
    """Nanoseconds of a clock that never goes back."""
    time = f.array("i64", 2, align=16)
    which = f.new("i32", f"trunc {read(f, pool, Word.CLOCK_ID)} to i32")
    f.call_at(function(f, pool, Word.CLOCK), "i32", which, time)
    seconds, rest = f.load("i64", time), f.load("i64", f.at(time, 1, "i64"))
    return f.add(f.mul(seconds, 1_000_000_000), rest)


def write_clock(f: Function) -> None:
    f.ret(now(f, f.arguments[0]))


def clock(f: Function, pool: Value) -> Value:
    return f.helper("clock", "i64", write_clock, pool)


def _write_take(f: Function) -> None:
    """``void take(pool, number)``: do units of the present job until none is left."""
    pool, me = f.arguments
    use = read(f, pool, Word.USE)
    victim, taken = f.variable("i64", me), f.variable("i64", 0)
    with f.loop(0, use):
        inside = f.compare("icmp slt", f.get("i64", victim), use)
        f.set(victim, f.select(inside, f.get("i64", victim), 0))
        ticket = seat_of(f, pool, f.get("i64", victim))
        f.set(taken, f.typed(0, "i64"))
        _empty_span(f, pool, ticket, taken)
        count = f.get("i64", taken)
        with f.when(f.compare("icmp sgt", count, 0)):
            f.atomic_add(word(f, pool, Word.DONE), count)
        f.set(victim, f.add(f.get("i64", victim), 1))
    f.ret()


def _empty_span(f: Function, pool: Value, ticket: Value, taken: Value) -> None:
    head, some, mine, end = f.label(), f.label(), f.label(), f.label()
    f.jump(head)
    f.place(head)
    now_ = f.atomic_load(ticket)
    first = f.op("and", f.op("lshr", now_, 16), 0xFFFF)
    f.branch(f.compare("icmp slt", first, f.op("and", now_, 0xFFFF)), some, end)
    f.place(some)
    kernel, arguments = function(f, pool, Word.KERNEL), function(f, pool, Word.ARGUMENTS)
    units, chunks = read(f, pool, Word.UNITS), read(f, pool, Word.CHUNKS)
    f.branch(f.atomic_swap(ticket, now_, f.op("add", now_, 1 << 16)), mine, head)
    f.place(mine)
    begin = f.op("udiv", f.mul(first, chunks), units)
    stop = f.op("udiv", f.mul(f.add(first, 1), chunks), units)
    f.call_at(kernel, "void", arguments, begin, stop)
    f.set(taken, f.add(f.get("i64", taken), 1))
    f.jump(head)
    f.place(end)


def take(f: Function, pool: Value, me: Value) -> None:
    f.helper("take", "void", _write_take, pool, me)


def _write_ring(f: Function) -> None:
    """``void ring(pool, use)``: wake those of the first ``use`` seats that sleep."""
    pool, use = f.arguments
    with f.loop(1, use) as number:
        seat = seat_of(f, pool, number)
        asleep = word(f, seat, Seat.ASLEEP)
        with f.when(f.compare("icmp ne", f.atomic_load(asleep, "seq_cst"), 0)):
            mutex = word(f, seat, Seat.MUTEX)
            f.call_at(function(f, pool, Word.LOCK), "i32", mutex)
            f.atomic_store(0, asleep, "seq_cst")
            f.call_at(function(f, pool, Word.BROADCAST), "i32", word(f, seat, Seat.CONDITION))
            f.call_at(function(f, pool, Word.UNLOCK), "i32", mutex)
    f.ret()


def ring(f: Function, pool: Value, use: Value) -> None:
    f.helper("ring", "void", _write_ring, pool, use)


def _deal(f: Function, pool: Value, job: Value, units: Value, use: Value) -> None:
    """Gives each seat its span of the job."""
    high = f.op("shl", job, 32)
    before = f.variable("i64", 0)
    with f.loop(0, use) as number:
        first = f.get("i64", before)
        end = f.op("udiv", f.mul(units, f.add(number, 1)), use)
        ticket = f.op("or", f.op("or", high, f.op("shl", first, 16)), end)
        f.atomic_store(ticket, seat_of(f, pool, number))
        f.set(before, end)


def _wait(f: Function, pool: Value, units: Value) -> None:
    """Waits until all units are done, politely."""
    turns = f.variable("i64", 0)
    head, more, end = f.label(), f.label(), f.label()
    f.jump(head)
    f.place(head)
    done = f.atomic_load(word(f, pool, Word.DONE))
    f.branch(f.compare("icmp slt", done, units), more, end)
    f.place(more)
    turn = f.add(f.get("i64", turns), 1)
    f.set(turns, turn)
    f.pause()
    with f.when(f.compare("icmp sgt", turn, 1000)):
        f.call_at(function(f, pool, Word.YIELD), "i32")
    f.jump(head)
    f.place(end)


def _judge(f: Function, pool: Value, began: Value, joined: Value) -> None:
    """Works alone for a while if a worker that had taken a unit came late: its core is not ours.

    The wait is compared with the time of the own part, as a unit may be long.
    """
    ended = clock(f, pool)
    allowed = f.add(f.mul(f.op("sub", joined, began), 2), LATE)
    note_late(f, pool, f.compare("icmp sgt", f.op("sub", ended, joined), allowed), ended)


def note_late(f: Function, pool: Value, late: Value, ended: Value) -> None:
    """Work alone for a while after a late worker, each time longer; else forget it slowly."""
    backoff = word(f, pool, Word.BACKOFF)
    longer = f.mul(f.load("i64", backoff), 2)
    longer = f.select(f.compare("icmp slt", longer, FIRST_BACKOFF), FIRST_BACKOFF, longer)
    longer = f.select(f.compare("icmp sgt", longer, LONGEST_BACKOFF), LONGEST_BACKOFF, longer)
    shorter = f.load("i64", backoff)
    shorter = f.op("sub", shorter, f.op("ashr", f.add(shorter, 15), 4))
    f.store(f.select(late, longer, shorter), backoff)
    until = word(f, pool, Word.ALONE_UNTIL)
    f.store(f.select(late, f.add(ended, longer), 0), until)


def _write_share(f: Function) -> None:
    """``void share(pool, kernel, arguments, chunks, use, loud, me)``; see :func:`share`."""
    pool, kernel, arguments, chunks, use, loud, me = f.arguments
    alone, free, together, release = f.label(), f.label(), f.label(), f.label()
    busy = word(f, pool, Word.BUSY)
    f.branch(f.atomic_swap(busy, 0, 1), free, alone)
    f.place(alone)  # another thread of the program has the workers
    f.call_at(kernel, "void", arguments, 0, chunks)
    f.ret()
    f.place(free)
    began = clock(f, pool)
    f.branch(f.compare("icmp slt", began, read(f, pool, Word.ALONE_UNTIL)), release, together)
    f.place(release)
    f.atomic_store(0, busy)
    f.jump(alone)
    f.place(together)
    units = f.select(f.compare("icmp slt", chunks, MOST_UNITS), chunks, MOST_UNITS)
    use = f.select(f.compare("icmp slt", units, use), units, use)
    f.store(kernel, word(f, pool, Word.KERNEL))
    f.store(arguments, word(f, pool, Word.ARGUMENTS))
    for place, value in ((Word.UNITS, units), (Word.CHUNKS, chunks), (Word.USE, use)):
        f.store(value, word(f, pool, place))
    f.atomic_store(0, word(f, pool, Word.DONE))
    job = f.op("add", read(f, pool, Word.BELL), 1)
    _deal(f, pool, job, units, use)
    f.atomic_store(job, word(f, pool, Word.BELL), "seq_cst")
    with f.when(f.compare("icmp ne", loud, 0)):
        ring(f, pool, use)
    take(f, pool, me)
    joined = clock(f, pool)
    _wait(f, pool, units)
    _judge(f, pool, began, joined)
    f.atomic_store(0, busy)
    f.ret()


def share(f: Function, pool: Value, kernel: Value, arguments: Value, *rest: Value) -> None:
    """Do a kernel's chunks on several threads.

    ``rest``: chunks, threads, whether to wake those that sleep, the seat of the caller.
    """
    f.helper("share", "void", _write_share, pool, kernel, arguments, *rest)


def leave(f: Function, pool: Value, errand: Value) -> None:
    """Leave an errand to a worker, which is woken if it sleeps."""
    address = f.new("i64", f"ptrtoint {errand} to i64")
    f.atomic_store(address, word(f, pool, Word.ERRAND), "seq_cst")
    ring(f, pool, f.typed(2, "i64"))


def asleep(f: Function, pool: Value) -> Value:
    """Whether the first worker sleeps, as an i1."""
    seat = seat_of(f, pool, 1)
    return f.compare("icmp ne", f.atomic_load(word(f, seat, Seat.ASLEEP)), 0)


def claim(f: Function, pool: Value, errand: Value) -> Value:
    """Whether the errand had not been begun and now is the caller's."""
    address = f.new("i64", f"ptrtoint {errand} to i64")
    return f.atomic_swap(word(f, pool, Word.ERRAND), address, 0)


def help_until(f: Function, pool: Value, done: Callable[[], Value], late: Callable[[], None]):
    """Do units of whatever jobs come until ``done``, politely; ``late`` is what to do meanwhile."""
    seen, turns = f.variable("i64", 0), f.variable("i64", 0)
    head, more, end = f.label(), f.label(), f.label()
    f.jump(head)
    f.place(head)
    f.branch(done(), end, more)
    f.place(more)
    bell = f.atomic_load(word(f, pool, Word.BELL))
    with f.when(f.compare("icmp ne", bell, f.get("i64", seen))):
        f.set(seen, bell)
        take(f, pool, f.typed(0, "i64"))
        f.set(turns, f.typed(0, "i64"))
    turn = f.add(f.get("i64", turns), 1)
    f.set(turns, turn)
    f.pause()
    with f.when(f.compare("icmp eq", turn, PATIENCE)):
        late()
    with f.when(f.compare("icmp sgt", turn, 1000)):
        f.call_at(function(f, pool, Word.YIELD), "i32")
    f.jump(head)
    f.place(end)


def _do_errand(f: Function, pool: Value, since: Value, turns: Value) -> None:
    """Takes the errand that was left, if there is one."""
    place = word(f, pool, Word.ERRAND)
    errand = f.atomic_load(place)
    with f.when(f.compare("icmp ne", errand, 0)), f.when(f.atomic_swap(place, errand, 0)):
        block = f.new("ptr", f"inttoptr {errand} to ptr")
        f.call_at(f.load("ptr", block), "void", block)
        f.set(turns, f.typed(0, "i64"))
        f.set(since, f.typed(0, "i64"))


def worker(name: str) -> str:
    """``ptr worker(seat)``: the life of a thread of the pool; it never returns."""
    f = Function(name, ["ptr"], "ptr")
    seat = f.arguments[0]
    pool, me = f.load("ptr", word(f, seat, Seat.POOL)), read(f, seat, Seat.NUMBER)
    seen, turns, since = f.variable("i64", 0), f.variable("i64", 0), f.variable("i64", 0)
    head, rung, idle, look = f.label(), f.label(), f.label(), f.label()
    f.jump(head)
    f.place(head)
    bell = f.atomic_load(word(f, pool, Word.BELL))
    f.branch(f.compare("icmp ne", bell, f.get("i64", seen)), rung, idle)
    f.place(rung)
    f.set(seen, bell)
    with f.when(f.compare("icmp slt", me, read(f, pool, Word.USE))):
        take(f, pool, me)
        f.set(turns, f.typed(0, "i64"))
        f.set(since, f.typed(0, "i64"))
    f.jump(head)
    f.place(idle)
    _do_errand(f, pool, since, turns)
    f.pause()
    turn = f.add(f.get("i64", turns), 1)
    f.set(turns, turn)
    f.branch(f.compare("icmp eq", f.op("and", turn, 63), 0), look, head)
    f.place(look)
    time = clock(f, pool)
    first = f.get("i64", since)
    fresh = f.compare("icmp eq", first, 0)
    f.set(since, f.select(fresh, time, first))
    waited = f.select(fresh, 0, f.op("sub", time, first))
    with f.when(f.compare("icmp sgt", waited, 20_000)):  # others may need this core
        f.call_at(function(f, pool, Word.YIELD), "i32")
    with f.when(f.compare("icmp sgt", waited, read(f, pool, Word.SPIN))):
        _sleep(f, pool, seat, f.get("i64", seen))
        f.set(since, f.typed(0, "i64"))
    f.jump(head)
    return f.text()


def _sleep(f: Function, pool: Value, seat: Value, seen: Value) -> None:
    """Sleeps until rung, unless the bell rings or an errand is left just now."""
    mutex, asleep = word(f, seat, Seat.MUTEX), word(f, seat, Seat.ASLEEP)
    f.call_at(function(f, pool, Word.LOCK), "i32", mutex)
    f.atomic_store(1, asleep, "seq_cst")
    rung = f.compare("icmp ne", f.atomic_load(word(f, pool, Word.BELL), "seq_cst"), seen)
    errand = f.compare("icmp ne", f.atomic_load(word(f, pool, Word.ERRAND), "seq_cst"), 0)
    with f.when(f.op("or", rung, errand)):
        f.atomic_store(0, asleep, "seq_cst")
    head, more, end = f.label(), f.label(), f.label()
    f.jump(head)
    f.place(head)
    f.branch(f.compare("icmp ne", f.atomic_load(asleep), 0), more, end)
    f.place(more)
    condition = word(f, seat, Seat.CONDITION)
    f.call_at(function(f, pool, Word.WAIT), "i32", condition, mutex)
    f.jump(head)
    f.place(end)
    f.call_at(function(f, pool, Word.UNLOCK), "i32", mutex)
