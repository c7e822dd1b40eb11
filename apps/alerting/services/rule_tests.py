"""promtool's unit tests of rules: same files, same verdicts.

A file names rule files and tests; a test gives input series, then says which alerts fire and what
expressions answer at certain times. Rules are evaluated from time 0 in steps of the evaluation
interval, on a store of their own in memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from apps.alerting.enums import AlertState, RuleKind
from apps.alerting.services.evaluation import Surroundings, group_run
from apps.alerting.services.plans import GroupPlan, plans_after
from apps.alerting.services.queries import RuleQuerier, rule_querier
from apps.alerting.services.rule_files import rule_file_to_manifests
from apps.alerting.services.rule_specs import rule_plan, rules_problems, rules_queries
from apps.alerting.services.series_notation import NotationError, series_labels, series_values
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.promql.errors import PromqlError
from detectviz.promql.histograms.drafts import compacted
from detectviz.promql.histograms.equality import equal
from detectviz.promql.histograms.notation import parse_histogram
from detectviz.promql.histograms.text import format_histogram
from detectviz.promql.memory_store import MemoryStore
from detectviz.promql.parser import parse
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import METRIC_NAME, Sample, StoreError

_FILE_FIELDS = frozenset(
    {"rule_files", "evaluation_interval", "group_eval_order", "tests", "fuzzy_compare"}
)
_TEST_FIELDS = frozenset(
    {
        "name",
        "interval",
        "input_series",
        "alert_rule_test",
        "promql_expr_test",
        "external_labels",
        "external_url",
    }
)
_FIRING = frozenset({AlertState.FIRING, AlertState.RECOVERING})
_TENANT = "test"
_MOST_STEPS = 100_000
_RELATIVE_TOLERANCE = 1e-14
_Expected: TypeAlias = tuple[dict[str, str], float | Histogram]

Labels = Mapping[str, str]


class RuleTestError(Exception):
    """The test file itself can't be read; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestCase:
    """The verdict on one entry of ``tests``; no failures means it passed."""

    name: str
    failures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTestReport:
    """The verdicts on one test file."""

    file: str
    cases: tuple[RuleTestCase, ...]

    @property
    def is_ok(self) -> bool:
        """Whether every test passed."""
        return not any(case.failures for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    groups: tuple[GroupPlan, ...]
    interval_ms: int
    is_fuzzy: bool


def rule_tests_run(path: Path) -> RuleTestReport:
    """Run one test file. Raise RuleTestError when it, or a rule file it names, can't be read."""
    data = _mapping(_yaml(path), "the test file")
    _known_fields(data, _FILE_FIELDS, "")
    groups = _groups(data, path.parent)
    interval_ms = _duration_ms(data.get("evaluation_interval", "1m"), "evaluation_interval")
    if interval_ms <= 0:
        raise RuleTestError("evaluation_interval: must be more than nothing.")
    order = {name: at for at, name in enumerate(_list(data, "group_eval_order"))}
    groups.sort(key=lambda group: order.get(group.name, len(order)))
    suite = _Suite(
        groups=tuple(
            replace(group, interval_ms=max(group.interval_ms, interval_ms)) for group in groups
        ),
        interval_ms=interval_ms,
        is_fuzzy=bool(data.get("fuzzy_compare", False)),
    )
    tests = [_mapping(test, f"tests[{index}]") for index, test in enumerate(_list(data, "tests"))]
    return RuleTestReport(
        file=str(path),
        cases=tuple(_case(suite, test, index) for index, test in enumerate(tests)),
    )


def _yaml(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleTestError(f"{path}: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RuleTestError(f"{path}: no YAML: {error}") from error


def _mapping(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RuleTestError(f"{where}: must be a map.")
    return value


def _list(data: Mapping[str, Any], name: str) -> list[Any]:
    value = data.get(name) or []
    if not isinstance(value, list):
        raise RuleTestError(f"{name}: must be a list.")
    return value


def _known_fields(data: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    for name in data.keys() - known:
        raise RuleTestError(f"{where}{name}: unknown field; known: {', '.join(sorted(known))}.")


def _duration_ms(value: object, where: str) -> int:
    try:
        return parse_duration_ms(str(value))
    except DurationError as error:
        raise RuleTestError(f"{where}: {error}") from error


def _groups(data: Mapping[str, Any], folder: Path) -> list[GroupPlan]:
    groups: list[GroupPlan] = []
    for pattern in _list(data, "rule_files"):
        named = Path(str(pattern))
        root, glob = (Path("/"), str(named)[1:]) if named.is_absolute() else (folder, str(named))
        for path in sorted(root.glob(glob)):
            groups += rule_groups_read(path)
    return groups


def rule_groups_read(path: Path) -> list[GroupPlan]:
    """Return the groups of a Prometheus rule file; raise RuleTestError naming what is wrong."""
    data = _mapping(_yaml(path), str(path))
    try:
        manifests = rule_file_to_manifests(data)
    except InvalidFieldsError as error:
        raise RuleTestError(f"{path}: {error}") from error
    if manifests is None:
        raise RuleTestError(f"{path}: no rule file; it starts with groups:.")
    return [
        _group_plan(manifest["spec"], f"{path}: groups[{index}]")
        for index, manifest in enumerate(manifests)
    ]


def _group_plan(spec: Mapping[str, Any], where: str) -> GroupPlan:
    problems = rules_problems(spec["rules"])
    if not problems and rules_queries(spec["rules"]):
        problems = {"rules": ["Unit tests evaluate PromQL; these rules ask datasources."]}
    for field, texts in problems.items():
        raise RuleTestError(f"{where}.{field}: {texts[0]}")
    limit = spec.get("limit", 0)
    if not isinstance(limit, int):
        raise RuleTestError(f"{where}.limit: must be a whole number.")
    return GroupPlan(
        name=spec["title"],
        interval_ms=_duration_ms(spec.get("interval", "0"), f"{where}.interval"),
        query_offset_ms=_duration_ms(spec.get("query_offset", "0"), f"{where}.query_offset"),
        limit=limit,
        rules=tuple(
            rule_plan(rule, key=str(index), shared_labels=spec.get("labels"))
            for index, rule in enumerate(spec["rules"])
        ),
    )


def _case(suite: _Suite, test: Mapping[str, Any], index: int) -> RuleTestCase:
    where = f"tests[{index}]."
    _known_fields(test, _TEST_FIELDS, where)
    store = MemoryStore()
    interval_ms = suite.interval_ms
    if test.get("interval"):
        interval_ms = _duration_ms(test["interval"], f"{where}interval")
    store.append(_TENANT, _input_samples(test, interval_ms, where))
    querier = rule_querier(store, _TENANT)
    around = Surroundings(
        querier=querier,
        external_labels=test.get("external_labels") or {},
        external_url=str(test.get("external_url") or ""),
    )
    failures = _alert_failures(suite, test, around, where)
    if not any(text.startswith(_RULE_ERROR) for text in failures):
        failures += _expression_failures(suite, test, querier, where)
    return RuleTestCase(name=str(test.get("name") or f"test {index + 1}"), failures=tuple(failures))


_RULE_ERROR = "rule "


def _input_samples(test: Mapping[str, Any], interval_ms: int, where: str) -> list[Sample]:
    samples: list[Sample] = []
    for index, entry in enumerate(_list(test, "input_series")):
        path = f"{where}input_series[{index}]"
        series = _mapping(entry, path)
        _known_fields(series, frozenset({"series", "values"}), f"{path}.")
        try:
            labels = series_labels(str(series.get("series", "")))
            values = series_values(str(series.get("values", "")))
        except NotationError as error:
            raise RuleTestError(f"{path}: {error}") from error
        samples += [
            _sample(labels, at * interval_ms, value)
            for at, value in enumerate(values)
            if value is not None
        ]
    return samples


def _sample(labels: Mapping[str, str], at_ms: int, value: float | Histogram) -> Sample:
    if isinstance(value, Histogram):
        return Sample(labels, at_ms, histogram=value)
    return Sample(labels, at_ms, value)


def _alert_failures(
    suite: _Suite, test: Mapping[str, Any], around: Surroundings, where: str
) -> list[str]:
    expected = _expected_alerts(test, where)
    times = [at for at, _, _ in expected]
    times += [
        _duration_ms(entry.get("eval_time", "0"), f"{where}promql_expr_test.eval_time")
        for entry in _list(test, "promql_expr_test")
    ]
    last_ms = max(times, default=0)
    if last_ms // suite.interval_ms > _MOST_STEPS:
        raise RuleTestError(f"{where}: more than {_MOST_STEPS} evaluations.")
    groups, failures = list(suite.groups), list[str]()
    for at_ms in range(0, last_ms + 1, suite.interval_ms):
        errors: list[str] = []
        for position, group in enumerate(groups):
            groups[position], found = _stepped(group, around, at_ms=at_ms)
            errors += found
        if errors:
            return failures + errors
        for eval_ms, name, alerts in expected:
            if at_ms <= eval_ms < at_ms + suite.interval_ms:
                failures += _compared(groups, name, alerts, eval_ms)
    return failures


def _stepped(group: GroupPlan, around: Surroundings, *, at_ms: int) -> tuple[GroupPlan, list[str]]:
    runs = [run for batch in group_run(group, around, at_ms=at_ms) for run in batch.runs]
    errors = [
        f"{_RULE_ERROR}{run.rule.name}, time {at_ms / 1000:g}s: {run.error}"
        for run in runs
        if run.error
    ]
    return plans_after(group, runs, at_ms=at_ms), errors


def _expected_alerts(
    test: Mapping[str, Any], where: str
) -> list[tuple[int, str, list[tuple[Labels, Labels]]]]:
    expected = []
    for index, entry in enumerate(_list(test, "alert_rule_test")):
        path = f"{where}alert_rule_test[{index}]."
        one = _mapping(entry, path)
        _known_fields(one, frozenset({"eval_time", "alertname", "exp_alerts"}), path)
        name = str(one.get("alertname") or "")
        if not name:
            raise RuleTestError(f"{path}alertname: an item under alert_rule_test misses it.")
        alerts: list[tuple[Labels, Labels]] = []
        for alert in _list(one, "exp_alerts"):
            _known_fields(_mapping(alert, path), frozenset({"exp_labels", "exp_annotations"}), path)
            labels = {**_texts(alert.get("exp_labels")), "alertname": name}
            alerts.append((labels, _texts(alert.get("exp_annotations"))))
        expected.append((_duration_ms(one.get("eval_time", "0"), f"{path}eval_time"), name, alerts))
    return expected


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    return {
        str(name): str(text).lower() if isinstance(text, bool) else str(text)
        for name, text in value.items()
    }


def _compared(
    groups: Sequence[GroupPlan],
    name: str,
    expected: Sequence[tuple[Labels, Labels]],
    eval_ms: int,
) -> list[str]:
    firing = [
        (instance.labels, instance.annotations)
        for group in groups
        for rule in group.rules
        if rule.kind is RuleKind.ALERTING and rule.name == name
        for instance in rule.instances
        if instance.state in _FIRING
    ]
    wanted, got = (sorted(_shown(*pair) for pair in pairs) for pairs in (expected, firing))
    if wanted == got:
        return []
    shown = f"exp: [{', '.join(wanted)}], got: [{', '.join(got)}]"
    return [f"alertname: {name}, time: {eval_ms / 1000:g}s, {shown}"]


def _shown(labels: Labels, annotations: Labels) -> str:
    shown = (
        "{" + ", ".join(f'{key}="{one[key]}"' for key in sorted(one)) + "}"
        for one in (labels, annotations)
    )
    return "Labels:{} Annotations:{}".format(*shown)


def _expression_failures(
    suite: _Suite, test: Mapping[str, Any], querier: RuleQuerier, where: str
) -> list[str]:
    failures: list[str] = []
    for index, entry in enumerate(_list(test, "promql_expr_test")):
        path = f"{where}promql_expr_test[{index}]."
        one = _mapping(entry, path)
        _known_fields(one, frozenset({"expr", "eval_time", "exp_samples"}), path)
        text = str(one.get("expr", ""))
        at_ms = _duration_ms(one.get("eval_time", "0"), f"{path}eval_time")
        try:
            got = _answered(querier, text, at_ms)
            wanted = [_expected_sample(sample, path) for sample in _list(one, "exp_samples")]
        except (PromqlError, NotationError, StoreError) as error:
            failures.append(f"expr: {text!r}, time: {at_ms / 1000:g}s, err: {error}")
            continue
        if not _same_samples(wanted, got, is_fuzzy=suite.is_fuzzy):
            failures.append(
                f"expr: {text!r}, time: {at_ms / 1000:g}s, exp: {_listed(wanted)}, "
                f"got: {_listed(got)}"
            )
    return failures


def _answered(querier: RuleQuerier, text: str, at_ms: int) -> list[_Expected]:
    found = querier.answered(parse(text), at_ms)
    if isinstance(found, Exception):
        raise found
    return [
        (dict(labels), value if histogram is None else histogram)
        for labels, value, histogram in found
    ]


def _expected_sample(entry: object, path: str) -> _Expected:
    sample = _mapping(entry, path)
    _known_fields(sample, frozenset({"labels", "value", "histogram"}), path)
    value: float | Histogram
    try:
        if "histogram" in sample:
            value = parse_histogram(str(sample["histogram"]))
            return _expected_labels(sample), value
        value = float(sample.get("value", 0))
    except (TypeError, ValueError) as error:
        shown = sample.get("histogram", sample.get("value"))
        kind = "histogram" if "histogram" in sample else "number"
        raise RuleTestError(f"{path}exp_samples: {shown!r} is no {kind}.") from error
    return _expected_labels(sample), value


def _expected_labels(sample: Mapping[str, Any]) -> dict[str, str]:
    text = str(sample.get("labels") or "{}")
    return {} if text == "{}" else series_labels(text)


def _same_samples(
    wanted: list[_Expected],
    got: list[_Expected],
    *,
    is_fuzzy: bool,
) -> bool:
    if len(wanted) != len(got):
        return False
    pairs = zip(*(sorted(items, key=_order) for items in (wanted, got)), strict=True)
    return all(
        one == other and _same_value(value, found, is_fuzzy=is_fuzzy)
        for (one, value), (other, found) in pairs
    )


def _order(item: _Expected) -> list[tuple[str, str]]:
    return sorted(item[0].items())


def _same_value(wanted: float | Histogram, got: float | Histogram, *, is_fuzzy: bool) -> bool:
    if isinstance(wanted, Histogram) or isinstance(got, Histogram):
        return isinstance(wanted, Histogram) and isinstance(got, Histogram) and _same(wanted, got)
    both_nan = wanted != wanted and got != got  # noqa: PLR0124 - NaN test
    if wanted == got or both_nan:
        return True
    largest = max(abs(wanted), abs(got))
    return is_fuzzy and abs(wanted - got) <= _RELATIVE_TOLERANCE * largest


def _same(wanted: Histogram, got: Histogram) -> bool:
    """Compare histograms without empty buckets and without their counter reset hints."""
    return equal(compacted(wanted), compacted(got))


def _listed(samples: list[_Expected]) -> str:
    shown = []
    for labels, value in sorted(samples, key=_order):
        rest = ", ".join(
            f'{name}="{text}"' for name, text in sorted(labels.items()) if name != METRIC_NAME
        )
        shown.append(f"{labels.get(METRIC_NAME, '')}{{{rest}}} {_value_shown(value)}")
    return f"[{', '.join(shown)}]"


def _value_shown(value: float | Histogram) -> str:
    return format_histogram(value) if isinstance(value, Histogram) else f"{value:g}"
