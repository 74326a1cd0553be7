"""LLVM through llvmlite, imported when first needed, and a clear error where it cannot be."""

from __future__ import annotations

import functools
from typing import Any

from facula.engines.registry import Unavailable


@functools.cache
def binding() -> Any:
    """``llvmlite.binding``, ready to make code for this machine.

    Raises Unavailable where llvmlite is missing, too old or does not load.
    """
    try:
        import llvmlite.binding as llvm

        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        llvm.check_jit_execution()
    except Exception as error:  # whatever is wrong with a foreign library, facula goes on
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise Unavailable(f"llvmlite cannot be used ({reason})") from error
    if not hasattr(llvm, "create_pass_builder"):
        raise Unavailable("llvmlite is too old; 0.44 or newer is needed")
    return llvm


@functools.cache
def identity() -> str:
    """Which LLVM this is, without loading it; raises Unavailable where there is none."""
    try:
        import llvmlite
    except Exception as error:
        raise Unavailable(f"llvmlite cannot be imported ({error})") from error
    return f"llvmlite {llvmlite.__version__} {llvmlite.__file__}"
