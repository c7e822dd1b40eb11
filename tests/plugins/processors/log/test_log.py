"""Lines are parsed, their level is found, private text is redacted."""

import pytest

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.records import LogRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.processors import ProcessorSuite, make_processor_context
from detectviz.testing.records import make_log
from plugins.processors.log.processor import LogProcessor


class TestConformance(ProcessorSuite):
    """Every part of it at once."""

    name = "log"
    config = {
        "format": "regex",
        "pattern": "(?P<word>[a-z]+) (?P<count>[0-9]+)",
        "redact": ["email"],
    }


def changed(body: str, config: JsonObject) -> LogRecord | None:
    record = make_log(body=body)
    plain = LogRecord(timestamp_ms=record.timestamp_ms, body=record.body)
    out = LogProcessor().process([plain], make_processor_context("log", config))
    assert all(isinstance(one, LogRecord) for one in out)
    return next((one for one in out if isinstance(one, LogRecord)), None)


def line(body: str, config: JsonObject) -> LogRecord:
    record = changed(body, config)
    assert record is not None
    return record


@pytest.mark.parametrize(
    ("body", "config", "attributes"),
    [
        ('{"a": 1, "b": {"c": "x"}}', {"format": "json"}, {"a": 1, "b": {"c": "x"}}),
        ("[1]", {"format": "json"}, {}),
        ("{", {"format": "json"}, {}),
        (
            'at=info msg="said \\"no\\"\\n" empty= flag',
            {"format": "logfmt"},
            {"at": "info", "msg": 'said "no"\n', "empty": "", "flag": True},
        ),
        ("nothing here", {"format": "logfmt"}, {}),
        (
            "GET /x 404",
            {"format": "regex", "pattern": "(?P<method>[A-Z]+) .* (?P<status>[0-9]+)(?P<z>z)?"},
            {"method": "GET", "status": "404"},
        ),
        ("{}", {}, {}),
    ],
)
def test_lines_become_attributes(body: str, config: JsonObject, attributes: JsonObject) -> None:
    assert line(body, config).attributes == attributes


def test_the_message_of_an_object_becomes_the_line() -> None:
    config: JsonObject = {"format": "json", "message_attribute": "msg"}
    assert line('{"msg": "hello", "level": "WARNING"}', config).body == "hello"
    assert line('{"msg": 3}', config).body == '{"msg": 3}'


@pytest.mark.parametrize(
    ("body", "level"),
    [
        ("2026-01-31 ERROR no route", "error"),
        ("[warning] disk is full", "warn"),
        ("CRITICAL: gone", "fatal"),
        ("no error found", ""),
        ("INFORMATION for you", "info"),
        ("TERROR strikes", ""),
        ("x" * 200 + " ERROR", ""),
    ],
)
def test_levels_are_found_in_the_text(body: str, level: str) -> None:
    assert line(body, {}).severity == level


def test_an_attribute_tells_the_level_before_the_text() -> None:
    config: JsonObject = {"format": "json"}
    assert line('{"level": "DBG", "msg": "ERROR"}', config).severity == "debug"


def test_lines_below_the_least_level_are_dropped() -> None:
    config: JsonObject = {"least_level": "warn"}
    assert changed("INFO all is well", config) is None
    assert changed("ERROR it is not", config) is not None
    assert changed("who knows", config) is not None
    assert changed("who knows", {**config, "default_level": "debug"}) is None


@pytest.mark.parametrize(
    ("kind", "body", "redacted"),
    [
        ("email", "from anna.b+c@mail.example.org to", "from # to"),
        (
            "ipv4",
            "client 10.0.0.255, version 1.2.3 and 300.1.1.1",
            "client #, version 1.2.3 and 300.1.1.1",
        ),
        ("ipv6", "from 2001:db8::ff00:42:8329 now", "from # now"),
        (
            "credit-card",
            "card 4111 1111 1111 1111, order 4111111111111112",
            "card #, order 4111111111111112",
        ),
        ("bearer", "Authorization: Bearer abc.def-1 end", "Authorization: # end"),
        ("url-password", "dial postgres://app:s3cret@db/x", "dial #db/x"),
    ],
)
def test_private_text_is_replaced(kind: str, body: str, redacted: str) -> None:
    assert line(body, {"redact": [kind], "replacement": "#"}).body == redacted


def test_own_patterns_and_attributes_are_redacted_too() -> None:
    config: JsonObject = {"format": "json", "redact_patterns": ["tok_[a-z]+"], "replacement": "\\0"}
    record = line('{"a": ["tok_abc", {"b": "x tok_def"}], "n": 7}', config)
    assert record.attributes == {"a": ["\\0", {"b": "x \\0"}], "n": 7}
    assert "tok_abc" not in record.body


def test_a_pattern_without_a_named_group_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="Name at least one group"):
        line("x", {"format": "regex", "pattern": "x"})
