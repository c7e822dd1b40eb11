"""Output of scripts, read."""

import json

import pytest

from detectviz.contracts.commands import CommandResult
from detectviz.contracts.types import CheckState
from plugins.collectors.script.reading import read_output, read_perfdata


def ended(stdout: str, code: int = 0, stderr: str = "") -> CommandResult:
    return CommandResult(
        exit_code=code, stdout=stdout.encode(), stderr=stderr.encode(), duration_s=0.1
    )


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, "up"), (1, "degraded"), (2, "down"), (3, "unknown"), (4, "unknown"), (137, "unknown")],
)
def test_the_exit_status_of_a_nagios_plugin_is_the_state(code: int, state: str) -> None:
    assert read_output("nagios", ended("DISK OK - 3 GB free | /=2643MB", code)).state == state


def test_performance_data_come_in_base_units_with_their_limits() -> None:
    metrics = read_perfdata("'free space'=2643MB;5948;10:20;0;5968 time=250ms load=U ok=1c")
    values = {(m.name, m.labels["label"]): m.value for m in metrics}
    assert values["probe_script_perfdata", "free space"] == 2643 * 2**20
    assert values["probe_script_perfdata_warning", "free space"] == 5948 * 2**20
    assert values["probe_script_perfdata_max", "free space"] == 5968 * 2**20
    assert ("probe_script_perfdata_critical", "free space") not in values
    assert values["probe_script_perfdata", "time"] == 0.25
    assert ("probe_script_perfdata", "load") not in values


def test_performance_data_stand_on_the_first_line_and_after_the_second_bar() -> None:
    text = "OK | a=1\nlong text\nmore | b=2\nc=3"
    reading = read_output("nagios", ended(text))
    assert reading.message == "OK"
    assert [m.labels["label"] for m in reading.metrics] == ["a", "b", "c"]


def test_prometheus_text_becomes_samples_and_an_exit_status_down() -> None:
    reading = read_output("prometheus", ended('queue_length{queue="a b"} 3\nup_since 1e3\n'))
    assert [(m.name, dict(m.labels), m.value) for m in reading.metrics] == [
        ("queue_length", {"queue": "a b"}, 3.0),
        ("up_since", {}, 1000.0),
    ]
    failed = read_output("prometheus", ended("", 7, "no database\n"))
    assert failed.state is CheckState.DOWN
    assert "no database" in failed.message


def test_json_says_state_message_and_metrics() -> None:
    answer = {
        "state": "degraded",
        "message": "slow",
        "metrics": [{"name": "lag_seconds", "value": 3, "labels": {"shard": "1"}}],
    }
    reading = read_output("json", ended(json.dumps(answer)))
    assert (reading.state, reading.message) == (CheckState.DEGRADED, "slow")
    assert reading.metrics[0].value == 3


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", "no json"),
        ("json", "[" * 100_000),
        ("json", '{"state": "fine"}'),
        ("json", '{"metrics": [{"name": "a b", "value": 1}]}'),
        ("json", '{"metrics": [{"name": "probe_success", "value": 1}]}'),
        ("json", json.dumps({"metrics": [{"name": "a", "value": 1}] * 1_001})),
        ("prometheus", "this is no sample"),
    ],
)
def test_output_that_makes_no_sense_is_unknown_and_says_why(form: str, text: str) -> None:
    reading = read_output(form, ended(text))
    assert reading.state is CheckState.UNKNOWN
    assert "output is" in reading.message
    assert not reading.metrics
