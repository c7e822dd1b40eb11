"""Size budgets of STYLE; `python -m tests.architecture.sizes` prints warnings and failures."""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from tests.architecture.sources import FunctionNode, python_files, text_of, tree_of

FOLDERS = ("apps", "detectviz", "plugins", "tests")


class Budget(StrEnum):
    """What is measured, in lines."""

    MODULE = "module"
    TEST_MODULE = "test module"
    CLASS = "class"
    FUNCTION = "function"
    HANDLER = "handler"


WARN = {Budget.MODULE: 350, Budget.TEST_MODULE: 600, Budget.FUNCTION: 45}
FAIL = {
    Budget.MODULE: 600,
    Budget.TEST_MODULE: 900,
    Budget.CLASS: 300,
    Budget.FUNCTION: 80,
    Budget.HANDLER: 20,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Raise:
    """A higher limit for one file; it fails once the file no longer needs it."""

    path: str
    budget: Budget
    limit: int
    since: date
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The size of one thing."""

    path: Path
    name: str
    budget: Budget
    lines: int

    def __str__(self) -> str:
        """Say what is how long."""
        return f"{self.path}: {self.budget} {self.name} has {self.lines} lines"


RAISES: tuple[Raise, ...] = ()


def measures(paths: Sequence[Path] | None = None) -> Iterator[Measure]:
    """Yield the size of every module, class, function and request handler."""
    for path in python_files(*FOLDERS) if paths is None else paths:
        yield from measures_of(path)


def measures_of(path: Path) -> Iterator[Measure]:
    """Yield the sizes within one file."""
    module = Budget.TEST_MODULE if path.parts[0] == "tests" else Budget.MODULE
    yield Measure(path=path, name=path.stem, budget=module, lines=len(text_of(path).splitlines()))
    is_handlers = is_handler_module(path)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            yield Measure(path=path, name=node.name, budget=Budget.CLASS, lines=_lines(node))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Measure(path=path, name=node.name, budget=Budget.FUNCTION, lines=_lines(node))
            if is_handlers and is_handler(node):
                lines = _body_lines(node)
                yield Measure(path=path, name=node.name, budget=Budget.HANDLER, lines=lines)


def is_handler_module(path: Path) -> bool:
    """Say whether the functions of ``path`` answer requests: an app's views."""
    parts = path.parts
    is_edge = parts[0] == "apps" and len(parts) > 3 and parts[2] in {"web", "api"}
    return is_edge and (parts[3] == "views.py" or parts[3] == "views" or parts[3] == "handlers.py")


def is_handler(node: FunctionNode) -> bool:
    """Say whether a function of a handler module answers a request, and is no part of one."""
    takes_request = any(argument.arg == "request" for argument in node.args.args)
    return takes_request and not node.name.startswith("_")


def failures(found: Sequence[Measure], raises: Sequence[Raise] = RAISES) -> list[str]:
    """Return what is over its limit, and the raises that are stale."""
    limits = {(row.path, row.budget): row.limit for row in raises}
    over = [
        f"{item}, at most {limits.get((str(item.path), item.budget), FAIL[item.budget])}"
        for item in found
        if item.lines > limits.get((str(item.path), item.budget), FAIL[item.budget])
    ]
    needed = {(str(item.path), item.budget) for item in found if item.lines > FAIL[item.budget]}
    stale = [
        f"{row.path}: the raise of {row.budget} to {row.limit} ({row.since}) is stale; remove it"
        for row in raises
        if (row.path, row.budget) not in needed
    ]
    return over + stale


def warnings(found: Sequence[Measure]) -> list[str]:
    """Return what grows towards its limit."""
    return [
        str(item)
        for item in found
        if item.budget in WARN and WARN[item.budget] < item.lines <= FAIL[item.budget]
    ]


def main() -> int:
    """Print warnings and failures; return 1 when something is too large."""
    found = list(measures())
    for line in warnings(found):
        print(f"warning: {line}")  # noqa: T201 - a lint command speaks here
    failed = failures(found)
    for line in failed:
        print(f"error: {line}", file=sys.stderr)  # noqa: T201 - a lint command speaks here
    return 1 if failed else 0


def _lines(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _body_lines(node: FunctionNode) -> int:
    """Return the lines below signature and docstring: their length is the formatter's matter."""
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


if __name__ == "__main__":
    sys.exit(main())
