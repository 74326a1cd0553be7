"""Views as tensors of their own (``permute_copy`` and so on), and writing through a view."""

from __future__ import annotations

from facula.operators import movement, parts, slicing
from facula.operators.basic import identity
from facula.operators.expanding import expand
from facula.operators.inplace import write
from facula.operators.rename import renamed
from facula.operators.strided import as_strided, diagonal, unfold


def _copying(view, name):
    """``view`` whose results have memories of their own."""

    def function(*args, **kwargs):
        found = view(*args, **kwargs)
        if isinstance(found, (tuple, list)):
            return [identity(x) for x in found]
        return identity(found)

    return renamed(function, name, f"A copy of what ``{name.removesuffix('_copy')}`` shows.")


def _alias(input):
    return input


alias_copy = _copying(_alias, "alias_copy")
as_strided_copy = _copying(as_strided, "as_strided_copy")
diagonal_copy = _copying(diagonal, "diagonal_copy")
expand_copy = _copying(expand, "expand_copy")
narrow_copy = _copying(slicing.narrow, "narrow_copy")
permute_copy = _copying(movement.permute, "permute_copy")
select_copy = _copying(slicing.select, "select_copy")
split_copy = _copying(parts.split, "split_copy")
split_with_sizes_copy = _copying(parts.split, "split_with_sizes_copy")
squeeze_copy = _copying(movement.squeeze, "squeeze_copy")
t_copy = _copying(movement.t, "t_copy")
transpose_copy = _copying(movement.transpose, "transpose_copy")
unbind_copy = _copying(slicing.unbind, "unbind_copy")
unfold_copy = _copying(unfold, "unfold_copy")
unsqueeze_copy = _copying(movement.unsqueeze, "unsqueeze_copy")
view_copy = _copying(movement.view, "view_copy")


def as_strided_scatter(input, src, size, stride, storage_offset=None):
    """A copy of ``input`` with ``src`` in the places that ``as_strided`` would show."""
    out = identity(input)
    write(as_strided(out, size, stride, storage_offset), src)
    return out


unsafe_chunk, unsafe_split = parts.chunk, parts.split
unsafe_split_with_sizes = parts.split

_COPIES = [
    "alias_copy", "as_strided_copy", "diagonal_copy", "expand_copy", "narrow_copy",
    "permute_copy", "select_copy", "split_copy", "split_with_sizes_copy", "squeeze_copy",
    "t_copy", "transpose_copy", "unbind_copy", "unfold_copy", "unsqueeze_copy", "view_copy",
]  # fmt: skip
_UNSAFE = ["unsafe_chunk", "unsafe_split", "unsafe_split_with_sizes"]

NAMESPACES = {
    "torch": [*_COPIES, *_UNSAFE, "as_strided_scatter"],
    "method": ["as_strided_scatter", "narrow_copy", *_UNSAFE],
}
