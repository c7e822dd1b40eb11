"""How SLOs and anomaly rules are edited: the forms, and the texts they begin with."""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.alerting.services.slo_rules import LONG_WINDOWS, PERIODS, SHORT_WINDOWS
from apps.monitors.selectors.monitors import monitor_queryset
from detectviz.contracts.types import JsonObject
from detectviz.web.pages import PageRequest
from detectviz.web.scope import OrgScope
from detectviz.web.specs import SpecEditor

_MOST_OFFERED = 500
_ALERTS, _BAND = "Alerts", "How unusual"
_USUAL = {
    "page": "None: 2 % gone within 1h and still in 5m, 5 % within 6h and 30m.",
    "ticket": "None: 10 % gone within 1d and still in 2h, 10 % within 3d and 6h.",
}
_SLO_EXAMPLE = """\
title: Checkout
objective: 99.9            # percent
window: 30d                # or 28d
sli:                       # or: monitor: name
  good: sum(rate(requests_total{code!~"5.."}[$window]))
  total: sum(rate(requests_total[$window]))
alerting:                  # optional
  page:
    labels: {severity: critical}
  ticket:
    labels: {severity: warning}
"""
_ANOMALY_EXAMPLE = """\
title: Orders
expr: sum by (shop) (rate(orders_total[5m]))
by: [shop]                 # the labels that tell its series apart
weeks: 4                   # 2 to 8
deviations: 6              # half the band, in MADs
least_percent: 10          # but at least this share of the median
direction: both            # above, below or both
for: 10m
labels: {severity: warning}
"""


def _slo_schema(scope: OrgScope) -> JsonObject:
    properties: dict[str, JsonObject] = {
        "title": {"type": "string", "title": "Title", "x-placeholder": "Checkout"},
        "objective": {
            "type": "number",
            "title": "Objective in percent",
            "default": 99.9,
            "description": "How much has to be good, such as 99.9.",
        },
        "window": {"type": "string", "title": "Within", "enum": list(PERIODS), "default": "30d"},
        "sli": _sli(scope),
        "alerting": {
            "type": "object",
            "title": "Alerts on how fast the budget burns",
            "x-group": _ALERTS,
            "properties": {
                "page": _burn_alert("page", "Wakes somebody"),
                "ticket": _burn_alert("ticket", "Can wait for the day"),
            },
        },
        "enabled": {
            "type": "boolean",
            "title": "Switched on",
            "default": True,
            "x-group": _ALERTS,
        },
    }
    return {"type": "object", "required": ["objective"], "properties": properties}


def _sli(scope: OrgScope) -> JsonObject:
    monitors = scope.access.filter(monitor_queryset(scope.org), "monitors:read")
    names = list(monitors.order_by("name").values_list("name", flat=True)[:_MOST_OFFERED])
    return {
        "type": "object",
        "title": "What counts",
        "properties": {
            "source": {
                "type": "string",
                "title": "Measured by",
                "enum": ["monitor", "queries"],
                "default": "monitor",
                "x-labels": {"monitor": "The probes of a monitor", "queries": "Two queries"},
            },
            "monitor": {
                "type": "string",
                "title": "Monitor",
                "x-suggestions": names,
                "x-show-if": {"source": "monitor"},
            },
            "good": _query("Good", 'sum(rate(requests_total{code!~"5.."}[$window]))'),
            "total": _query("All", "sum(rate(requests_total[$window]))"),
        },
    }


def _query(title: str, example: str) -> JsonObject:
    return {
        "type": "string",
        "title": title,
        "x-widget": "code",
        "x-placeholder": example,
        "x-show-if": {"source": "queries"},
        "description": "PromQL with $window where the range stands.",
    }


def _burn_alert(kind: str, title: str) -> JsonObject:
    windows = [*SHORT_WINDOWS, *LONG_WINDOWS]
    rate: JsonObject = {
        "type": "object",
        "properties": {
            "budget": {"type": "number", "title": "Percent of the budget", "default": 2},
            "long": {"type": "string", "title": "Gone within", "enum": windows, "default": "1h"},
            "short": {"type": "string", "title": "Still in", "enum": windows, "default": "5m"},
        },
    }
    return {
        "type": "object",
        "title": title,
        "properties": {
            "enabled": {"type": "boolean", "title": "Alert", "default": True},
            "burn_rates": {
                "type": "array",
                "title": "Burn rates",
                "items": rate,
                "description": _USUAL[kind],
            },
            "labels": {"type": "object", "title": "Labels"},
            "annotations": {"type": "object", "title": "Annotations"},
        },
    }


def _slo_to_form(spec: JsonObject) -> JsonObject:
    sli: Any = spec.get("sli") or {}
    source = "queries" if "good" in sli or "total" in sli else "monitor"
    return {**spec, "sli": {"source": source, **sli}}


def _slo_to_spec(form: JsonObject) -> JsonObject:
    """Leave out what is empty, so that what is usual stands in its place."""
    sli: Any = form.get("sli") or {}
    alerting: Any = form.get("alerting") or {}
    asked = {key: value for key, value in sli.items() if key != "source"}
    return {
        **form,
        "sli": asked,
        "alerting": {kind: _filled(said) for kind, said in alerting.items()},
    }


def _filled(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value not in ([], {})}


def _slo_start(request: PageRequest, _scope: OrgScope) -> JsonObject:
    return {"objective": 99.9, "window": "30d", "sli": {"monitor": request.GET.get("monitor", "")}}


def _slo_example(_request: PageRequest, _scope: OrgScope) -> str:
    return _SLO_EXAMPLE


def _anomaly_schema(_scope: OrgScope) -> JsonObject:
    properties: dict[str, JsonObject] = {
        "title": {"type": "string", "title": "Title", "x-placeholder": "Orders"},
        "expr": {
            "type": "string",
            "title": "Expression",
            "format": "promql",
            "x-widget": "code",
            "x-placeholder": "sum by (shop) (rate(orders_total[5m]))",
        },
        "by": {
            "type": "array",
            "title": "Told apart by the labels",
            "items": {"type": "string"},
            "x-placeholder": "shop",
            "description": "Each set of their values is judged by itself. None: all as one.",
        },
        "direction": {
            **_choices({"both": "Above or below", "above": "Above only", "below": "Below only"}),
            "title": "Unusual is",
            "default": "both",
        },
        "for": {"type": "string", "title": "For", "format": "duration", "default": "10m"},
        "weeks": {
            "type": "integer",
            "title": "Weeks looked back",
            "default": 4,
            "x-group": _BAND,
            "description": "From 2 to 8. What is usual is told from this hour of each.",
        },
        "deviations": {
            "type": "number",
            "title": "Deviations",
            "default": 6,
            "x-group": _BAND,
            "description": "Half the band, in median absolute deviations.",
        },
        "least_percent": {
            "type": "number",
            "title": "At least percent",
            "default": 10,
            "x-group": _BAND,
            "description": "Half the band, of what is usual, however little that spreads.",
        },
        "labels": {"type": "object", "title": "Labels", "x-group": _ALERTS},
        "annotations": {"type": "object", "title": "Annotations", "x-group": _ALERTS},
        "enabled": {
            "type": "boolean",
            "title": "Switched on",
            "default": True,
            "x-group": _ALERTS,
        },
    }
    return {"type": "object", "required": ["expr"], "properties": properties}


def _choices(labels: Mapping[str, str]) -> dict[str, Any]:
    values: Sequence[str] = list(labels)
    return {"type": "string", "enum": values, "x-labels": labels}


def _anomaly_start(request: PageRequest, _scope: OrgScope) -> JsonObject:
    return {"expr": request.GET.get("expr", "")}


def _anomaly_example(_request: PageRequest, _scope: OrgScope) -> str:
    return _ANOMALY_EXAMPLE


SLO_EDITOR = SpecEditor(
    api_version="alerting/v1",
    kind="SLO",
    noun="objective",
    title="SLOs",
    lead="An objective and what counts towards it; budget, burn rates and alerts are generated.",
    schema=_slo_schema,
    start=_slo_start,
    example=_slo_example,
    to_form=_slo_to_form,
    to_spec=_slo_to_spec,
    list_route="alerting:slo-list",
    detail_route="alerting:slo-detail",
    preview_route="alerting:slo-preview",
)
ANOMALY_EDITOR = SpecEditor(
    api_version="alerting/v1",
    kind="AnomalyRule",
    noun="anomaly rule",
    title="Anomalies",
    lead="What is usual is told from the same hour of the weeks before.",
    schema=_anomaly_schema,
    start=_anomaly_start,
    example=_anomaly_example,
    list_route="alerting:anomaly-list",
    detail_route="alerting:anomaly-detail",
    preview_route="alerting:anomaly-preview",
    trial_route="alerting:anomaly-backtest",
    trial_label="Try on the last 7 days",
    template="alerting/anomaly_edit.html",
)
