"""Which files of the environment a plugin's declared libraries are made of."""

import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement

# What the contracts themselves import.
ALWAYS: Final = ("numpy", "cronsim", "tzdata")


def library_paths(requirements: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the top-level folders and files of ``requirements`` and all they depend on.

    Libraries that are not installed are left out: the plugin's import then says so.
    """
    found: dict[str, Path] = {}
    for name in _closure((*ALWAYS, *requirements)):
        for path in _top_level(name):
            found.setdefault(path.name, path)
    return tuple(found[name] for name in sorted(found))


def python_paths() -> tuple[Path, ...]:
    """Return what the interpreter is made of: its program, its library, its shared objects."""
    prefix, stdlib = Path(sys.base_prefix), Path(sysconfig.get_path("stdlib"))
    return (interpreter(), stdlib, *sorted(prefix.glob("lib/libpython*")))


def interpreter() -> Path:
    """Return the real program of the interpreter, outside of any virtual environment."""
    return Path(sys.executable).resolve()


def _closure(requirements: tuple[str, ...]) -> set[str]:
    names: set[str] = set()
    waiting = [*requirements]
    while waiting:
        wanted = _parsed(waiting.pop())
        if wanted is None or wanted.name.lower() in names:
            continue
        names.add(wanted.name.lower())
        found = _distribution(wanted.name)
        for text in (found.requires or []) if found else []:
            needed = _parsed(text)
            if needed is not None and _applies(needed, wanted.extras):
                waiting.append(text)
    return names


def _applies(needed: Requirement, extras: set[str]) -> bool:
    if needed.marker is None:
        return True
    return any(needed.marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _parsed(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None


@cache
def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


@cache
def _top_level(name: str) -> tuple[Path, ...]:
    found = _distribution(name)
    return tuple(_tops(found)) if found else ()


def _tops(found: Distribution) -> Iterator[Path]:
    names = {path.parts[0] for path in found.files or [] if path.parts}
    for name in sorted(names - {"..", "__pycache__"}):
        # Start-up files run in every process; no library needs them here.
        if not name.endswith((".pth", ".egg-link")):
            path = Path(str(found.locate_file(name)))
            if path.exists():
                yield path
