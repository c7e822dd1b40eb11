"""What must be explained is explained, in the place where it is looked for."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.architecture.sources import ROOT, imports_of, python_files, tree_of

EXPLAINED = ("contracts", "tsdb", "promql", "runtime", "net", "collection")
LONGEST_README = 15


def _explained_files() -> list[Path]:
    framework = [path for name in EXPLAINED for path in python_files(f"detectviz/{name}")]
    services = [
        path
        for path in python_files("apps", "detectviz")
        if path.name == "services.py" or "services" in path.parts
    ]
    return [*framework, *services]


def _public(
    body: Sequence[ast.stmt],
) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _public(node.body)


def test_public_functions_and_classes_have_docstrings() -> None:
    files = _explained_files()
    assert len(files) > len(EXPLAINED)
    found = [
        f"{path}:{node.lineno} {node.name}"
        for path in files
        for node in _public(tree_of(path).body)
        if ast.get_docstring(node) is None
    ]
    assert found == []


def test_contracts_have_no_any() -> None:
    found = [
        str(path)
        for path in python_files("detectviz/contracts")
        if ("typing", "Any") in set(imports_of(path))
    ]
    assert found == [], "a contract says what it takes"


def _packages() -> list[Path]:
    tops = [ROOT / name for name in ("apps", "detectviz", "plugins", "templates", "static")]
    tops += [ROOT / name for name in ("tests", "docs", "docker")]
    inner = [
        path.parent
        for top in ("apps", "detectviz")
        for path in sorted((ROOT / top).glob("*/__init__.py"))
    ]
    return [path.relative_to(ROOT) for path in [*tops, *inner]]


@pytest.mark.parametrize("folder", _packages(), ids=str)
def test_a_folder_says_its_one_reason_in_few_lines(folder: Path) -> None:
    readme = ROOT / folder / "README.md"
    assert readme.exists(), f"{readme} is missing: say what {folder} is for"
    assert len(readme.read_text(encoding="utf-8").splitlines()) <= LONGEST_README
