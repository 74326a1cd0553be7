"""Forms: index arithmetic as sums of loop counters times constants.

A form is ``const + sum(coefficient * symbol)``. Symbols are numbers of loop dimensions, or atoms:
``("div", form, k)`` and ``("mod", form, k)``, quotients that could not be simplified. Dividing is
what a reshape does to an index; nearly always a loop can be split so that the division goes away.
A third kind, ``("start", ZERO, (slot, last))``, is a number that is known when the program runs:
the one in that buffer, moved into 0 .. last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Form(NamedTuple):
    """``const`` plus a sorted tuple of (symbol, coefficient)."""

    const: int
    terms: tuple

    def coefficient(self, symbol) -> int:
        for s, c in self.terms:
            if s == symbol:
                return c
        return 0

    def involves(self, dim: int) -> bool:
        """Whether the loop dimension occurs, also inside a quotient."""
        return any(s == dim if isinstance(s, int) else s[1].involves(dim) for s, _ in self.terms)

    @property
    def affine(self) -> bool:
        return all(isinstance(s, int) for s, _ in self.terms)


ZERO = Form(0, ())


def number(value: int) -> Form:
    return Form(value, ()) if value else ZERO


def symbol(dim: int) -> Form:
    return Form(0, ((dim, 1),))


def combine(parts: Sequence[tuple[Form, int]], const: int = 0) -> Form:
    """The sum of forms times numbers."""
    if len(parts) == 1 and const == 0 and parts[0][1] == 1:
        return parts[0][0]
    terms: dict = {}
    for form, factor in parts:
        const += form.const * factor
        for s, c in form.terms:
            terms[s] = terms.get(s, 0) + c * factor
    kept = [(s, c) for s, c in terms.items() if c]
    if len(kept) > 1:
        whole = _rejoined(terms)
        if whole is not None:
            return combine([(Form(const, tuple(terms.items())), 1), whole])
        kept.sort(key=_order)
    return Form(const, tuple(kept))


def _rejoined(terms: dict) -> tuple[Form, int] | None:
    """A form that was divided and of which both parts are there again; they leave ``terms``."""
    for s, c in terms.items():
        if isinstance(s, tuple) and s[0] == "mod" and c:
            quotient = ("div", *s[1:])
            if terms.get(quotient) == c * s[2]:
                del terms[s], terms[quotient]
                return s[1], c
    return None


def _order(term) -> tuple:
    s = term[0]
    return (0, s, "") if isinstance(s, int) else (1, 0, repr(s))


def add(a: Form, b: Form) -> Form:
    return combine([(a, 1), (b, 1)])


def start(slot: int, last: int) -> Form:
    """A number that is known when the program runs."""
    return Form(0, ((("start", ZERO, (slot, last)), 1),))


def starts(form: Form) -> list[tuple[int, int]]:
    """The (slot, last) of such numbers in a form."""
    return [s[2] for s, _ in form.terms if not isinstance(s, int) and s[0] == "start"]


def with_slots(form: Form, slots: Mapping[int, int]) -> Form:
    """The form with other numbers for the buffers of its starts."""
    if not starts(form):
        return form
    terms = []
    for s, c in form.terms:
        if not isinstance(s, int) and s[0] == "start":
            slot, last = s[2]
            s = (s[0], s[1], (slots[slot], last))
        terms.append((s, c))
    return Form(form.const, tuple(terms))


def scale(a: Form, factor: int, const: int = 0) -> Form:
    return combine([(a, factor)], const)


class SplitNeeded(Exception):
    """The loop over ``dim`` should be two loops, the inner one of size ``inner``."""

    def __init__(self, dim: int, inner: int):
        super().__init__(dim, inner)
        self.dim, self.inner = dim, inner


class Space:
    """The sizes of the loop dimensions, and division within them."""

    def __init__(self, sizes: Mapping[int, int], may_split: bool = True):
        self.sizes = sizes
        self.may_split = may_split

    def bounds(self, form: Form) -> tuple[int, int]:
        """The smallest and the largest value of a form."""
        low = high = form.const
        for s, c in form.terms:
            a, b = (0, self.sizes[s] - 1) if isinstance(s, int) else self._atom_bounds(s)
            low += min(a * c, b * c)
            high += max(a * c, b * c)
        return low, high

    def _atom_bounds(self, atom) -> tuple[int, int]:
        kind, form, k = atom
        if kind == "mod":
            return 0, k - 1
        if kind == "start":
            return 0, k[1]
        low, high = self.bounds(form)
        return low // k, high // k

    def divide(self, form: Form, k: int) -> tuple[Form, Form]:
        """Quotient and remainder of a form that is never negative by a positive number."""
        if k == 1:
            return form, ZERO
        whole = tuple([(s, c // k) for s, c in form.terms if c % k == 0])
        rest = Form(form.const % k, tuple([(s, c) for s, c in form.terms if c % k]))
        quotient = Form(form.const // k, whole)
        low, high = self.bounds(rest)
        if low >= 0 and high < k:
            return quotient, rest
        if self.may_split:
            self._split(rest, k)
        return add(quotient, Form(0, ((("div", rest, k), 1),))), Form(0, ((("mod", rest, k), 1),))

    def _split(self, rest: Form, k: int) -> None:
        for s, c in reversed(rest.terms):
            if isinstance(s, int) and k % c == 0 and k > c > 0:
                inner = k // c
                if self.sizes[s] % inner == 0 and self.sizes[s] > inner:
                    raise SplitNeeded(s, inner)


class Index:
    """Where an element of an array stands: one form for each axis, or one for its position."""

    __slots__ = ("_linear", "_parts", "shape", "space")

    def __init__(self, space: Space, shape, parts=None, linear=None):
        self.space = space
        self.shape = shape
        self._parts = parts
        self._linear = linear

    @property
    def linear(self) -> Form:
        """The position in C order."""
        if self._linear is None:
            pieces, stride = [], 1
            for size, form in zip(reversed(self.shape), reversed(self._parts), strict=True):
                if size != 1:
                    pieces.append((form, stride))
                stride *= size
            self._linear = combine(pieces) if pieces else ZERO
        return self._linear

    @property
    def parts(self) -> tuple[Form, ...]:
        """One form for each axis."""
        if self._parts is None:
            found = []
            rest = self._linear
            for size in reversed(self.shape[1:]):
                rest, part = self.space.divide(rest, size)
                found.append(part)
            if self.shape:
                found.append(rest)
            self._parts = tuple(reversed(found))
        return self._parts

    def key(self):
        """Equal for indices that stand at the same place of the same shape."""
        return self.shape, self.linear

    def reshaped(self, shape) -> Index:
        """The same element in an array of another shape."""
        return Index(self.space, shape, linear=self.linear)

    def broadcast_to_operand(self, shape) -> Index:
        """The element of an operand that NumPy's broadcasting pairs with this one."""
        if shape == self.shape:
            return self
        if not shape:
            return Index(self.space, shape, parts=())
        parts = self.parts[len(self.shape) - len(shape) :]
        return Index(
            self.space,
            shape,
            tuple([ZERO if n == 1 else p for n, p in zip(shape, parts, strict=True)]),
        )


def of_dims(space: Space, shape, dims: Sequence[int]) -> Index:
    """The index whose axes are loop dimensions (None for an axis of size 1)."""
    return Index(space, shape, tuple([ZERO if d is None else symbol(d) for d in dims]))
