"""A rule as users write it (Prometheus' fields and ours): what is wrong with it, what it means."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.alerting.enums import ErrorPolicy, NoDataPolicy, RuleKind
from apps.alerting.services.condition_specs import condition_problems
from apps.alerting.services.plans import RulePlan
from apps.alerting.services.policy_specs import POLICY_FIELDS, flap_terms, policy_problems
from apps.alerting.services.templates import template_check
from detectviz.contracts.durations import DurationError, parse_duration_ms
from detectviz.promql.errors import PromqlError
from detectviz.promql.nodes import ValueType
from detectviz.promql.parser import parse
from detectviz.promql.type_check import result_type

RULE_FIELDS = frozenset(
    {
        "alert",
        "record",
        "expr",
        "for",
        "keep_firing_for",
        "labels",
        "annotations",
        "no_data",
        "on_error",
        "enabled",
        "queries",
        "condition",
        *POLICY_FIELDS,
    }
)
_ALERT_ONLY = ("for", "keep_firing_for", "annotations", "no_data", "on_error", *POLICY_FIELDS)
MISSING_EVALUATIONS = 2  # of rules that ask datasources, as in Grafana
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # noqa: TID251 - our own constant
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # noqa: TID251 - our own constant
_LONGEST_EXPRESSION = 16_384
_LONGEST_NAME = 255
_LONGEST_FOR_MS = 365 * 86_400_000

Problems = dict[str, list[str]]


def rule_problems(rule: Mapping[str, Any]) -> Problems:
    """Return what is wrong with one rule, per field; empty when nothing is.

    A field inside a map is named with it: ``annotations.summary``.
    """
    problems: Problems = {
        str(name): ["Unknown field. Known fields: " + ", ".join(sorted(RULE_FIELDS)) + "."]
        for name in rule.keys() - RULE_FIELDS
    }
    problems |= _name_problems(rule)
    asks_datasources = rule.get("queries") is not None
    if asks_datasources:
        problems |= condition_problems(rule)
    else:
        problems |= _single("expr", expression_problem(rule.get("expr")))
        if rule.get("condition"):
            problems["condition"] = ["Only a rule with queries has a condition."]
    for name in ("for", "keep_firing_for"):
        problems |= _single(name, _duration_problem(rule.get(name)))
    problems |= labels_problems(
        "labels",
        rule.get("labels"),
        may_be_template="alert" in rule,
        has_values=asks_datasources,
    )
    problems |= _annotation_problems(rule.get("annotations"), has_values=asks_datasources)
    problems |= _single("no_data", _choice_problem(rule.get("no_data"), NoDataPolicy.values))
    problems |= policy_problems(rule)
    if rule.get("recovery_expr") is not None and not problems:
        problems |= _single("recovery_expr", expression_problem(rule["recovery_expr"]))
    problems |= _single("on_error", _choice_problem(rule.get("on_error"), ErrorPolicy.values))
    if not isinstance(rule.get("enabled", True), bool):
        problems["enabled"] = ["Must be true or false."]
    return problems


def _single(name: str, problem: str | None) -> Problems:
    return {name: [problem]} if problem else {}


def _name_problems(rule: Mapping[str, Any]) -> Problems:
    alert, record = rule.get("alert"), rule.get("record")
    if bool(alert) == bool(record):
        return {"alert": ["Give a rule exactly one name: alert or record."]}
    if record:
        problems = {
            name: ["Only an alerting rule has this field."]
            for name in _ALERT_ONLY
            if rule.get(name) is not None
        }
        is_metric = isinstance(record, str) and _METRIC.fullmatch(record)
        if not is_metric or len(record) > _LONGEST_NAME:
            problems["record"] = [f"{str(record)[:100]!r} is no metric name."]
        return problems
    if not isinstance(alert, str) or len(alert) > _LONGEST_NAME or "\n" in alert:
        return {"alert": [f"Must be one line of text, at most {_LONGEST_NAME} characters."]}
    return {}


def expression_problem(text: object) -> str | None:
    """Return why a text can't be a rule's expression, with its place, or None when it can."""
    if not isinstance(text, str) or not text.strip():
        return "Write a PromQL expression."
    if len(text) > _LONGEST_EXPRESSION:
        return f"Longer than {_LONGEST_EXPRESSION} characters."
    try:
        kind = result_type(parse(text))
    except PromqlError as error:
        return str(error)
    if kind not in {ValueType.VECTOR, ValueType.SCALAR}:
        return f"1:1: a rule needs an instant vector or a scalar, this is a {kind.value}."
    return None


def _duration_problem(value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        return "Write a duration as text, such as 5m."
    try:
        milliseconds = parse_duration_ms(value)
    except DurationError as error:
        return str(error)
    return "Must be at most 365d." if milliseconds > _LONGEST_FOR_MS else None


def _choice_problem(value: object, choices: Iterable[str]) -> str | None:
    if value is None or value in (allowed := list(choices)):
        return None
    return "Must be one of " + ", ".join(allowed) + "."


def labels_problems(
    name: str, labels: object, *, may_be_template: bool, has_values: bool = False
) -> Problems:
    """Return what is wrong with a map of labels, per label."""
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        return {name: ["Must be a map of label names to texts."]}
    problems: Problems = {}
    for key, text in labels.items():
        path = f"{name}.{key}"
        if not isinstance(key, str) or not _LABEL.fullmatch(key) or key == "__name__":
            problems[path] = ["This is no label name; use letters, digits and underscores."]
        elif not isinstance(text, str):
            problems[path] = ["Must be text."]
        elif may_be_template:
            problems |= _single(path, template_check(text, has_values=has_values))
    return problems


def _annotation_problems(annotations: object, *, has_values: bool) -> Problems:
    if annotations is None:
        return {}
    if not isinstance(annotations, Mapping):
        return {"annotations": ["Must be a map of names to texts."]}
    problems: Problems = {}
    for key, text in annotations.items():
        path = f"annotations.{key}"
        if not isinstance(key, str) or not _LABEL.fullmatch(key):
            problems[path] = ["This is no annotation name; use letters, digits and underscores."]
        elif not isinstance(text, str):
            problems[path] = ["Must be text."]
        else:
            problems |= _single(path, template_check(text, has_values=has_values))
    return problems


def rule_plan(
    rule: Mapping[str, Any], *, key: str, shared_labels: Mapping[str, str] | None = None
) -> RulePlan:
    """Return a valid rule as it is evaluated; the group's labels yield to the rule's own.

    What to do without data and on errors is, where it isn't said, what Prometheus would do, and
    for rules that ask datasources what Grafana would do: an alert of its own.
    """
    queries = rule.get("queries") or ()
    no_data = NoDataPolicy.NO_DATA if queries else NoDataPolicy.OK
    on_error = ErrorPolicy.ERROR if queries else ErrorPolicy.KEEP_LAST
    return RulePlan(
        key=key,
        kind=RuleKind.ALERTING if rule.get("alert") else RuleKind.RECORDING,
        name=rule.get("alert") or rule["record"],
        expr="" if queries else rule["expr"],
        queries=queries,
        condition=rule.get("condition") or "",
        for_ms=parse_duration_ms(rule.get("for") or "0"),
        keep_firing_for_ms=parse_duration_ms(rule.get("keep_firing_for") or "0"),
        labels={**(shared_labels or {}), **(rule.get("labels") or {})},
        annotations=rule.get("annotations") or {},
        no_data=NoDataPolicy(rule.get("no_data") or no_data),
        on_error=ErrorPolicy(rule.get("on_error") or on_error),
        recovery_expr=rule.get("recovery_expr") or "",
        recovery_condition=rule.get("recovery_condition") or "",
        missing_evaluations=rule.get("missing_series_evaluations")
        or (MISSING_EVALUATIONS if queries else 0),
        limit=rule.get("limit") or 0,
        flapping=flap_terms(rule),
    )


def rules_queries(rules: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the queries of all rules that ask datasources."""
    return [query for rule in rules for query in rule.get("queries") or ()]


def rules_problems(rules: object, path: str = "rules") -> Problems:
    """Return what is wrong with a list of rules, each problem under ``rules[0].expr``."""
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        return {path: ["Must be a list of rules."]}
    problems: Problems = {}
    for index, rule in enumerate(rules):
        if not isinstance(rule, Mapping):
            problems[f"{path}[{index}]"] = ["Must be a rule."]
            continue
        found = rule_problems(rule)
        problems |= {f"{path}[{index}].{name}": text for name, text in found.items()}
    return problems
