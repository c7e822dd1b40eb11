"""What a plugin's code is judged by beside its imports: sizes, secrets, and its tests' suite."""

import ast
from collections.abc import Iterator

MOST_FUNCTION_LINES = 80
_LEAST_SECRET = 8
_SECRET_NAMES = ("password", "passwd", "secret", "token", "api_key", "apikey", "private_key")
_SECRET_STARTS = (
    "-----BEGIN",
    "ghp_",
    "github_pat_",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "glpat-",
    "sk_live_",
)


def code_complaints(source: str) -> Iterator[tuple[int, str]]:
    """Yield (line, sentence) of what to put right; raise SyntaxError when it is not Python."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_FUNCTION_LINES:
                message = (
                    f"{node.name} has {lines} lines; split it, {MOST_FUNCTION_LINES} is the most."
                )
                yield node.lineno, message
        else:
            yield from _secrets(node)


def _secrets(node: ast.AST) -> Iterator[tuple[int, str]]:
    message = "This looks like a secret in the code; let it be a secret of the configuration."
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if node.value.startswith(_SECRET_STARTS) and len(node.value) > 2 * _LEAST_SECRET:
            yield node.lineno, message
        return
    for name, value in _named(node):
        if (
            name.lower().endswith(_SECRET_NAMES)
            and isinstance(value, ast.Constant)
            and isinstance(value.value, str)
            and len(value.value) >= _LEAST_SECRET
            and _is_random(value.value)
        ):
            yield value.lineno, message


def _named(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the names a node gives values to."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield _name_of(target), node.value
    elif isinstance(node, ast.AnnAssign):
        yield _name_of(node.target), node.value
    elif isinstance(node, ast.keyword):
        yield node.arg or "", node.value


def _name_of(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _is_random(text: str) -> bool:
    """Say whether a text reads like a secret, and not like a word, an address or a sentence."""
    has_digit = any(each.isdigit() for each in text)
    has_letter = any(each.isalpha() for each in text)
    return has_digit and has_letter and not any(each in " /.:{" for each in text)


def derives_from(source: str, module: str) -> bool:
    """Tell whether a class in ``source`` derives from a suite that it imports from ``module``."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return False
    suites = {
        alias.asname or alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == module
        for alias in node.names
        if alias.name.endswith(("Suite", "Conformance"))
    }
    bases = [base for node in nodes if isinstance(node, ast.ClassDef) for base in node.bases]
    return any(isinstance(base, ast.Name) and base.id in suites for base in bases)
