"""Writes the code that runs a program of blocks: what is needed, where it lies, and the calls.

A block is described by i64 words (`Block`): how many values it reads and makes, and the steps of
its native code, each `STEP` words and the numbers of the slots of its operands; one without native
code says so. A program (`Program`) is a list of blocks applied to numbered values.
"""

from __future__ import annotations

from facula.engines.native.ir import Function, Value


class Block:
    """Places in the words of a block."""

    STATUS = 0  # three words
    COUNT, STEPS, TABLE, ARGUMENTS = range(3, 7)
    READS, MAKES, NATIVE, SIZES = range(7, 11)  # SIZES: bytes of each result, multiples of 8
    SIZE = 11


class Program:
    """Places in the words of a program.

    ADDRESS, BYTES and USE are arrays over the values. An address that is not 0 from the start is
    memory from outside; USE is 1 for the results. BYTES is how much of the arena a value has.
    """

    COUNT, BLOCKS, FIRST, OPERANDS, END, ADDRESS, BYTES, USE, ARENA = range(9)
    STEP, CLASSES, FREE = range(9, 12)  # STEP is -1 before the start
    MOST = 16  # sizes of which free memory is remembered
    SIZE = FREE + 2 * MOST


STEP = 3  # words of a step before its slots: kernel, chunks, operands
_DIES = 1 << 40  # marks an operand that nobody reads later
_DEAD = -1  # the first result of a block that nothing needs


def run_program(name: str) -> str:
    """``i64 run_program(program)``: 0 when it is done.

    Otherwise the number (from 1) of the block that found a bad index; or, negative, of one without
    native code, which the caller has to run before calling again.
    """
    f = Function(name, ["ptr"], "i64")
    program = f.arguments[0]
    with f.when(f.compare("icmp slt", _get(f, program, Program.STEP), 0)):
        f.helper("mark", "void", _mark, program)
        _put(f, program, Program.STEP, f.typed(0, "i64"))
    count = _get(f, program, Program.COUNT)
    blocks, firsts = _at(f, program, Program.BLOCKS), _at(f, program, Program.FIRST)
    with f.loop(_get(f, program, Program.STEP), count) as number:
        block = f.load("ptr", f.at(blocks, number, "i64"))
        first = f.load("i64", f.at(firsts, number, "i64"))
        operands, reads = _at(f, program, Program.OPERANDS), _get(f, block, Block.READS)
        after = f.new("i64", f"ptrtoint {f.at(operands, reads, 'i64')} to i64")
        _put(f, program, Program.OPERANDS, after)
        _put(f, program, Program.STEP, f.add(number, 1))
        with f.when(f.compare("icmp sge", first, 0)):
            with f.when(f.compare("icmp eq", _get(f, block, Block.NATIVE), 0)):
                f.ret(f.op("sub", f.typed(-1, "i64"), number))
                f.place(f.label())  # nothing follows a return
            f.helper("run_block", "void", _run_block, program, block, operands, first)
            bad = f.load("i64", f.at(block, Block.STATUS, "i64"))
            with f.when(f.compare("icmp ne", bad, 0)):
                f.ret(f.add(number, 1))
                f.place(f.label())
    f.ret(0)
    return f.text()


def _at(f: Function, words: Value, place: int) -> Value:
    return f.load("ptr", f.at(words, place, "i64"))


def _get(f: Function, words: Value, place: int | Value) -> Value:
    return f.load("i64", f.at(words, place, "i64"))


def _put(f: Function, words: Value, place: int | Value, value: Value) -> None:
    f.store(value, f.at(words, place, "i64"))


def _mark(f: Function) -> None:
    """Backwards: which blocks are needed, and which operand is the last use of a value."""
    program = f.arguments[0]
    blocks, firsts = _at(f, program, Program.BLOCKS), _at(f, program, Program.FIRST)
    use, count = _at(f, program, Program.USE), _get(f, program, Program.COUNT)
    end = f.variable("ptr", _at(f, program, Program.END))
    with f.loop(0, count) as i:
        number = f.op("sub", f.op("sub", count, i), 1)
        block, first = f.load("ptr", f.at(blocks, number, "i64")), _get(f, firsts, number)
        reads = _get(f, block, Block.READS)
        operands = f.at(f.get("ptr", end), f.op("sub", f.typed(0, "i64"), reads), "i64")
        f.set(end, operands)
        needed = f.variable("i64", 0)
        with f.loop(0, _get(f, block, Block.MAKES)) as k:
            f.set(needed, f.op("or", f.get("i64", needed), _get(f, use, f.add(first, k))))
        dead, alive, done = f.label(), f.label(), f.label()
        f.branch(f.compare("icmp eq", f.get("i64", needed), 0), dead, alive)
        f.place(dead)
        _put(f, firsts, number, f.typed(_DEAD, "i64"))
        f.jump(done)
        f.place(alive)
        with f.loop(0, reads) as k:
            value = _get(f, operands, k)
            with f.when(f.compare("icmp eq", _get(f, use, value), 0)):
                _put(f, use, value, f.typed(1, "i64"))
                _put(f, operands, k, f.op("or", value, _DIES))
        f.jump(done)
        f.place(done)
    f.ret()


def _run_block(f: Function) -> None:
    """``void run_block(program, block, operands, first)``."""
    program, block, operands, first = f.arguments
    address, bytes_ = _at(f, program, Program.ADDRESS), _at(f, program, Program.BYTES)
    table, sizes = _at(f, block, Block.TABLE), _at(f, block, Block.SIZES)
    reads, makes = _get(f, block, Block.READS), _get(f, block, Block.MAKES)
    with f.loop(0, reads) as k:
        value = f.op("and", _get(f, operands, k), _DIES - 1)
        _put(f, table, k, _get(f, address, value))
    with f.loop(0, makes) as k:
        value = f.add(first, k)
        with f.when(f.compare("icmp eq", _get(f, address, value), 0)):
            size = _get(f, sizes, k)
            _put(f, bytes_, value, size)
            _put(f, address, value, f.helper("take", "i64", _take, program, size))
        _put(f, table, f.add(reads, k), _get(f, address, value))
    f.helper("run_steps", "void", _run_steps, block, table)
    with f.loop(0, reads) as k:
        operand = _get(f, operands, k)
        with f.when(f.compare("icmp sge", operand, _DIES)):
            value = f.op("and", operand, _DIES - 1)
            size = _get(f, bytes_, value)
            with f.when(f.compare("icmp ne", size, 0)):
                f.helper("give", "void", _give, program, size, _get(f, address, value))
    f.ret()


def _run_steps(f: Function) -> None:
    """``void run_steps(block, table)``: the kernels of a block, on this thread."""
    block, table = f.arguments
    arguments = _at(f, block, Block.ARGUMENTS)
    step = f.variable("ptr", _at(f, block, Block.STEPS))
    with f.loop(0, _get(f, block, Block.COUNT)):
        now = f.get("ptr", step)
        kernel, chunks, operands = _at(f, now, 0), _get(f, now, 1), _get(f, now, 2)
        slots = f.at(now, STEP, "i64")
        with f.loop(0, operands) as k:
            _put(f, arguments, k, _get(f, table, _get(f, slots, k)))
        f.call_at(kernel, "void", arguments, 0, chunks)
        f.set(step, f.at(slots, operands, "i64"))
    f.ret()


def _take(f: Function) -> None:
    """``i64 take(program, size)``: memory of the arena, some that is free again if there is."""
    program, size = f.arguments
    with f.loop(0, _get(f, program, Program.CLASSES)) as k:
        row = f.at(f.at(program, Program.FREE, "i64"), f.mul(k, 2), "i64")
        head = _get(f, row, 1)
        fits = f.compare("icmp eq", _get(f, row, 0), size)
        with f.when(f.op("and", fits, f.compare("icmp ne", head, 0))):
            _put(f, row, 1, f.load("i64", _at(f, row, 1)))
            f.ret(head)
            f.place(f.label())
    at = _get(f, program, Program.ARENA)
    _put(f, program, Program.ARENA, f.add(at, size))
    f.ret(at)


def _give(f: Function) -> None:
    """``void give(program, size, address)``: memory that is free again; it holds the next such."""
    program, size, address = f.arguments
    classes = _get(f, program, Program.CLASSES)
    rows = f.at(program, Program.FREE, "i64")
    place = f.new("ptr", f"inttoptr {address} to ptr")
    with f.loop(0, classes) as k:
        row = f.at(rows, f.mul(k, 2), "i64")
        with f.when(f.compare("icmp eq", _get(f, row, 0), size)):
            f.store(_get(f, row, 1), place)
            _put(f, row, 1, address)
            f.ret()
            f.place(f.label())
    with f.when(f.compare("icmp slt", classes, Program.MOST)):
        row = f.at(rows, f.mul(classes, 2), "i64")
        f.store(f.typed(0, "i64"), place)
        _put(f, row, 0, size)
        _put(f, row, 1, address)
        _put(f, program, Program.CLASSES, f.add(classes, 1))
    f.ret()
