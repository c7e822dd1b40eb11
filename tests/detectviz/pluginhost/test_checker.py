"""`plugins check` finds what a reviewer would, without running the plugin."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.checker import check_plugin
from detectviz.pluginhost.manifest import read_manifest
from detectviz.testing.plugins import PLUGINS, PROJECT_ROOT

PluginMaker = Callable[..., Path]
OWN_PLUGINS = sorted(path.parent for path in PLUGINS.glob("*/*/plugin.yaml"))
SUITE = """import socket, os
from detectviz.testing.collectors import CollectorConformance
class TestDummy(CollectorConformance): ...
"""
GOOD_HEAD = "from detectviz.contracts.types import CheckState\n"


@pytest.mark.parametrize("folder", OWN_PLUGINS, ids=lambda path: path.name)
def test_every_built_in_plugin_is_ready(folder: Path) -> None:
    problems = check_plugin(folder, PROJECT_ROOT / "tests" / "plugins")
    assert [problem.sentence for problem in problems] == []


@pytest.fixture
def plugin(make_plugin: PluginMaker) -> Path:
    folder = make_plugin()
    (folder / "tests").mkdir()
    (folder / "tests" / "test_dummy.py").write_text(SUITE)
    return folder


def test_a_good_plugin_has_no_problems(plugin: Path) -> None:
    assert check_plugin(plugin) == ()


@pytest.mark.parametrize("name", ["README.md", "icon.svg", "__init__.py"])
def test_a_missing_file_is_named(plugin: Path, name: str) -> None:
    (plugin / name).unlink()
    assert [problem.path.name for problem in check_plugin(plugin)] == [name]


def test_missing_tests_are_named(plugin: Path, tmp_path: Path) -> None:
    (problem,) = check_plugin(plugin, tmp_path)
    assert problem.path == tmp_path / "collectors" / "dummy"


@pytest.mark.parametrize(
    "text",
    [
        "def test_it(): ...",
        SUITE.replace("collectors import", "datasources import"),
        SUITE.replace("(CollectorConformance)", "(object)"),
        "class Test(",
    ],
)
def test_tests_without_the_suite_of_the_kind_are_named(plugin: Path, text: str) -> None:
    (plugin / "tests" / "test_dummy.py").write_text(text)
    (problem,) = check_plugin(plugin)
    assert "detectviz.testing.collectors" in problem.message


def test_a_library_nothing_imports_is_named(make_plugin: PluginMaker) -> None:
    folder = make_plugin(requirements=["psutil>=7", "pyyaml>=6"])
    (folder / "more.py").write_text("import yaml\n")
    (folder / "tests").mkdir()
    (folder / "tests" / "test_dummy.py").write_text(SUITE)
    (problem,) = check_plugin(folder)
    assert (problem.field, "psutil>=7" in problem.message) == ("/requirements", True)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("API_TOKEN = 'a1b2c3d4e5f6'", "looks like a secret"),
        ("call(password='hunter2hunter2')", "looks like a secret"),
        ("KEY = 'ghp_abcdefghijklmnopqrstuvwxyz'", "looks like a secret"),
        ("KEY = '-----BEGIN PRIVATE KEY-----'", "looks like a secret"),
        ("def long():\n" + "    x = 1\n" * 80, "81 lines; split it"),
    ],
)
def test_what_code_should_not_be_is_named_with_its_line(plugin: Path, code: str, says: str) -> None:
    (plugin / "more.py").write_text(f"\n{code}\n")
    (problem,) = check_plugin(plugin)
    assert (problem.path.name, problem.field) == ("more.py", "line 2")
    assert says in problem.message


@pytest.mark.parametrize(
    "code",
    [
        "TOKEN = 'bearer_token'",
        "password = context.secrets['password']",
        "token_url = 'https://a.example/t0ken'",
        "def long():\n" + "    x = 1\n" * 79,
    ],
)
def test_what_only_sounds_like_a_secret_is_not_named(plugin: Path, code: str) -> None:
    (plugin / "more.py").write_text(f"{code}\n")
    assert check_plugin(plugin) == ()


def test_a_package_that_does_something_on_import_is_named(plugin: Path) -> None:
    (plugin / "__init__.py").write_text("print()\n")
    assert "importing a package does nothing" in check_plugin(plugin)[0].message


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import os", "settings come as config"),
        ("from os import environ", "settings come as config"),
        ("import os.path", "settings come as config"),
        ("import socket", "context.network"),
        ("import subprocess", "starts no processes"),
        ("import urllib.request", "context.network"),
        ("from urllib import request", "context.network"),
        ("from http import client", "context.network"),
        ("import importlib", "loads no code"),
        ("import django", "among the requirements"),
        ("from detectviz.settings import base", "only detectviz.contracts"),
        ("import detectviz", "only detectviz.contracts"),
        ("from plugins.collectors.http import request", "neither each other"),
        ("from apps.orgs import models", "neither each other"),
        ("from . import words", "relative imports"),
        ("def late():\n    import socket", "context.network"),
        ("eval('1')", "loads no code"),
        ("open('/etc/passwd')", "permissions.files"),
        ("import asyncio\nasyncio.open_connection('x', 1)", "context.network"),
        ("def broken(:", "not Python"),
    ],
)
def test_what_code_must_not_do_is_named_with_its_line(plugin: Path, code: str, says: str) -> None:
    (plugin / "words.py").write_text(f"{GOOD_HEAD}{code}\n")
    found = [problem for problem in check_plugin(plugin) if problem.path.name == "words.py"]
    assert found, code
    assert any(says in problem.message for problem in found), found
    assert found[0].field.startswith("line ")


@pytest.mark.parametrize(
    "code",
    [
        "import asyncio, json, re",
        "from urllib.parse import urlsplit",
        "from http import HTTPStatus",
        "from plugins.collectors.dummy.words import x",
        "import yaml",
        "import re\nre.compile('x')",
    ],
)
def test_what_code_may_do_is_not_named(plugin: Path, code: str) -> None:
    text = (plugin / "plugin.yaml").read_text() + "requirements: [pyyaml>=6]\n"
    (plugin / "plugin.yaml").write_text(text)
    (plugin / "words.py").write_text(f"{GOOD_HEAD}{code}\n")
    (plugin / "more.py").write_text("import yaml\n")
    assert check_plugin(plugin) == ()


@pytest.mark.parametrize(
    ("described", "field", "says"),
    [
        ({"type": "string"}, "/properties/x/title", "Add a title"),
        ({"type": "string", "title": "X"}, "/properties/x/description", "Add a description"),
    ],
)
def test_an_option_without_words_is_named(
    make_plugin: PluginMaker, described: JsonObject, field: str, says: str
) -> None:
    schema: JsonObject = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"x": described},
    }
    found = {problem.field: problem.message for problem in check_plugin(make_plugin(schema=schema))}
    assert says in found[field]


def test_a_plain_text_that_looks_like_a_secret_is_named(make_plugin: PluginMaker) -> None:
    words = {"title": "T", "description": "D", "type": "string"}
    schema: JsonObject = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"api_token": words, "password": {**words, "writeOnly": True}},
    }
    folder = make_plugin(schema=schema, defaults={"password": "x"})
    found = {problem.field: problem.message for problem in check_plugin(folder)}
    assert "writeOnly" in found["/properties/api_token"]
    assert "Remove the secret" in found["/defaults/password"]
    assert "password" in found["/permissions/secrets"]


def test_a_folder_of_no_kind_is_refused(tmp_path: Path) -> None:
    (problem,) = check_plugin(tmp_path)
    assert "collectors, datasources, discovery" in problem.message


def test_a_broken_manifest_is_told_first(make_plugin: PluginMaker) -> None:
    fields = [problem.field for problem in check_plugin(make_plugin(title=None))]
    assert fields == ["/title"]


@pytest.fixture
def datasource(make_plugin: PluginMaker) -> Path:
    folder = make_plugin(kind="datasources")
    (folder / "tests").mkdir()
    suite = SUITE.replace("collectors", "datasources").replace("CollectorC", "DatasourceC")
    (folder / "tests" / "test_dummy.py").write_text(suite)
    return folder


def _write_query_schema(folder: Path, **described: object) -> None:
    properties = {"sql": {"type": "string", **described}}
    schema = {"type": "object", "additionalProperties": False, "properties": properties}
    (folder / "query.schema.json").write_text(json.dumps(schema))


def test_a_datasource_without_a_schema_of_its_queries_is_refused(datasource: Path) -> None:
    (problem,) = check_plugin(datasource)
    assert problem.path.name == "query.schema.json"


def test_the_schema_of_queries_becomes_part_of_the_manifest(datasource: Path) -> None:
    _write_query_schema(datasource, title="SQL", description="What to ask.")
    assert check_plugin(datasource) == ()
    manifest, _ = read_manifest(datasource, PluginKind.DATASOURCE)
    assert manifest is not None
    assert "sql" in str(manifest.query_schema)


def test_a_secret_in_a_query_and_a_missing_description_are_named(datasource: Path) -> None:
    _write_query_schema(datasource, title="SQL", writeOnly=True)
    problems = check_plugin(datasource)
    assert [problem.path.name for problem in problems] == ["query.schema.json"] * 2
    assert any("Move the secret" in problem.message for problem in problems)
