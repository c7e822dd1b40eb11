"""Rule tests in promtool's format, and promtool's own verdict on the same files."""

import subprocess
from pathlib import Path

import pytest

from apps.alerting.services.rule_tests import RuleTestError, rule_tests_run
from apps.alerting.services.series_notation import NotationError, series_labels, series_values
from detectviz.tsdb.histograms import Histogram

DATA = Path(__file__).parent / "data"
OURS = {"recovering.yml": True}  # fields that promtool does not know
VERDICTS = {"passing.yml": True, "failing.yml": False, "limited.yml": False, "duplicate.yml": False}


@pytest.mark.parametrize(("name", "is_ok"), (VERDICTS | OURS).items())
def test_a_test_file_gets_its_verdict(name: str, *, is_ok: bool) -> None:
    report = rule_tests_run(DATA / name)
    assert report.is_ok is is_ok, report


@pytest.mark.services("promtool")
@pytest.mark.parametrize(("name", "is_ok"), VERDICTS.items())
def test_promtool_gives_the_same_verdict(name: str, *, is_ok: bool) -> None:
    command = ["promtool", "test", "rules", str(DATA / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is is_ok, done.stdout + done.stderr


def test_a_failure_says_what_was_expected_and_what_came() -> None:
    report = rule_tests_run(DATA / "failing.yml")
    (alerts,), (samples,) = (case.failures for case in report.cases)
    assert "alertname: InstanceDown, time: 360s, exp: [Labels:{alertname=" in alerts
    assert 'tier="PROMETHEUS"' in alerts
    assert samples == 'expr: \'up\', time: 60s, exp: [up{job="a"} 2], got: [up{job="a"} 1]'


def test_errors_of_rules_are_failures() -> None:
    (case,) = rule_tests_run(DATA / "limited.yml").cases
    assert case.failures == ("rule Down, time 180s: exceeded limit of 1 with 2 alerts",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[]", "the test file: must be a map"),
        ("tests: 5", "tests: must be a list"),
        ("unknown: 1", "unknown: unknown field"),
        ("evaluation_interval: soon", "evaluation_interval: 'soon' is not a duration"),
        ("evaluation_interval: 0s", "must be more than nothing"),
        ("tests: [{input_series: [{series: 'up{', values: '1'}]}]", "is no series"),
        ("tests: [{input_series: [{series: up, values: '1 b'}]}]", "'b' is no value"),
        ("tests: [{alert_rule_test: [{eval_time: 1m}]}]", "alertname"),
        ("rule_files: [broken.yml]", "groups[0].rules[0].expr: 1:4: parse error"),
        ("a: b: c", "no YAML"),
    ],
)
def test_a_file_that_can_not_be_read_names_the_field(
    content: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "broken.yml").write_text(
        "groups: [{name: x, rules: [{alert: A, expr: 'up ='}]}]", encoding="utf-8"
    )
    (tmp_path / "test.yml").write_text(content, encoding="utf-8")
    with pytest.raises(RuleTestError) as caught:
        rule_tests_run(tmp_path / "test.yml")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 2 -3", [1, 2, -3]),
        ("1+2x3", [1, 3, 5, 7]),
        ("10-2x2", [10, 8, 6]),
        ("5x2", [5, 5, 5]),
        ("_ 1 _x2", [None, 1, None, None]),
        ("1e2 .5 Inf -Inf", [100, 0.5, float("inf"), float("-inf")]),
        ("", []),
    ],
)
def test_series_values_read_as_promtool_reads_them(text: str, expected: list[float]) -> None:
    assert series_values(text) == expected


def test_series_may_be_native_histograms() -> None:
    found = series_values("{{count:1 buckets:[1]}}+{{count:2 buckets:[2]}}x2 _ 5")
    counts = [one.count if isinstance(one, Histogram) else one for one in found]
    assert counts == [1, 3, 5, None, 5]


NATIVE = """
evaluation_interval: 1m
rule_files: []
tests:
  - interval: 1m
    input_series:
      - series: latency
        values: '{{count:2 sum:1 buckets:[2]}}+{{count:2 sum:1 buckets:[2]}}x5'
    promql_expr_test:
      - expr: latency * 2
        eval_time: 1m
        exp_samples:
          - labels: '{}'
            histogram: '{{count:8 sum:4 buckets:[8]}}'
      - expr: latency
        eval_time: 1m
        exp_samples:
          - labels: latency
            histogram: '{{count:5}}'
"""


def test_histograms_are_expected_by_layout_and_counts(tmp_path: Path) -> None:
    (tmp_path / "native.yml").write_text(NATIVE, encoding="utf-8")
    (case,) = rule_tests_run(tmp_path / "native.yml").cases
    (failure,) = case.failures
    assert "exp: [latency{} {count:5, sum:0}], got: [latency{} {count:4, sum:2, (" in failure


@pytest.mark.parametrize("text", ["1+1", "{{colour:0}}", "{{}}x99999999", "1x99999999", "x"])
def test_wrong_series_values_are_refused(text: str) -> None:
    with pytest.raises(NotationError):
        series_values(text)


def test_series_labels_come_from_equality_matchers_only() -> None:
    assert series_labels('up{a="b"}') == {"__name__": "up", "a": "b"}
    with pytest.raises(NotationError):
        series_labels('up{a=~"b"}')
