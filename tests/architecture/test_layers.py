"""Layers, where import-linter's contracts (in pyproject.toml) can't say it."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.celery import QUEUES, gather_schedule, queues_of_tasks
from tests.architecture.sources import (
    ROOT,
    FunctionNode,
    imports_of,
    python_files,
    strings_of,
    text_of,
    tree_of,
)

# Models are what services take and selectors return: their types are open, their queries are not.
OPEN_TO_OTHER_APPS = {"selectors", "services", "enums", "errors", "models"}
ORM_NAMES = {"objects", "_default_manager", "_base_manager", "all_orgs"}
LONGEST_TASK = 15


def _edges() -> list[Path]:
    pages = [
        path
        for path in python_files("apps")
        if len(path.parts) > 3 and path.parts[2] in {"web", "api"}
    ]
    return [*pages, *python_files("detectviz/web", "detectviz/resources/api")]


def _attributes(path: Path) -> Iterator[ast.Attribute]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute):
            yield node


def test_pages_and_doors_speak_no_orm() -> None:
    found = [
        f"{path}:{node.lineno} .{node.attr}"
        for path in _edges()
        for node in _attributes(path)
        if node.attr in ORM_NAMES or (node.attr == "save" and not _is_self(node.value))
    ]
    assert found == [], "views translate; ask a selector or call a service"


def test_the_framework_names_no_app_but_in_settings_and_urls() -> None:
    allowed = {Path("detectviz/urls.py")}
    found = [
        f"{path}: {text!r}"
        for path in python_files("detectviz")
        if path not in allowed and "settings" not in path.parts
        for text in strings_of(path)
        if text.startswith(("apps.", "plugins.")) and text.count(".") > 1
    ]
    assert found == []


def test_application_code_never_uses_the_unscoped_manager() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files("apps", "detectviz")
        if path.name != "admin.py" and "tenancy" not in path.parts
        for node in _attributes(path)
        if node.attr == "all_orgs"
    ]
    assert found == [], "start from an org: objects.for_org(org), or across_orgs(reason=…)"


def test_an_app_uses_only_the_open_modules_of_another() -> None:
    found = [
        f"{path}: {module}"
        for path in python_files("apps")
        for module, _ in imports_of(path)
        if _is_foreign(path, module) and module.split(".")[2] not in OPEN_TO_OTHER_APPS
    ]
    assert found == []


def test_an_app_queries_only_its_own_models() -> None:
    found = []
    for path in python_files("apps"):
        foreign = {
            name
            for module, name in imports_of(path)
            if _is_foreign(path, module) and module.split(".")[2] == "models"
        }
        found += [
            f"{path}:{node.lineno} {node.value.id}.{node.attr}"
            for node in _attributes(path)
            if node.attr in ORM_NAMES
            and isinstance(node.value, ast.Name)
            and node.value.id in foreign
        ]
    assert found == [], "ask that app's selectors"


def test_services_enqueue_no_task() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path in python_files("apps")
        if "services" in path.parts or path.name == "services.py"
        for node in _attributes(path)
        if node.attr in {"delay", "apply_async", "send_task"}
    ]
    assert found == [], "an edge does, in transaction.on_commit"


def _tasks() -> Iterator[tuple[Path, FunctionNode, str]]:
    for path in python_files("apps", "detectviz/events"):
        for node in tree_of(path).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for decorator in node.decorator_list:
                    if "task" in ast.unparse(decorator).partition("(")[0]:
                        yield path, node, ast.unparse(decorator)


def test_tasks_are_short_and_have_an_explicit_queue_in_one_place() -> None:
    tasks = list(_tasks())
    assert tasks
    for path, node, decorator in tasks:
        where = f"{path}:{node.lineno} {node.name}"
        assert path.name == "tasks.py" or "tasks" in path.parts, where
        assert (node.end_lineno or 0) - node.lineno < LONGEST_TASK, where
        assert decorator == "shared_task", f"{where}: its queue stands in the app's schedule.py"
        name = ".".join([*path.with_suffix("").parts, node.name])
        assert queues_of_tasks().get(name) in QUEUES, f"{where} has no queue in schedule.py"


@pytest.mark.parametrize(("name", "entry"), sorted(gather_schedule().items()), ids=str)
def test_a_periodic_task_exists_and_a_late_tick_expires(
    name: str, entry: dict[str, object]
) -> None:
    tasks = {".".join([*path.with_suffix("").parts, node.name]) for path, node, _ in _tasks()}
    assert entry["task"] in tasks, name
    options = entry["options"]
    assert isinstance(options, dict)
    assert options["expires"] > 0, "a tick that was late must not run twice"


def test_the_contract_of_plugins_forbids_every_part_of_the_framework() -> None:
    contracts = tomllib.loads(text_of(Path("pyproject.toml")))["tool"]["importlinter"]["contracts"]
    (plugins,) = [row for row in contracts if row["id"] == "plugins-know-only-contracts"]
    parts = {
        f"detectviz.{path.stem}"
        for path in (ROOT / "detectviz").iterdir()
        if path.stem not in {"__init__", "contracts"}
        and (path.suffix == ".py" or (path / "__init__.py").exists())
    }
    assert parts - set(plugins["forbidden_modules"]) == set()


def _is_foreign(path: Path, module: str) -> bool:
    parts = module.split(".")
    return len(parts) > 2 and parts[0] == "apps" and parts[1] != path.parts[1]


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"
