"""Small kernels for the tests of the machinery around kernels."""

from facula.engines.native import jit
from facula.engines.native.ir import Function, constant
from facula.engines.native.kernel import BAD_INDEX, Kernel

WIDTH = 256  # elements a chunk of `affine` does


def affine(name: str) -> str:
    """y = x * s + 1 over chunks of WIDTH floats; operands x, s (a double), y."""
    f = Function(name, ["ptr", "i64", "i64"])
    buffers, begin, end = f.arguments
    x, s, y = (f.load("ptr", f.at(buffers, i, "ptr")) for i in range(3))
    factor = f.new("float", f"fptrunc {f.load('double', s)} to float")
    with f.loop(begin, end) as chunk, f.loop(0, WIDTH, 4) as j:
        at = f.add(f.mul(chunk, WIDTH), j)
        value = f.fma(f.load("<4 x float>", f.at(x, at, "float")), f.splat(factor, 4), 1.0)
        f.store(value, f.at(y, at, "float"))
    f.ret()
    return f.text()


def count(name: str) -> str:
    """y[chunk] += 1, for int64 y: each chunk must be done once; the second operand is how slow."""
    f = Function(name, ["ptr", "i64", "i64"])
    buffers, begin, end = f.arguments
    y, n = (f.load("ptr", f.at(buffers, i, "ptr")) for i in range(2))
    turns = f.load("i64", n)
    with f.loop(begin, end) as chunk:
        sum_ = f.variable("float", 0.0)
        with f.loop(0, turns):
            f.set(sum_, f.fma(f.get("float", sum_), 0.5, 1.0))
        done = f.compare("fcmp oge", f.get("float", sum_), 0.0)
        place = f.at(y, chunk, "i64")
        one = f.new("i64", f"zext {done} to i64")
        f.store(f.op("add", f.load("i64", place), one), place)
    f.ret()
    return f.text()


def whole(name: str) -> str:
    """y = n + 1, for int64 operands n, y of one element."""
    f = Function(name, ["ptr", "i64", "i64"])
    n, y = (f.load("ptr", f.at(f.arguments[0], i, "ptr")) for i in range(2))
    f.store(f.op("add", f.load("i64", n), 1), y)
    f.ret()
    return f.text()


def complain(name: str) -> str:
    """Reports index 7 of 5 in the status, the only operand."""
    f = Function(name, ["ptr", "i64", "i64"])
    status = f.load("ptr", f.arguments[0])
    for place, number in enumerate((BAD_INDEX, 7, 5)):
        f.store(constant("i64", number), f.at(status, place, "i64"))
    f.ret()
    return f.text()


def remainder(name: str) -> str:
    """y = C's fmodf(x, 0.75): a kernel that needs a function of the C library."""
    f = Function(name, ["ptr", "i64", "i64"])
    x, y = (f.load("ptr", f.at(f.arguments[0], i, "ptr")) for i in range(2))
    f.store(f.call("fmodf", "float", f.load("float", x), constant("float", 0.75)), y)
    f.ret()
    return f.text()


def looked_up(name: str) -> str:
    """y = [10, 20, 30][begin]: a kernel with constants in memory."""
    f = Function(name, ["ptr", "i64", "i64"])
    table = f.table(f"{name}_table", "float", [10.0, 20.0, 30.0])
    y = f.load("ptr", f.arguments[0])
    f.store(f.load("float", f.at(table, f.arguments[1], "float")), y)
    f.ret()
    return f.text()


def address(emit) -> int:
    return jit.load([Kernel("test", f"test {emit.__name__}", emit)])[0]
