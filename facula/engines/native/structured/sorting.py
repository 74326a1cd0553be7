"""argsort and searchsorted.

argsort turns elements into unsigned keys that sort as the elements do (NaN last, zeros equal),
joins each key with its number so that the order is stable, and sorts: by insertion if there are
few, otherwise by radix, a byte at a time from the lowest.
"""

from __future__ import annotations

from facula.base.dtypes import dtype
from facula.engines.native import ir
from facula.engines.native.ir import Function, Operand, Value
from facula.engines.native.kernel import Kernel, Lowered, Piece, given, result, temporary
from facula.engines.native.scalars import types
from facula.engines.native.structured import common, elements
from facula.engines.native.structured.scans import Columns

FEW = 40  # a row that is sorted by insertion
SCRATCH = 32 << 20  # bytes that the chunks of one kernel share

_INFINITY = {16: 0x7C00, 32: 0x7F800000, 64: 0x7FF0000000000000}


def sort_key(f: Function, own: dtype, bits: Value, descending: bool) -> Value:
    """Elements' bits as unsigned integers that order as the elements do.

    One becomes an i64, a vector of them i32; it has no elements of 8 bytes.
    """
    type_ = bits.type
    width = int(ir.element_of(type_)[1:])
    top, ones = 1 << (width - 1), (1 << width) - 1
    if elements.is_float(own):
        size = f.op("and", bits, top - 1)
        bits = f.select(f.compare("icmp eq", size, 0), ir.constant(type_, 0), bits)
        negative = f.compare("icmp slt", bits, 0)
        key = f.select(negative, f.op("xor", bits, ones), f.op("xor", bits, top))
        nan = f.compare("icmp ugt", size, _INFINITY[width])
        key = f.select(nan, ir.constant(type_, ones), key)
    else:
        key = f.op("xor", bits, top) if own.is_signed else bits
    if descending:
        key = f.op("xor", key, ones)
    return f.convert("zext", key, "i64" if ir.lanes_of(type_) == 1 else "i32")


class _Entries:
    """Rows of (key, number): one i64 if a key is narrower than one, otherwise two."""

    def __init__(self, own: dtype, count: int):
        self.bytes = own.numpy.itemsize
        self.words = 2 if self.bytes == 8 else 1
        self.count = count
        self.slab = 2 * count * self.words * 8  # where rows are, and where a pass puts them

    def get(self, f: Function, row: Value, i) -> list[Value]:
        at = f.at(row, common.affine(f, [(i, self.words)]), "i64")
        return [f.load("i64", f.at(at, word, "i64")) for word in range(self.words)]

    def put(self, f: Function, row: Value, i, entry: list[Value]) -> None:
        at = f.at(row, common.affine(f, [(i, self.words)]), "i64")
        for word, value in enumerate(entry):
            f.store(value, f.at(at, word, "i64"))

    def joined(self, f: Function, key: Value, number: Value) -> list[Value]:
        if self.words == 2:
            return [key, number]
        return [f.op("or", f.op("shl", key, 32), number)]

    def number(self, f: Function, entry: list[Value]) -> Value:
        return entry[1] if self.words == 2 else f.op("and", entry[0], 0xFFFFFFFF)

    @property
    def shift(self) -> int:
        """Where the key's lowest byte stands in an entry's first word."""
        return 0 if self.words == 2 else 32


def argsort(params, specs, out) -> Lowered | None:
    (x,) = specs
    if not x.ndim or x.shape[params["axis"]] >= 1 << 31:
        return None
    columns = Columns(x.shape, params["axis"], "i128")  # one column at a time
    entries = _Entries(x.dtype, columns.along)
    most = max(1, min(common.MOST_CHUNKS, SCRATCH // max(1, entries.slab)))
    kernel = _argsort_kernel(x.dtype, columns, entries, bool(params["descending"]), most)
    piece = Piece(kernel, (given(0), temporary(0), result()), (1, 2))
    return Lowered([piece], [kernel.chunks * entries.slab])


def _argsort_kernel(own: dtype, columns: Columns, entries: _Entries, descending, most) -> Kernel:
    storage, n = common.raw(own), columns.along
    few = n <= FEW
    unit_ns = 5.0 + n * (n / 4 if few else 2.5 * entries.bytes)
    _, each = common.chunked(columns.units, unit_ns, most)

    def body(f: Function, pointers, unit) -> None:
        chunk = f.op("udiv", unit, each)
        first = f.at(pointers[1], f.mul(chunk, entries.slab // 8), "i64")
        start, _ = columns.start(f, unit)

        def entry(i) -> list[Value]:
            bits = f.load(storage, columns.place(f, pointers[0], start, i, storage))
            return entries.joined(f, sort_key(f, own, bits, descending), i)

        if few:
            _insertion(f, entries, first, entry)
            ordered = first
        else:
            ordered = _radix(f, entries, first, entry)
        with f.loop(0, n) as i:
            number = entries.number(f, entries.get(f, ordered, i))
            f.store(number, columns.place(f, pointers[2], start, i, "i64"))

    key = (own.name, columns.key, descending)
    return common.kernel("argsort", key, 3, columns.units, unit_ns, body, most)


def _insertion(f: Function, entries: _Entries, row: Value, entry) -> None:
    """Each entry moves down past the greater ones; equal keys differ in their numbers."""
    with f.loop(0, entries.count) as i:
        now = entry(i)
        hole = f.variable("i64", i)
        look, move, done = f.label(), f.label(), f.label()
        compare = f.label()
        f.jump(look)
        f.place(look)
        at = f.get("i64", hole)
        f.branch(f.compare("icmp sgt", at, 0), compare, done)
        f.place(compare)
        below = f.op("sub", at, 1)
        other = entries.get(f, row, below)
        f.branch(f.compare("icmp ugt", other[0], now[0]), move, done)
        f.place(move)
        entries.put(f, row, at, other)
        f.set(hole, below)
        f.jump(look)
        f.place(done)
        entries.put(f, row, f.get("i64", hole), now)


def _radix(f: Function, entries: _Entries, row: Value, entry) -> Value:
    """The address of the sorted entries; a byte that all keys share costs no pass."""
    n, passes = entries.count, entries.bytes
    counts = f.array("i32", 256 * passes)
    common.copy_run(f, "i32", 256 * passes, None, counts)

    def digit(word: Value, p: Operand) -> Value:
        shift = common.affine(f, [(p, 8)], entries.shift)
        return f.op("and", f.op("lshr", word, shift), 255)

    with f.loop(0, n) as i:
        now = entry(i)
        entries.put(f, row, i, now)
        for number in range(passes):
            place = f.at(counts, f.add(digit(now[0], number), 256 * number), "i32")
            f.store(f.op("add", f.load("i32", place), 1), place)
    source = f.variable("ptr", row)
    target = f.variable("ptr", f.at(row, n * entries.words, "i64"))
    with f.loop(0, passes) as p:
        mine = f.at(counts, f.mul(p, 256), "i32")
        shared = digit(entries.get(f, f.get("ptr", source), 0)[0], p)
        held = f.load("i32", f.at(mine, shared, "i32"))
        with f.when(f.compare("icmp ne", held, n)):
            _pass(f, entries, mine, f.get("ptr", source), f.get("ptr", target), p, digit)
            kept = f.get("ptr", source)
            f.set(source, f.get("ptr", target))
            f.set(target, kept)
    return f.get("ptr", source)


def _pass(f: Function, entries: _Entries, counts: Value, source, target, p, digit) -> None:
    total = f.variable("i32", 0)
    with f.loop(0, 256) as b:
        place = f.at(counts, b, "i32")
        many, before = f.load("i32", place), f.get("i32", total)
        f.store(before, place)
        f.set(total, f.op("add", before, many))
    with f.loop(0, entries.count) as i:
        now = entries.get(f, source, i)
        place = f.at(counts, digit(now[0], p), "i32")
        to = f.load("i32", place)
        entries.put(f, target, f.convert("zext", to, "i64"), now)
        f.store(f.op("add", to, 1), place)


# searchsorted -------------------------------------------------------------------------------------


def searchsorted(params, specs, out) -> Lowered | None:
    edges, wanted = specs
    if edges.dtype is not wanted.dtype or edges.weak or wanted.weak or not edges.ndim:
        return None
    kernel = _search_kernel(edges, wanted, bool(params["right"]))
    return Lowered([Piece(kernel, (given(0), given(1), result()), (2,))])


def _search_kernel(edges, wanted, right: bool) -> Kernel:
    own, n = edges.dtype, edges.shape[-1]
    storage = types.storage(own)
    rows = edges.numel // n if n and edges.ndim > 1 else 1
    each = wanted.numel // rows
    block = min(32, max(1, each))
    blocks = -(-each // block)
    steps = [1 << i for i in reversed(range(n.bit_length()))]

    def body(f: Function, pointers, unit) -> None:
        row, part = common.unravel(f, unit, (rows, blocks))
        table = f.at(pointers[0], common.affine(f, [(row, n)]), storage)
        first = f.typed(common.affine(f, [(part, block)]), "i64")
        stop = f.intrinsic("smin", f.add(first, block), ir.constant("i64", each))
        with f.loop(first, stop) as i:
            place = f.typed(common.affine(f, [(row, each), (i, 1)]), "i64")
            value = elements.load(f, own, f.at(pointers[1], place, storage), 1)
            found = _search(f, own, table, n, steps, value, right)
            f.store(found, f.at(pointers[2], place, "i64"))

    key = (own.name, n, rows, each, right)
    unit_ns = block * (2.0 + 3.0 * len(steps))
    return common.kernel("searchsorted", key, 3, rows * blocks if each else 0, unit_ns, body)


def _search(f: Function, own: dtype, table: Value, n, steps, value: Value, right: bool) -> Value:
    """How many edges lie below the value (or, ``right``, not above it), by halving steps."""
    found = f.variable("i64", 0)
    storage = types.storage(own)
    for step in steps:
        now = f.get("i64", found)
        after = f.op("add", now, step)
        inside = f.compare("icmp sle", after, n)
        at = f.op("sub", f.intrinsic("smin", after, ir.constant("i64", n)), 1)
        edge = elements.load(f, own, f.at(table, at, storage), 1)
        if right:
            go = f.op("xor", _less(f, own, value, edge), True)
        else:
            go = _less(f, own, edge, value)
        f.set(found, f.select(f.op("and", inside, go), after, now))
    return f.get("i64", found)


def _less(f: Function, own: dtype, a: Value, b: Value) -> Value:
    """a < b, where NaN is the greatest value."""
    less = elements.compare(f, own, "lt", a, b)
    if not elements.is_float(own):
        return less
    number = f.compare("fcmp ord", a, a)
    return f.op("or", less, f.op("and", elements.is_nan(f, b), number))
