"""Every file has a name of the closed vocabulary, so that its path can be guessed."""

from pathlib import Path

import pytest

from tests.architecture.sources import python_files, text_of

JUNK = {"utils", "util", "helpers", "helper", "common", "misc", "extras", "shared", "stuff"}
APP_FILES = {
    "__init__",
    "apps",
    "enums",
    "errors",
    "models",
    "selectors",
    "services",
    "tasks",
    "receivers",
    "schedule",
    "admin",
    "management",
}
EDGE_FILES = {
    "api": {"__init__", "resources", "serializers", "filters", "views", "urls"},
    "web": {"__init__", "editors", "forms", "views", "urls", "menu"},
}
SPLIT_EDGE = 3
EXEMPT = {
    "apps/accounts/api/authentication.py": "REST framework's authentication class, its own word",
}


def _is_in_vocabulary(path: Path) -> bool:
    parts = path.with_suffix("").parts[2:]
    if parts[0] in EDGE_FILES:
        known = EDGE_FILES[parts[0]]
        is_split_by_door = len(parts) == SPLIT_EDGE and parts[-1] in known  # api/ingest/views.py
        return parts[1] in known or is_split_by_door
    return parts[0] in APP_FILES


def test_the_files_of_an_app_have_names_of_the_vocabulary() -> None:
    found = {
        str(path)
        for path in python_files("apps")
        if len(path.parts) > 2 and not _is_in_vocabulary(path)
    }
    assert found - set(EXEMPT) == set()


def test_no_exemption_is_left_over() -> None:
    assert [path for path in EXEMPT if not Path(path).exists()] == []


@pytest.mark.parametrize("folder", ["apps", "detectviz", "plugins", "tests"])
def test_there_is_no_junk_drawer(folder: str) -> None:
    found = [path for path in python_files(folder) if JUNK & {path.stem, *path.parts}]
    assert found == []


def test_no_module_imports_everything_of_another() -> None:
    allowed = {"tests/settings.py"}  # the product's settings, then the tests' changes
    found = {
        str(path)
        for path in python_files("apps", "detectviz", "plugins", "tests")
        if any(
            line.startswith("from ") and line.partition("#")[0].rstrip().endswith("import *")
            for line in text_of(path).splitlines()
        )
    }
    assert found == allowed
