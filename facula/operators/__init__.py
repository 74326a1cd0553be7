"""Every operator under its PyTorch name, by family; ``namespaces`` says where users find them."""

from facula.operators.basic import cast as cast
from facula.operators.basic import identity as identity
from facula.operators.movement import strides_of as strides_of


def __getattr__(name: str):
    """``ops.relu``: any operator of any family, by its torch or torch.nn.functional name."""
    from facula.operators import namespaces

    for table in (namespaces.TORCH, namespaces.FUNCTIONAL, namespaces.METHODS):
        if name in table:
            globals()[name] = table[name]
            return table[name]
    raise AttributeError(f"facula has no operator called {name!r}")
