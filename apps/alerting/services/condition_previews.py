"""What a rule that asks datasources would say now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import models

from apps.alerting.enums import RuleKind
from apps.alerting.services.condition_answers import Captured, ConditionError
from apps.alerting.services.conditions import condition_ask, queries_problems
from apps.alerting.services.evaluation import Surroundings, asked_outcome
from apps.alerting.services.queries import rule_querier
from apps.alerting.services.rule_specs import rule_plan, rule_problems
from apps.alerting.services.state_values import Answer, Element
from apps.series.services import series_store
from detectviz.clock import to_ms
from detectviz.contracts.types import JsonObject
from detectviz.permissions.access import Access
from detectviz.resources.errors import InvalidFieldsError

MOST_SHOWN = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """One dimension: whether it holds (None: no data), its numbers, and the alert if it fires."""

    labels: Mapping[str, str]
    holds: bool | None
    captured: tuple[Captured, ...]
    element: Element | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionPreview:
    """The condition at ``at``; at most 500 rows, ``total`` and ``firing`` count all."""

    at: datetime
    rows: tuple[PreviewRow, ...]
    total: int
    firing: int


def condition_preview(
    *, org: models.Model, access: Access, rule: Mapping[str, Any], at: datetime
) -> ConditionPreview:
    """Ask the datasources of a rule as written, once, changing nothing.

    Raise InvalidFieldsError naming the field when it is no rule or can't be evaluated. Each
    datasource needs ``datasources:query``.
    """
    rule = {"alert": "Preview", **rule}
    problems = rule_problems(rule) or queries_problems(org, rule["queries"])
    if problems:
        raise InvalidFieldsError(problems)
    plan = replace(rule_plan(rule, key="preview"), kind=RuleKind.ALERTING)
    try:
        answer = condition_ask(plan, to_ms(at), org=org, access=access)
    except ConditionError as error:
        raise InvalidFieldsError({"queries": [str(error)]}) from error
    around = Surroundings(
        querier=rule_querier(series_store(), str(getattr(org, "uid", ""))),
        external_url=settings.EXTERNAL_URL,
    )
    held = [one for one in answer.dimensions if one.holds]
    outcome = asked_outcome(plan, replace(answer, dimensions=tuple(held)), around, to_ms(at))
    elements = iter(outcome.elements if isinstance(outcome, Answer) else ())
    rows = tuple(
        PreviewRow(
            labels=one.labels,
            holds=None if one.value is None else one.holds,
            captured=one.captured,
            element=next(elements, None) if one.holds else None,
        )
        for one in answer.dimensions
    )
    return ConditionPreview(at=at, rows=rows[:MOST_SHOWN], total=len(rows), firing=len(held))


def condition_preview_json(preview: ConditionPreview) -> JsonObject:
    """Return a preview for an answer; numbers are text, as NaN is no JSON."""
    return {
        "at": preview.at.isoformat(),
        "total": preview.total,
        "firing": preview.firing,
        "dimensions": [
            {
                "labels": dict(row.labels),
                "state": "no_data" if row.holds is None else "firing" if row.holds else "normal",
                "values": {each.ref_id: each.text for each in row.captured},
                "alert": None
                if row.element is None
                else {
                    "labels": dict(row.element.labels),
                    "annotations": dict(row.element.annotations),
                },
            }
            for row in preview.rows
        ],
    }
