"""Runs a script, module or line of code as Python would, with torch and torchvision from facula."""

import builtins
import io
import os
import runpy
import sys
from importlib.machinery import SourceFileLoader
from types import ModuleType, TracebackType
from typing import Any, NoReturn

from facula.cli import aliases, missing


def run_script(path: str, arguments: list[str]) -> NoReturn:
    """Runs the file as `python path arguments...` does."""
    if os.path.isdir(path) or (not path.endswith(".py") and _is_zip(path)):
        _prepare([path, *arguments], path)
        _finish(lambda: runpy.run_path(path, run_name="__main__"))
    with io.open_code(os.path.abspath(path)) as file:
        source = file.read()
    _prepare([path, *arguments], os.path.dirname(os.path.realpath(path)))
    main = _fresh_main(
        __file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path)
    )
    _finish(lambda: exec(compile(source, path, "exec", dont_inherit=True), main.__dict__))


def run_module(name: str, arguments: list[str]) -> NoReturn:
    """Runs a module as `python -m name arguments...` does."""
    _prepare([name, *arguments], os.getcwd())
    _finish(lambda: runpy.run_module(name, run_name="__main__", alter_sys=True))


def run_code(code: str, arguments: list[str]) -> NoReturn:
    """Runs source text as `python -c code arguments...` does."""
    _prepare(["-c", *arguments], "")
    main = _fresh_main()
    _finish(lambda: exec(compile(code, "<string>", "exec", dont_inherit=True), main.__dict__))


def _is_zip(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _prepare(argv: list[str], folder: str) -> None:
    sys.argv = argv
    if not getattr(sys.flags, "safe_path", False):  # else Python added no folder to replace
        sys.path[0] = folder
    aliases.install()


def _fresh_main(**names: Any) -> ModuleType:
    """A new `__main__`, left in place so that pickles and child processes find it there."""
    main = ModuleType("__main__")
    main.__dict__.update(__builtins__=builtins, **names)
    sys.modules["__main__"] = main
    return main


def _finish(run: Any) -> NoReturn:
    """Runs to the end and leaves the process as Python would, without our own frames in sight."""
    try:
        run()
    except SystemExit:
        raise
    except BaseException as error:
        missing.explain(error)
        trace = _without_runner(error.__traceback__)
        sys.excepthook(type(error), error.with_traceback(trace), trace)
        sys.exit(130 if isinstance(error, KeyboardInterrupt) else 1)
    sys.exit(0)


def _without_runner(trace: TracebackType | None) -> TracebackType | None:
    """Cuts our frames off both ends, so that the user's line comes first and last."""
    before = (__file__, runpy.__file__, "<frozen runpy>")
    while trace is not None and trace.tb_frame.f_code.co_filename in before:
        trace = trace.tb_next
    last = trace
    while last is not None and last.tb_next is not None:
        if last.tb_next.tb_frame.f_code.co_filename == missing.__file__:
            last.tb_next = None
        last = last.tb_next
    return trace
