"""The sources that the architecture tests read: paths, text and syntax trees, parsed once."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def python_files(*folders: str) -> tuple[Path, ...]:
    """Return the Python files below ``folders``, relative to the root, migrations left out."""
    return tuple(
        path.relative_to(ROOT)
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    )


@cache
def text_of(path: Path) -> str:
    """Return the text of a file named relative to the root."""
    return (ROOT / path).read_text(encoding="utf-8")


@cache
def tree_of(path: Path) -> ast.Module:
    """Return the syntax tree of a file named relative to the root."""
    return ast.parse(text_of(path), filename=str(path))


def strings_of(path: Path) -> Iterator[str]:
    """Yield every string constant of a file that is no docstring."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in docstrings
        ):
            yield node.value


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for every ``from module import name``, (module, "") for the rest."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""


@cache
def variables_read() -> frozenset[str]:
    """Return the environment variables of ours that settings and the command line read."""
    return frozenset(
        text
        for path in python_files("detectviz", "apps")
        if path.parts[:2] != ("detectviz", "testing")
        for text in strings_of(path)
        if text.startswith("DETECTVIZ_") and text.replace("_", "").isalpha() and text.isupper()
    )
