"""JSON columns hold what Django's would."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import models

from detectviz.json_field import Decoder, Encoder, JSONField


@pytest.mark.parametrize(
    "value",
    [
        None,
        "текст ✓",
        "\ud800 alone",
        {"a": [1, 2.5, True, None], "b": {"c": ""}},
        {1: "a key that is no text"},
        -(2**63),
        [2**64 - 1],
        (1, 2),
    ],
)
def test_what_is_written_is_read_as_the_standard_library_would_read_its_own(value: Any) -> None:
    text = json.dumps(value, cls=Encoder)

    assert Decoder().decode(text) == json.loads(json.dumps(value))


def test_it_is_written_without_spaces() -> None:
    assert json.dumps({"a": [1, 2]}, cls=Encoder) == '{"a":[1,2]}'


def test_an_order_that_is_asked_for_is_kept() -> None:
    assert json.dumps({"b": 1, "a": 2}, cls=Encoder, sort_keys=True) == '{"a": 2, "b": 1}'


@pytest.mark.parametrize("value", [datetime(2026, 1, 1, tzinfo=UTC), {1, 2}, b"bytes"])
def test_what_is_no_json_is_an_error(value: Any) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        json.dumps(value, cls=Encoder)


def test_what_other_programs_wrote_is_read() -> None:
    assert Decoder().decode('{"limit": Infinity}') == {"limit": float("inf")}


def test_a_text_that_is_no_json_is_an_error() -> None:
    with pytest.raises(json.JSONDecodeError):
        Decoder().decode("{")


def test_migrations_take_it_for_djangos() -> None:
    _, path, args, kwargs = JSONField(default=dict).deconstruct()

    assert (path, list(args), kwargs) == ("django.db.models.JSONField", [], {"default": dict})


def test_an_encoder_of_ones_own_is_kept() -> None:
    assert (
        models.JSONField(encoder=json.JSONEncoder).deconstruct()[3]
        == (JSONField(encoder=json.JSONEncoder).deconstruct()[3])
    )
