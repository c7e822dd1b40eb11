"""How a rule's alerts end, flap and depend on others, as users write it."""

from collections.abc import Mapping
from typing import Any

from apps.alerting.services.dependencies import dependency_problems
from apps.alerting.services.state_values import FlapTerms

POLICY_FIELDS = (
    "missing_series_evaluations",
    "recovery_expr",
    "recovery_condition",
    "limit",
    "low_flap_threshold",
    "high_flap_threshold",
    "hold_while_flapping",
    "depends_on",
)
_MOST_EVALUATIONS = 1_000
_MOST_ALERTS = 1_000_000
_WHOLE = 100

Problems = dict[str, list[str]]


def policy_problems(rule: Mapping[str, Any]) -> Problems:
    """Return what is wrong with a rule's policies, per field; PromQL is not parsed here."""
    problems = _number_problems(rule, "missing_series_evaluations", 1, _MOST_EVALUATIONS)
    problems |= _number_problems(rule, "limit", 0, _MOST_ALERTS)
    problems |= _recovery_problems(rule)
    problems |= _flap_problems(rule)
    return problems | dependency_problems(rule.get("depends_on"))


def flap_terms(rule: Mapping[str, Any]) -> FlapTerms | None:
    """Return the thresholds of a valid rule, None when it does not watch for flapping."""
    low, high = rule.get("low_flap_threshold"), rule.get("high_flap_threshold")
    return None if low is None or high is None else FlapTerms(low=low, high=high)


def _number_problems(rule: Mapping[str, Any], name: str, least: int, most: int) -> Problems:
    value = rule.get(name)
    if value is None or (type(value) is int and least <= value <= most):
        return {}
    return {name: [f"Must be a whole number from {least} to {most:,}."]}


def _recovery_problems(rule: Mapping[str, Any]) -> Problems:
    if rule.get("queries") is None:
        if rule.get("recovery_condition"):
            message = "Only a rule with queries has it; write recovery_expr."
            return {"recovery_condition": [message]}
        return {}
    if rule.get("recovery_expr"):
        message = "A rule with queries names one of them: write recovery_condition."
        return {"recovery_expr": [message]}
    wanted = rule.get("recovery_condition")
    queries = rule["queries"] if isinstance(rule["queries"], list | tuple) else ()
    known = [query.get("ref_id") for query in queries if isinstance(query, Mapping)]
    if not wanted or wanted in known:
        return {}
    return {"recovery_condition": [f"Must name one of the queries: {', '.join(map(str, known))}."]}


def _flap_problems(rule: Mapping[str, Any]) -> Problems:
    names = ("low_flap_threshold", "high_flap_threshold")
    problems: Problems = {}
    for name in names:
        problems |= _number_problems(rule, name, 0, _WHOLE)
    low, high = (rule.get(name) for name in names)
    if problems:
        return problems
    if (low is None) is not (high is None):
        return {names[low is not None]: ["Give both thresholds, or none."]}
    if low is not None and high is not None and low >= high:
        return {"low_flap_threshold": ["Must be less than high_flap_threshold."]}
    holds = rule.get("hold_while_flapping")
    if holds is not None and not isinstance(holds, bool):
        return {"hold_while_flapping": ["Must be true or false."]}
    if holds and low is None:
        return {"hold_while_flapping": ["Give the thresholds that say when an alert flaps."]}
    return {}
