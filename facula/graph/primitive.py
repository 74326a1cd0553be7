"""Primitive: one record per operation an engine must know; the table of all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from facula.base.dtypes import BOOL, COMPLEX, FLOAT, INTEGER

NUMBERS = frozenset((BOOL, INTEGER, FLOAT, COMPLEX))


@dataclass(frozen=True, eq=False)
class Primitive:
    """Name, kind and meaning of an operation.

    ``infer(specs, params)`` gives the spec of the result (a tuple of specs for several results)
    and ``reference(params, *arrays)`` its value with NumPy: the definition that the other engines
    are tested against. ``categories`` says which dtypes it takes; the generated tests of an
    elementwise primitive draw ``arity`` operands from ``domain``.
    """

    name: str
    kind: str
    infer: Callable[[Sequence[Any], dict[str, Any]], Any]
    reference: Callable[..., Any]
    categories: frozenset[int] = NUMBERS
    arity: int | None = None
    domain: tuple[float, float] | None = None
    doc: str = ""

    def __repr__(self) -> str:
        return self.name


TABLE: dict[str, Primitive] = {}


def register(primitive: Primitive) -> Primitive:
    """Enter a primitive into the table; each name once."""
    if primitive.name in TABLE:
        raise ValueError(f"primitive {primitive.name} is defined twice")
    TABLE[primitive.name] = primitive
    return primitive
