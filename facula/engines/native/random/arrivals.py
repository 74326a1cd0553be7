"""Poisson numbers of small rates, counted in uniform numbers; see `runtime/streams/poisson.py`."""

from __future__ import annotations

from facula.engines.native import ir
from facula.engines.native.ir import Function
from facula.engines.native.random.twister import ARGUMENTS


def arrivals(name: str) -> str:
    """``(ptr uniforms, ptr limits, i64 m, ptr counts, i64 n)``: all m uniforms are used.

    After the ``n`` counts stand what goes from call to call: how many counts are complete, the
    product of the present one's uniforms, and the count so far. m is not more than are incomplete.
    """
    f = Function(name, ARGUMENTS)
    uniforms, limits, m, counts, n = f.arguments
    state = f.at(counts, n, "double")
    kept = [f.at(state, i, "double") for i in range(3)]
    place = f.variable("i64", f.new("i64", f"fptosi {f.load('double', kept[0])} to i64"))
    product = f.variable("double", f.load("double", kept[1]))
    count = f.variable("double", f.load("double", kept[2]))
    one, zero = ir.constant("double", 1.0), ir.constant("double", 0.0)
    with f.loop(0, m) as at:
        here, seen = f.get("i64", place), f.get("double", count)
        uniform = f.load("double", f.at(uniforms, at, "double"))
        now = f.op("fmul", f.get("double", product), uniform)
        more = f.compare("fcmp ogt", now, f.load("double", f.at(limits, here, "double")))
        f.store(seen, f.at(counts, here, "double"))
        f.set(place, f.add(here, f.select(more, ir.constant("i64", 0), ir.constant("i64", 1))))
        f.set(product, f.select(more, now, one))
        f.set(count, f.select(more, f.op("fadd", seen, one), zero))
    f.store(f.new("double", f"sitofp {f.get('i64', place)} to double"), kept[0])
    f.store(f.get("double", product), kept[1])
    f.store(f.get("double", count), kept[2])
    f.ret()
    return f.text()
