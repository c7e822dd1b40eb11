from pathlib import Path

from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import target_changed, validate
from detectviz.pluginhost.description import PluginDescription, PluginStatus
from detectviz.pluginhost.forms import form_fields
from detectviz.pluginhost.inclusion import include_choices

CHOOSING: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "discovery": {"type": "string", "default": "list", "x-plugins": "discovery", "title": "D"}
    },
}
LIST: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "required": ["targets"],
    "properties": {"targets": {"type": "array", "items": {"type": "string"}}},
}
ASKING: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"password": {"type": "string", "writeOnly": True}},
}


def plugin(
    kind: PluginKind, name: str, schema: JsonObject, status: PluginStatus = "available"
) -> PluginDescription:
    manifest = Manifest(
        name=name,
        kind=kind,
        version="1.0.0",
        title=name.title(),
        description="x",
        category="core",
        api_version="detectviz/v1",
        engine_version=">=0.1",
        capability="a:B",
        config_schema=schema,
    )
    return PluginDescription(kind=kind, name=name, status=status, folder=Path(), manifest=manifest)


def included() -> Manifest:
    found = include_choices(
        [
            plugin(PluginKind.COLLECTOR, "scraper", CHOOSING),
            plugin(PluginKind.DISCOVERY, "list", LIST),
            plugin(PluginKind.DISCOVERY, "ask-me", ASKING),
            plugin(PluginKind.DISCOVERY, "torn", ASKING, "broken"),
        ]
    )
    assert found[0].manifest is not None
    return found[0].manifest


def test_usable_plugins_become_choices_with_their_options_shown_when_chosen() -> None:
    fields = {each.name: each for each in form_fields(included().config_schema)}
    assert [each.value for each in fields["discovery"].choices] == ["ask-me", "list"]
    assert fields["list_sd"].show_if == {"discovery": ("list",)}
    assert "torn_sd" not in fields


def test_the_options_of_the_chosen_one_are_required_and_checked() -> None:
    schema = included().config_schema
    missing = validate(schema, {"discovery": "list"}, {})
    assert any("list_sd" in f"{each.field} {each.message}" for each in missing.problems)
    assert not validate(schema, {"discovery": "list", "list_sd": {"targets": ["a"]}}, {}).problems
    wrong = validate(schema, {"discovery": "list", "list_sd": {"targets": 1}}, {})
    assert [each.field for each in wrong.problems] == ["/list_sd/targets"]
    assert not validate(schema, {"discovery": "ask-me"}, {}).problems


def test_secrets_of_the_options_belong_to_the_collector() -> None:
    manifest = included()
    assert manifest.permissions.secrets == ("ask_me_sd/password",)
    checked = validate(manifest.config_schema, {"discovery": "ask-me"}, {"ask_me_sd/password": "x"})
    assert not checked.problems
    assert checked.secrets == {"ask_me_sd/password": "x"}


def test_other_targets_want_the_secrets_again() -> None:
    schema = included().config_schema
    one: JsonObject = {"discovery": "list", "list_sd": {"targets": ["a"]}}
    two: JsonObject = {"discovery": "list", "list_sd": {"targets": ["b"]}}
    assert target_changed(schema, one, two)
    assert not target_changed(schema, one, dict(one))
