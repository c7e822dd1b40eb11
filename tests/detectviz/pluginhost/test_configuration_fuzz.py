"""Whatever is sent as a configuration, it is answered with problems, never with a crash."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.configuration import (
    mask,
    merge_secrets,
    split_secrets,
    target_changed,
    validate,
)
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.pluginhost.schema import properties_of
from detectviz.testing.plugins import built_in_plugins

PLUGINS = built_in_plugins().list()
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
)
JSON_VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def _schema(plugin: PluginDescription) -> JsonObject:
    assert plugin.manifest is not None, plugin.problems
    return plugin.manifest.config_schema


def _documents(plugin: PluginDescription) -> st.SearchStrategy[dict[str, JsonValue]]:
    known = sorted(properties_of(_schema(plugin)))
    names = st.sampled_from([*known, "surplus"]) | st.text(max_size=5)
    return st.dictionaries(names, JSON_VALUES, max_size=5)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.kind}/{plugin.name}")
@given(data=st.data())
@settings(max_examples=40, suppress_health_check=list(HealthCheck))
def test_any_document_is_judged(plugin: PluginDescription, data: st.DataObject) -> None:
    schema = _schema(plugin)
    config, secrets = data.draw(_documents(plugin)), data.draw(_documents(plugin))
    checked = validate(schema, config, secrets)
    for problem in checked.problems:
        assert problem.message
        assert problem.field.startswith("/")
    split_config, split = split_secrets(schema, config)
    assert not set(mask(schema, split)) & set(split_config)
    merged = merge_secrets(schema, split, secrets)
    assert set(merged) <= set(split) | set(secrets)
    assert target_changed(schema, config, config) is False


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.kind}/{plugin.name}")
@pytest.mark.parametrize("value", ["x" * 1_000_000, [0] * 100_000, {"a": 0}, -1, True, None])
def test_large_and_wrong_values_are_answered_briefly(
    plugin: PluginDescription, value: JsonValue
) -> None:
    schema = _schema(plugin)
    for name in properties_of(schema):
        problems = validate(schema, {name: value}, {}).problems
        assert all(len(problem.message) < 2_000 for problem in problems)


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: f"{plugin.kind}/{plugin.name}")
def test_every_option_has_a_form_field(plugin: PluginDescription) -> None:
    fields = form_fields(_schema(plugin))
    assert {each.name for each in fields} == set(properties_of(_schema(plugin)))
    for each in fields:
        _assert_fit(each)
    assert [each.order for each in fields] == sorted(each.order for each in fields)


@pytest.mark.parametrize("wrong", [[], "text", 5, None])
def test_a_document_that_is_no_object_is_refused(wrong: JsonValue) -> None:
    document = json.loads(json.dumps(wrong))
    (problem,) = validate(_schema(PLUGINS[0]), document, {}).problems
    assert "must be objects" in problem.message


def _assert_fit(each: FormField) -> None:
    assert each.label
    if each.type == "select":
        assert each.choices
    if each.type == "list":
        assert each.item is not None
    for inner in each.fields:
        _assert_fit(inner)
