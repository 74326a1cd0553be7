"""Checks what no linter checks: short files and functions, module sentences, imports at the top."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
# The registry loads engines on demand, so that `import facula` never loads jax or llvmlite.
LATE_IMPORTS_ALLOWED = {"facula/engines/registry.py"}


def _is_facula_import(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return bool(node.level) or (node.module or "").split(".")[0] == "facula"
    return isinstance(node, ast.Import) and any(
        alias.name.split(".")[0] == "facula" for alias in node.names
    )


def _root_imports(tree: ast.Module, packages: set[str]) -> Iterator[int]:
    """Lines that import from the public root, which sits above every layer."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(a.name == "facula" for a in node.names):
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and (node.module, node.level) == ("facula", 0):
            yield from (node.lineno for alias in node.names if alias.name not in packages)


def problems_of_package_file(path: Path, name: str, packages: set[str]) -> Iterator[str]:
    """Yields one line per broken rule in a file of the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not ast.get_docstring(tree):
        yield f"{name}:1: no sentence that says what the file is for"
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > MAX_FUNCTION_LINES:
            yield f"{name}:{function.lineno}: {function.name} has {lines} lines (<= 60)"
        if name in LATE_IMPORTS_ALLOWED:
            continue
        for node in ast.walk(function):
            if _is_facula_import(node):
                yield f"{name}:{node.lineno}: import of facula inside a function"
    if name != "facula/__init__.py":
        for line in _root_imports(tree, packages):
            yield f"{name}:{line}: imports the public root; import the lower package instead"


def problems(root: Path = ROOT) -> Iterator[str]:
    """Yields every broken rule in the tree, one readable line each."""
    package = root / "facula"
    packages = {p.name for p in package.iterdir() if p.is_dir()}
    packages |= {p.stem for p in package.glob("*.py")}
    for folder in ("facula", "tests", "bench", "tools"):
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MAX_FILE_LINES:
                yield f"{name}: {lines} lines (<= {MAX_FILE_LINES})"
            if folder == "facula":
                yield from problems_of_package_file(path, name, packages)


def main() -> int:
    found = list(problems())
    for line in found:
        print(line)
    print(f"check_tree: {len(found)} problem(s)")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
