"""Writing a new plugin: files of its kind's template, filled in, whose tests pass as they are."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from detectviz.contracts.config import get_object
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.explain import find_problems
from detectviz.pluginhost.loading import package_name
from detectviz.pluginhost.manifest import folder_name, manifest_schema

TEMPLATES: Final = Path(__file__).with_name("templates")
ENDING: Final = ".tmpl"
_COMMON: Final = "common"
_PROJECT: Final = "project"
_PROJECT_FILES: Final = ("pytest.ini", "pyproject.toml", "setup.cfg", "tox.ini")


class ScaffoldError(Exception):
    """The plugin cannot be written; the message says what to change."""


def plugin_write(*, kind: PluginKind, name: str, folder: Path, title: str = "") -> Path:
    """Write a plugin to ``folder/<kind>/<name>`` and return that place.

    A folder without settings of pytest gets some. Raise ScaffoldError for a name that no plugin
    may have and a place that is taken.
    """
    title = title or " ".join(name.split("-")).capitalize()
    _require("name", name)
    _require("title", title)
    place = folder / kind.value / folder_name(name)
    if place.exists():
        raise ScaffoldError(f"{place} is there already; choose another name or folder.")
    words = _words(kind, name, title)
    files = {**dict(_filled(_COMMON, words)), **dict(_filled(kind.value, words))}
    if not any((folder / each).exists() for each in _PROJECT_FILES):
        _write(folder, dict(_filled(_PROJECT, words)))
    _write(place, files)
    return place


def _require(key: str, value: str) -> None:
    described = get_object(get_object(manifest_schema(), "properties"), key)
    for problem in find_problems(described, value):
        raise ScaffoldError(f"The plugin cannot have the {key} {value!r}. {problem.message}")


def _words(kind: PluginKind, name: str, title: str) -> Mapping[str, str]:
    parts = name.split("-")
    return {
        "name": name,
        "kind": kind.value,
        "title": json.dumps(title, ensure_ascii=False)[1:-1],  # it stands in JSON and YAML
        "class": "".join(part.capitalize() for part in parts),
        "package": package_name(kind, name),
    }


def _filled(template: str, words: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    root = TEMPLATES / template
    for path in sorted(root.rglob(f"*{ENDING}")):
        text = path.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace(f"{{{{{word}}}}}", value)
        yield path.relative_to(root).as_posix().removesuffix(ENDING), text


def _write(folder: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
