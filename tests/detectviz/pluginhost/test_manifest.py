"""Manifests are read without code, and everything wrong is said at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.manifest import find_missing_requirements, read_manifest

COLLECTOR = PluginKind.COLLECTOR


def _fields(folder: Path) -> dict[str, str]:
    manifest, problems = read_manifest(folder, COLLECTOR)
    assert manifest is None
    return {problem.field: problem.message for problem in problems}


def test_a_good_manifest_is_read_whole(make_plugin: Callable[..., Path]) -> None:
    folder = make_plugin(
        requirements=["pyyaml>=6"],
        permissions={"network": ["tcp"]},
        quality="experimental",
        defaults={"interval": "60s"},
    )
    manifest, problems = read_manifest(folder, COLLECTOR)
    assert problems == ()
    assert manifest is not None
    assert manifest.name == "dummy"
    assert manifest.permissions.network == ("tcp",)
    assert manifest.requirements == ("pyyaml>=6",)
    assert manifest.quality == "experimental"
    assert manifest.defaults == {"interval": "60s"}


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"name": "other"}, "/name", "call it other"),
        ({"name": "Dummy"}, "/name", "lower-case"),
        ({"kind": "notifiers"}, "/kind", "move it below notifiers"),
        ({"api_version": "detectviz/v2"}, "/api_version", "detectviz/v1"),
        ({"version": "one"}, "/version", "1.0.0"),
        ({"title": None}, "/title", "required"),
        ({"descriptions": "x"}, "/descriptions", "did you mean description"),
        ({"engine_version": ">=99"}, "/engine_version", "made for Detectviz >=99"),
        ({"engine_version": "newest"}, "/engine_version", "version range"),
        ({"capability": "dummy.Dummy"}, "/capability", "module:Class"),
        ({"capability": "gone:Dummy"}, "/capability", "no file gone.py"),
        ({"requirements": ["not a requirement"]}, "/requirements/0", "version range"),
        ({"requirements": ["x @ https://e.org/x.whl"]}, "/requirements/0", "version range"),
        ({"permissions": {"network": ["carrier-pigeon"]}}, "/permissions/network/0", "one of"),
    ],
)
def test_a_wrong_field_is_named_with_what_to_do(
    make_plugin: Callable[..., Path], changes: dict[str, object], field: str, says: str
) -> None:
    changed = dict(changes)
    folder = make_plugin(**{key: value for key, value in changed.items() if key != "kind"})
    if "kind" in changed:
        text = (folder / "plugin.yaml").read_text()
        (folder / "plugin.yaml").write_text(text.replace("kind: collectors", "kind: notifiers"))
    found = _fields(folder)
    assert says in found[field]


def test_several_problems_come_together(make_plugin: Callable[..., Path]) -> None:
    folder = make_plugin(title=None, version="one", schema={"type": "array"})
    assert {"/title", "/version", "/type"} <= set(_fields(folder))


@pytest.mark.parametrize("name", ["plugin.yaml", "config.schema.json"])
def test_a_missing_file_is_named(make_plugin: Callable[..., Path], name: str) -> None:
    folder = make_plugin()
    (folder / name).unlink()
    _, problems = read_manifest(folder, COLLECTOR)
    assert [problem.path.name for problem in problems] == [name]


@pytest.mark.parametrize("text", ["a: [", "- 1\n", "\x00", "a: &a [*a]", "[" * 500])
def test_a_manifest_that_is_no_yaml_object_is_a_problem_not_a_crash(
    make_plugin: Callable[..., Path], text: str
) -> None:
    folder = make_plugin()
    (folder / "plugin.yaml").write_text(text)
    manifest, problems = read_manifest(folder, COLLECTOR)
    assert manifest is None
    assert problems


def _property(**described: object) -> JsonObject:
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {"x": described},  # type: ignore[dict-item]  # built from test data
    }


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "object", "properties": {}}, "/additionalProperties"),
        ({"type": "nonsense"}, "/type"),
        (_property(type="integer", default="ten"), "/properties/x/default"),
        (_property(type="string", format="telepathy"), "/properties/x/format"),
        (_property(type="string", writeOnly=True, default="x"), "/properties/x/default"),
        (_property(type="integer", writeOnly=True), "/properties/x/type"),
        (
            _property(type="array", items={"type": "string", "writeOnly": True}),
            "/properties/x/items",
        ),
        (
            _property(type="object", properties={"y": {"type": "string"}}),
            "/properties/x/additionalProperties",
        ),
        ({"type": "object", "$ref": "#/$defs/gone"}, ""),
        (_property(type="string", minlength=1), "/properties/x/minlength"),
        (_property(type="string", minLength="one"), "/properties/x/minLength"),
        (_property(type="string", pattern="("), "/properties/x/pattern"),
        (_property(type="string", enum=[]), "/properties/x/enum"),
        (_property(anyOf={"type": "string"}), "/properties/x/anyOf"),
        (_property(anyOf=[{"type": "text"}]), "/properties/x/anyOf/0/type"),
        (_property(items=[]), "/properties/x/items"),
        ({"type": "object", "properties": []}, "/properties"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, ""),
    ],
)
def test_a_config_schema_that_would_surprise_users_is_refused(
    make_plugin: Callable[..., Path], schema: JsonObject, field: str
) -> None:
    assert field in _fields(make_plugin(schema=schema))


def test_references_of_a_schema_are_inlined(make_plugin: Callable[..., Path]) -> None:
    schema: JsonObject = {
        "$defs": {"port": {"type": "integer", "default": 1}},
        "type": "object",
        "additionalProperties": False,
        "properties": {"x": {"$ref": "#/$defs/port", "title": "X"}},
    }
    manifest, _ = read_manifest(make_plugin(schema=schema), COLLECTOR)
    assert manifest is not None
    assert manifest.config_schema["properties"] == {
        "x": {"type": "integer", "default": 1, "title": "X"}
    }


@pytest.mark.parametrize(
    ("requirement", "says"),
    [("no-such-library-anywhere>=1", "not installed"), ("pyyaml>=999", "is installed")],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    make_plugin: Callable[..., Path], requirement: str, says: str
) -> None:
    folder = make_plugin(requirements=[requirement])
    manifest, _ = read_manifest(folder, COLLECTOR)
    assert manifest is not None
    (problem,) = find_missing_requirements(folder, manifest)
    assert problem.field == "/requirements/0"
    assert says in problem.message
    assert f"pip install '{requirement}'" in problem.message
