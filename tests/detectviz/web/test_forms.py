import json
from collections.abc import Iterable, Sequence

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string

from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.pluginhost.forms import form_fields
from detectviz.web.forms import BoundField, Errors, SchemaForm, field_errors, walk
from detectviz.web.parsing import parse_form

SCHEMA: JsonObject = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {"type": "string", "title": "URL", "format": "uri"},
        "method": {"type": "string", "enum": ["GET", "POST"], "default": "GET"},
        "body": {"type": "string", "x-widget": "textarea", "x-show-if": {"method": "POST"}},
        "retries": {"type": "integer", "title": "Retries", "default": 2},
        "verify": {"type": "boolean", "title": "Verify", "default": True},
        "headers": {"type": "object", "title": "Headers"},
        "status": {"type": "array", "items": {"type": "string"}, "title": "Status"},
        "codes": {"type": "array", "items": {"enum": ["a", "b"]}, "title": "Codes"},
        "auth": {
            "type": "object",
            "title": "Authentication",
            "x-group": "Sign in",
            "properties": {
                "method": {"type": "string", "enum": ["none", "basic"], "default": "none"},
                "password": {
                    "type": "string",
                    "title": "Password",
                    "writeOnly": True,
                    "x-show-if": {"method": "basic"},
                },
            },
        },
        "checks": {
            "type": "array",
            "title": "Checks",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "title": "Path"},
                    "value": {"type": "number", "title": "Value"},
                },
            },
        },
    },
}
FIELDS = form_fields(SCHEMA, ("config",))


def form(
    document: JsonObject | None = None,
    errors: Errors | None = None,
    secrets_set: Iterable[str] = (),
) -> SchemaForm:
    return SchemaForm(FIELDS, {"config": document or {}}, errors or {}, frozenset(secrets_set))


def bound(made: SchemaForm, name: str) -> BoundField:
    return next(each for each in walk(made.bound) if each.name == name)


def rendered(made: SchemaForm) -> str:
    return render_to_string("components/form_sections.html", {"form": made})


def submitted(**values: Sequence[str]) -> JsonValue:
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(name, [value] if isinstance(value, str) else list(value))
    return parse_form(FIELDS, data)["config"]


def test_a_form_shows_defaults_until_something_is_set() -> None:
    assert bound(form(), "config/retries").text == "2"
    assert bound(form({"retries": 5}), "config/retries").text == "5"


def test_every_field_of_the_schema_is_rendered_with_its_label() -> None:
    html = rendered(form())
    for label in ("URL", "Retries", "Verify", "Headers", "Status", "Codes", "Checks", "Password"):
        assert label in html


def test_an_error_stands_at_its_field_and_names_it() -> None:
    html = rendered(form(errors={"config/url": ["Must be a URL."]}))
    assert 'id="f-config-url-error"' in html
    assert "URL: Must be a URL." in html
    assert 'aria-invalid="true"' in html


def test_an_error_of_a_list_entry_stands_at_that_entry() -> None:
    made = form({"checks": [{}, {"path": "x"}]}, {"config/checks/1/path": ["No."]})
    assert bound(made, "config/checks/1/path").errors == ("No.",)
    assert bound(made, "config/checks/0/path").errors == ()


def test_an_error_without_a_field_of_its_own_moves_to_the_nearest_one() -> None:
    made = form({"status": ["2xx"]}, {"config/status/0": ["No status."]})
    assert bound(made, "config/status").errors == ("No status.",)


def test_an_error_of_no_field_is_still_told() -> None:
    made = form(errors={"quota": ["Too many."]})
    assert made.problems == (("quota", "", "Too many."),)


def test_a_stored_secret_is_never_written_into_the_page() -> None:
    made = form({"auth": {"method": "basic", "password": "hush"}}, {}, ["config/auth/password"])
    html = rendered(made)
    assert "hush" not in html
    assert "Leave empty to keep it" in html


def test_a_field_whose_condition_fails_starts_hidden() -> None:
    assert not bound(form(), "config/auth/password").is_visible
    hidden = bound(form({"method": "GET"}), "config/body")
    assert not hidden.is_visible
    assert json.loads(hidden.show_if) == {"config/method": ["POST"]}


def test_a_group_is_folded_until_something_in_it_is_set() -> None:
    assert [section.is_folded for section in form().sections] == [False, True]
    opened = form({"auth": {"method": "basic"}})
    assert [section.is_folded for section in opened.sections] == [False, False]


def test_a_submitted_form_becomes_the_document() -> None:
    document = submitted(
        **{
            "config/url": " https://example.org/ ",
            "config/method": "POST",
            "config/retries": "3",
            "~config/verify": "",
            "~config/headers": "",
            "config/headers/0/key": "Accept",
            "config/headers/0/value": "text/html",
            "config/headers/2/key": "",
            "config/headers/2/value": "",
            "config/status": "200-299\r\n\r\n301",
            "~config/codes": "",
            "config/codes": ["b"],
            "config/auth/method": "basic",
            "config/auth/password": "hush",
            "~config/checks": "",
            "config/checks/7/path": "$.a",
            "config/checks/7/value": "1.5",
        }
    )
    assert document == {
        "url": "https://example.org/",
        "method": "POST",
        "retries": 3,
        "verify": False,
        "headers": {"Accept": "text/html"},
        "status": ["200-299", "301"],
        "codes": ["b"],
        "auth": {"method": "basic", "password": "hush"},
        "checks": [{"path": "$.a", "value": 1.5}],
    }


def test_hidden_and_empty_fields_are_left_to_their_defaults() -> None:
    assert submitted(**{"config/url": ""}) == {}


def test_text_in_a_number_field_stays_text_for_validation_to_name() -> None:
    assert submitted(**{"config/retries": "many"}) == {"retries": "many"}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("spec.config.url", "config/url"),
        ("spec.secrets.auth/password", "config/auth/password"),
        ("spec.rules[2].expr", "rules/2/expr"),
        ("metadata.name", "name"),
    ],
)
def test_api_paths_become_field_names(path: str, name: str) -> None:
    assert field_errors({path: ["No."]}) == {name: ["No."]}
