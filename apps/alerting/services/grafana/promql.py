"""Rules in PromQL as Grafana evaluates them, and how they are known again.

An alert of Prometheus is every element of the answer; Grafana's are the elements that are not 0.
So the answer goes through an expression that makes 1 of every number.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import models

from apps.alerting.services.grafana.queries import OWN_SERIES, is_own_series
from detectviz.queries.model import EXPRESSIONS

QUERY: Final = "query"
CONDITION: Final = "condition"
_EVERY_NUMBER: Final = f"is_number(${QUERY}) || is_nan(${QUERY}) || is_inf(${QUERY})"
# In Grafana $value is a text of all queries; in Prometheus it is the number.
_VALUE: Final = "{{- $value := $values." + QUERY + ".Value -}}"


def promql_queries(expression: str, *, is_recording: bool) -> list[dict[str, Any]]:
    """Return a PromQL expression as queries; the last is the condition, if any."""
    asked = {
        "ref_id": QUERY,
        "datasource": OWN_SERIES,
        "model": {"expr": expression, "type": "instant"},
    }
    condition = {
        "ref_id": CONDITION,
        "datasource": EXPRESSIONS,
        "model": {"type": "math", "expression": _EVERY_NUMBER},
    }
    return [asked] if is_recording else [asked, condition]


def promql_expression(
    queries: Sequence[Mapping[str, Any]], condition: str, org: models.Model | None
) -> str:
    """Return the expression that ``promql_queries`` made these of; empty for any others."""
    if not queries or queries[0]["ref_id"] != QUERY or not is_own_series(queries[0], org):
        return ""
    expression = str(queries[0]["model"].get("expr") or "")
    others = [(each["ref_id"], each["model"].get("expression")) for each in queries[1:]]
    wanted = [(CONDITION, _EVERY_NUMBER)] if condition == CONDITION else []
    is_same = others == wanted and condition in {QUERY, CONDITION}
    return expression if is_same else ""


def texts_to_grafana(texts: Mapping[str, str]) -> dict[str, str]:
    """Return labels or annotations whose ``$value`` is the number in Grafana too."""
    return {name: _VALUE + text if "$value" in text else text for name, text in texts.items()}


def texts_from_grafana(texts: Mapping[str, str]) -> dict[str, str]:
    """Return what ``texts_to_grafana`` was given."""
    return {name: text.removeprefix(_VALUE) for name, text in texts.items()}
