"""What a plugin's code imports and touches, read from its syntax tree without running it."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind

CONTRACTS = "detectviz.contracts"
_OWN_NETWORK = "the host's network is context.network or context.http"
_OWN_PROCESS = "a plugin starts no processes and loads no code"
_OWN_SETTINGS = "settings come as config and secrets"
FORBIDDEN_MODULES = {
    "ctypes": _OWN_PROCESS,
    "ftplib": _OWN_NETWORK,
    "http.client": _OWN_NETWORK,
    "http.server": _OWN_NETWORK,
    "imaplib": _OWN_NETWORK,
    "importlib": _OWN_PROCESS,
    "multiprocessing": _OWN_PROCESS,
    "os": _OWN_SETTINGS,
    "pickle": "it runs code out of data",
    "poplib": _OWN_NETWORK,
    "runpy": _OWN_PROCESS,
    "smtplib": _OWN_NETWORK,
    "socket": _OWN_NETWORK,
    "socketserver": _OWN_NETWORK,
    "subprocess": _OWN_PROCESS,
    "urllib.request": _OWN_NETWORK,
    "xmlrpc": _OWN_NETWORK,
}
"""Modules of the standard library that plugins do without, and why."""

FORBIDDEN_CALLS = {
    "__import__": _OWN_PROCESS,
    "breakpoint": "it stops the host",
    "compile": _OWN_PROCESS,
    "eval": _OWN_PROCESS,
    "exec": _OWN_PROCESS,
    "input": "nobody is there to answer",
}
_NETWORK_CALLS = {
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_subprocess_exec",
    "create_subprocess_shell",
    "open_connection",
    "open_unix_connection",
    "start_server",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One thing the code must not do, and the line it does it on."""

    line: int
    message: str


def find_violations(source: str, manifest: Manifest, package: str) -> Iterator[Violation]:
    """Yield what ``source``, a module of the plugin's ``package``, must not do.

    Raise SyntaxError when it is not Python.
    """
    libraries = _libraries(manifest)
    # A driver's one task is to reach an outside system; its context has no network to do it with.
    is_driver = manifest.kind is PluginKind.DRIVER
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            message = f"Import by full name from {package}; relative imports are not used."
            yield Violation(line=node.lineno, message=message)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for module in _modules(node):
                reason = _refusal(module, package, libraries)
                if reason and not (is_driver and reason is _OWN_NETWORK):
                    yield Violation(line=node.lineno, message=f"Remove import {module}: {reason}.")
        elif isinstance(node, ast.Call):
            yield from _call_violations(node, manifest)


def _modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    module = node.module or ""
    # "from urllib import request" imports a module too.
    inner = [f"{module}.{alias.name}" for alias in node.names]
    return [module, *(name for name in inner if name in FORBIDDEN_MODULES)]


def _refusal(module: str, package: str, libraries: set[str]) -> str:
    top = module.partition(".")[0]
    for forbidden, reason in FORBIDDEN_MODULES.items():
        if f"{module}.".startswith(f"{forbidden}."):
            return reason
    allowed = (CONTRACTS, package)
    if top in sys.stdlib_module_names and top not in {"plugins", "detectviz"}:
        return ""
    if any(f"{module}.".startswith(f"{root}.") for root in allowed) or top in libraries:
        return ""
    if top == "detectviz":
        return f"plugins know only {CONTRACTS}"
    if top in {"plugins", "apps"}:
        return "plugins know neither each other nor applications"
    return "declare its library among the requirements"


def libraries_used(source: str) -> set[str]:
    """Return the top-level modules that ``source`` imports; raise SyntaxError."""
    return {
        module.partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for module in _modules(node)
    }


def requirement_modules(requirement: str) -> set[str]:
    """Return the top-level modules a requirement stands for, by its name where not installed."""
    declared = str(canonicalize_name(Requirement(requirement).name))
    installed = {module for module, names in _installed().items() if declared in names}
    return installed | {declared.replace("-", "_")}


def _libraries(manifest: Manifest) -> set[str]:
    return {module for text in manifest.requirements for module in requirement_modules(text)}


@cache
def _installed() -> dict[str, set[str]]:
    """Return the libraries that provide each installed module; takes a second to find out."""
    return {
        module: {str(canonicalize_name(name)) for name in names}
        for module, names in packages_distributions().items()
    }


def _call_violations(node: ast.Call, manifest: Manifest) -> Iterator[Violation]:
    if isinstance(node.func, ast.Name):
        name = node.func.id
        if name in FORBIDDEN_CALLS:
            message = f"Remove the call of {name}: {FORBIDDEN_CALLS[name]}."
            yield Violation(line=node.lineno, message=message)
        elif name == "open" and not manifest.permissions.files:
            message = "Declare permissions.files to open files, or hand the text over as config."
            yield Violation(line=node.lineno, message=message)
    elif isinstance(node.func, ast.Attribute) and node.func.attr in _NETWORK_CALLS:
        message = f"Remove the call of {node.func.attr}: {_OWN_NETWORK}."
        yield Violation(line=node.lineno, message=message)
