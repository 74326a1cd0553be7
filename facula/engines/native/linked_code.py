"""Writes the code that runs many small plans one after another, in one call.

A plan is a block of i64 words (`Word`) with its steps, each `STEP` words and the numbers of the
slots of its operands. A request is the address of a plan, the number of its buffers, and their
addresses, which go to the first slots of the plan's table.
"""

from __future__ import annotations

from facula.engines.native.ir import Function, Value


class Word:
    """Places in a plan's block."""

    STATUS = 0  # three words
    COUNT, STEPS, TABLE, ARGUMENTS = range(3, 7)
    SIZE = 7


STEP = 3  # words of a step before its slots: kernel, chunks, operands


def run_many(name: str) -> str:
    """``i64 run_many(requests, count)``: 0, or the number (from 1) of the one that failed."""
    f = Function(name, ["ptr", "i64"], "i64")
    requests, count = f.arguments
    request = f.variable("ptr", requests)
    with f.loop(0, count) as number:
        now = f.get("ptr", request)
        plan, buffers = f.load("ptr", now), f.load("i64", f.at(now, 1, "i64"))
        table = f.load("ptr", f.at(plan, Word.TABLE, "i64"))
        given = f.at(now, 2, "i64")
        _copy(f, given, table, buffers)
        f.helper("run_one", "void", _run_one, plan, table)
        with f.when(f.compare("icmp ne", f.load("i64", f.at(plan, Word.STATUS, "i64")), 0)):
            f.ret(f.add(number, 1))
            f.place(f.label())  # nothing follows a return
        f.set(request, f.at(given, buffers, "i64"))
    f.ret(0)
    return f.text()


def _copy(f: Function, source: Value, target: Value, count: Value) -> None:
    with f.loop(0, count) as i:
        f.store(f.load("i64", f.at(source, i, "i64")), f.at(target, i, "i64"))


def _run_one(f: Function) -> None:
    """``void run_one(plan, table)``: all steps of a plan."""
    plan, table = f.arguments
    arguments = f.load("ptr", f.at(plan, Word.ARGUMENTS, "i64"))
    step = f.variable("ptr", f.load("ptr", f.at(plan, Word.STEPS, "i64")))
    with f.loop(0, f.load("i64", f.at(plan, Word.COUNT, "i64"))):
        now = f.get("ptr", step)
        kernel, chunks = f.load("ptr", now), f.load("i64", f.at(now, 1, "i64"))
        operands, slots = f.load("i64", f.at(now, 2, "i64")), f.at(now, STEP, "i64")
        with f.loop(0, operands) as i:
            slot = f.load("i64", f.at(slots, i, "i64"))
            f.store(f.load("i64", f.at(table, slot, "i64")), f.at(arguments, i, "i64"))
        f.call_at(kernel, "void", arguments, 0, chunks)
        f.set(step, f.at(slots, operands, "i64"))
    f.ret()
