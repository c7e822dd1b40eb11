"""Rules and alerts as Prometheus' API shows them."""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from apps.alerting.enums import AlertState, RuleKind
from apps.alerting.models import Alert, Rule, RuleGroup

_UNSET = "0001-01-01T00:00:00Z"  # Go's zero time
_S = 1000
_SHOWN = {AlertState.RECOVERING: AlertState.FIRING}
_WORST_FIRST = (AlertState.FIRING, AlertState.PENDING)


def file_of(group: RuleGroup) -> str:
    """Return what stands for the rule file: the folder, as there are no files."""
    return "default" if group.folder is None else str(group.folder.name)


def labels_of(rule: Rule, group: RuleGroup) -> dict[str, str]:
    """Return a rule's labels, the group's own among them."""
    return {**group.shared_labels, **rule.labels}


def group_json(group: RuleGroup, rules: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a group with rules in their shape."""
    return {
        "name": group.name,
        "file": file_of(group),
        "rules": list(rules),
        "interval": group.interval_ms / _S,
        "limit": group.limit,
        "evaluationTime": group.last_duration_s or 0,
        "lastEvaluation": _time(group.last_eval_at),
    }


def rule_json(
    rule: Rule, group: RuleGroup, alerts: Iterable[Alert], *, with_alerts: bool
) -> dict[str, Any]:
    """Return one rule; an alerting one with its state and, if wanted, its active alerts."""
    shown: dict[str, Any] = {
        "name": rule.name,
        "query": rule.asked,
        "labels": labels_of(rule, group),
        "health": "unknown" if rule.last_eval_at is None else rule.health,
        "evaluationTime": 0,
        "lastEvaluation": _time(rule.last_eval_at),
    }
    if rule.last_error:
        shown["lastError"] = rule.last_error
    if rule.kind == RuleKind.RECORDING:
        return {**shown, "type": "recording"}
    active = list(alerts)
    states = {_shown_state(alert) for alert in active}
    return {
        **shown,
        "type": "alerting",
        "state": next((state for state in _WORST_FIRST if state in states), AlertState.INACTIVE),
        "duration": rule.for_ms / _S,
        "keepFiringFor": rule.keep_firing_for_ms / _S,
        "annotations": rule.annotations,
        "alerts": [alert_json(alert) for alert in active] if with_alerts else [],
    }


def alert_json(alert: Alert) -> dict[str, Any]:
    """Return one active alert."""
    shown: dict[str, Any] = {
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": _shown_state(alert),
        "activeAt": _time(alert.active_at),
        "value": exponent_text(float(alert.value)),
    }
    if alert.keep_firing_since is not None:
        shown["keepFiringSince"] = _time(alert.keep_firing_since)
    return shown


def exponent_text(value: float) -> str:
    """Return a float as Go's ``%e`` with the fewest digits that read back, such as ``1e+00``."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    exponent += len(text) - 1
    text = text.rstrip("0") or "0"
    if text == "0":
        exponent = 0
    fraction = f".{text[1:]}" if len(text) > 1 else ""
    return f"{'-' if sign else ''}{text[0]}{fraction}e{exponent:+03d}"


def _shown_state(alert: Alert) -> str:
    state = AlertState(alert.state)
    return _SHOWN.get(state, state).value


def _time(moment: datetime | None) -> str:
    return _UNSET if moment is None else moment.isoformat().replace("+00:00", "Z")
