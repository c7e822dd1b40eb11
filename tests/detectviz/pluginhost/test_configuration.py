"""Configurations are checked whole, completed deeply, and keep their secrets apart."""

import pytest

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.configuration import (
    mask,
    merge_secrets,
    split_secrets,
    target_changed,
    validate,
)
from detectviz.pluginhost.forms import form_fields

SCHEMA: JsonObject = {
    "type": "object",
    "additionalProperties": False,
    "required": ["url"],
    "properties": {
        "url": {"type": "string", "format": "uri", "title": "URL", "x-target": True, "x-order": 1},
        "timeout": {"type": "string", "format": "duration", "default": "10s", "x-order": 2},
        "token": {"type": "string", "writeOnly": True, "maxLength": 20},
        "auth": {
            "type": "object",
            "additionalProperties": False,
            "title": "Sign in",
            "properties": {
                "type": {"enum": ["none", "basic"], "default": "none"},
                "user": {"type": "string", "default": "", "x-show-if": {"type": "basic"}},
                "password": {"type": "string", "writeOnly": True, "x-show-if": {"type": "basic"}},
            },
            "if": {"properties": {"type": {"const": "basic"}}, "required": ["type"]},
            "then": {"required": ["password"]},
        },
        "steps": {
            "type": "array",
            "default": [],
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["expect"],
                "properties": {
                    "expect": {"type": "string", "format": "regex"},
                    "count": {"type": "integer", "default": 1, "minimum": 1},
                },
            },
        },
        "codes": {"type": "array", "items": {"enum": ["A", "B"]}, "default": ["A"]},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
        "limit": {"type": ["number", "null"], "default": None},
    },
}
GOOD: JsonObject = {"url": "https://example.org/"}


def _problems(config: JsonObject, secrets: dict[str, JsonValue] | None = None) -> dict[str, str]:
    checked = validate(SCHEMA, config, secrets or {})
    return {problem.field: problem.message for problem in checked.problems}


def test_defaults_are_filled_in_deeply() -> None:
    checked = validate(SCHEMA, {**GOOD, "steps": [{"expect": "x"}]}, {})
    assert checked.problems == ()
    assert checked.config == {
        "url": "https://example.org/",
        "timeout": "10s",
        "auth": {"type": "none", "user": ""},
        "steps": [{"expect": "x", "count": 1}],
        "codes": ["A"],
        "limit": None,
    }


@pytest.mark.parametrize(
    ("config", "field", "says"),
    [
        ({}, "/url", "URL is required"),
        ({"url": "nonsense"}, "/url", "full address"),
        ({"url": 5}, "/url", "Must be text"),
        ({**GOOD, "timeout": "soon"}, "/timeout", "duration such as 30s"),
        ({**GOOD, "time_out": "5s"}, "/time_out", "did you mean timeout"),
        ({**GOOD, "steps": [{"expect": "("}]}, "/steps/0/expect", "RE2"),
        ({**GOOD, "steps": [{"expect": "x", "count": 0}]}, "/steps/0/count", "at least 1"),
        ({**GOOD, "steps": [{}]}, "/steps/0/expect", "required"),
        ({**GOOD, "codes": ["C"]}, "/codes/0", "Choose one of A, B"),
        ({**GOOD, "auth": {"type": "basic"}}, "/auth~1password", "required"),
        ({**GOOD, "auth": "basic"}, "/auth", "Must be an object"),
        ({**GOOD, "auth": {"password": "x"}}, "/auth/password", "as auth/password"),
        ({**GOOD, "limit": True}, "/limit", "a number or null"),
    ],
)
def test_a_wrong_value_is_named_with_what_to_do(config: JsonObject, field: str, says: str) -> None:
    assert says in _problems(config)[field]


def test_a_required_secret_is_found_among_the_secrets() -> None:
    checked = validate(SCHEMA, {**GOOD, "auth": {"type": "basic"}}, {"auth/password": "pw"})
    assert checked.problems == ()
    assert checked.secrets == {"auth/password": "pw"}
    assert "password" not in str(checked.config)


def test_problems_of_secrets_say_so_and_never_repeat_the_value() -> None:
    long_secret = "s3cr3t" * 10
    checked = validate(SCHEMA, GOOD, {"token": long_secret, "tokn": "x", "auth/password": 5})
    assert {(problem.field, problem.is_secret) for problem in checked.problems} == {
        ("/token", True),
        ("/tokn", True),
        ("/auth~1password", True),
    }
    assert "s3cr3t" not in str([problem.message for problem in checked.problems])


def test_one_document_is_split_into_config_and_secrets() -> None:
    config, secrets = split_secrets(
        SCHEMA, {**GOOD, "token": "", "auth": {"type": "basic", "password": "pw"}}
    )
    assert config == {**GOOD, "auth": {"type": "basic"}}
    assert secrets == {"auth/password": "pw"}


def test_secrets_read_back_only_as_set() -> None:
    assert mask(SCHEMA, {"token": "x", "auth/password": ""}) == {"token": {"set": True}}


def test_a_write_keeps_replaces_and_removes_secrets() -> None:
    stored = {"token": "old", "auth/password": "old", "dropped": "x"}
    assert merge_secrets(SCHEMA, stored, {}) == {"token": "old", "auth/password": "old"}
    assert merge_secrets(SCHEMA, stored, {"token": {"set": True}, "auth/password": None}) == {
        "token": "old"
    }
    assert merge_secrets(SCHEMA, stored, {"token": "new"})["token"] == "new"


@pytest.mark.parametrize(
    ("url", "is_other"),
    [
        ("https://example.org/another/path", False),
        ("https://EXAMPLE.org:443/", False),
        ("https://example.com/", True),
        ("http://example.org/", True),
        ("https://example.org:8443/", True),
        ("https://example.org@evil.example/", True),
    ],
)
def test_secrets_are_asked_again_only_when_the_host_changes(url: str, *, is_other: bool) -> None:
    assert target_changed(SCHEMA, GOOD, {"url": url}) is is_other


def test_a_form_is_described_from_the_schema() -> None:
    fields = {each.name: each for each in form_fields(SCHEMA)}
    assert list(fields)[:2] == ["url", "timeout"]
    assert {name: each.type for name, each in fields.items()} == {
        "url": "text",
        "timeout": "text",
        "token": "secret",
        "auth": "object-group",
        "steps": "list",
        "codes": "select",
        "headers": "map",
        "limit": "number",
    }
    assert fields["url"].required
    assert fields["codes"].is_multiple
    assert [choice.value for choice in fields["codes"].choices] == ["A", "B"]
    assert fields["limit"].is_nullable
    inner = {each.name: each for each in fields["auth"].fields}
    assert inner["auth/password"].type == "secret"
    assert inner["auth/password"].show_if == {"auth/type": ("basic",)}
    item = fields["steps"].item
    assert item is not None
    assert [each.pointer for each in item.fields] == ["/steps/-/expect", "/steps/-/count"]
