"""Subresources of rule groups and alerts."""

from collections.abc import Mapping
from typing import Any

from rest_framework.serializers import Serializer

from apps.alerting.api.handling.views import HANDLING_SUBRESOURCES
from apps.alerting.api.serializers import BackfillSerializer, BacktestSerializer, PreviewSerializer
from apps.alerting.models import Alert, RuleGroup
from apps.alerting.selectors import alert_history, rulegroup_plain_list, rulegroup_queryset
from apps.alerting.services.backfills import backfill_json, backfill_record, rules_backfill
from apps.alerting.services.backtest_requests import backtest_of
from apps.alerting.services.backtests import backtest_json
from apps.alerting.services.builtin import builtin_restore
from apps.alerting.services.condition_previews import (
    condition_preview,
    condition_preview_json,
)
from apps.alerting.services.groups import plan_of
from apps.alerting.services.previews import Preview, rule_preview
from apps.alerting.services.quality_requests import window_of, zone_of
from apps.alerting.services.rule_proposals import DEFAULT_WINDOW as PROPOSAL_WINDOW
from apps.alerting.services.rule_proposals import rule_proposal, rule_proposal_json
from apps.alerting.services.rule_quality import rule_quality_json, rule_quality_list
from apps.alerting.services.schedule import slot_offset_ms
from detectviz.clock import utc_now
from detectviz.contracts.durations import parse_duration_s
from detectviz.contracts.types import JsonObject
from detectviz.gotemplate.values import format_float
from detectviz.resources.errors import ForbiddenError, InvalidFieldsError
from detectviz.resources.registry import Subresource
from detectviz.resources.validation import flatten_errors
from detectviz.tenancy.requests import org_access

DEFAULT_SHOWN = "1h"
BACKFILL_TIMEOUT_S = 25.0


def evaluate_preview(request: Any, org: Any, instance: RuleGroup | None) -> JsonObject:
    """Answer what a rule would fire now."""
    body = request.data if isinstance(request.data, Mapping) else {}
    rule = _valid(PreviewSerializer(data=body))
    if rule.get("queries"):
        rule.pop("shown", None)
        _, access = org_access(request, str(org))
        return condition_preview_json(
            condition_preview(org=org, access=access, rule=rule, at=utc_now())
        )
    shown_s = parse_duration_s(rule.pop("shown", DEFAULT_SHOWN))
    return preview_json(rule_preview(tenant=org, rule=rule, at=utc_now(), shown_s=shown_s))


def _valid(serializer: Serializer[Any]) -> dict[str, Any]:
    if not serializer.is_valid():
        raise InvalidFieldsError(
            {
                path.removeprefix("."): text
                for path, text in flatten_errors(serializer.errors, "").items()
            }
        )
    return dict(serializer.validated_data)


def preview_json(preview: Preview) -> JsonObject:
    """Return a preview for an answer; values are text, as NaN is no JSON."""
    return {
        "at": preview.at.isoformat(),
        "total": preview.total,
        "has_data": preview.has_data,
        "alerts": [
            {
                "labels": element.labels,
                "annotations": element.annotations,
                "value": format_float(element.value),
            }
            for element in preview.elements
        ],
        "operator": preview.operator,
        "threshold": preview.threshold,
        "timestamps_ms": list(preview.timestamps_ms),
        "series": [{"labels": line.labels, "values": line.values} for line in preview.lines],
    }


def backtest(request: Any, org: Any, instance: RuleGroup | None) -> JsonObject:
    """Answer when a rule would have fired over the past."""
    _, access = org_access(request, str(org))
    if not access.allows("series:read"):
        raise ForbiddenError("You need the permission series:read for this.")
    body = _valid(BacktestSerializer(data=request.data))
    stored = None
    if "group" in body:
        readable = access.filter(rulegroup_queryset(org), "rulegroups:read")
        stored = readable.filter(name=body["group"]).first()
        if stored is None:
            raise InvalidFieldsError({"group": [f"There is no rule group {body['group']!r}."]})
    return backtest_json(backtest_of(org=org, body=body, group=stored, now=utc_now()))


def backfill(request: Any, org: Any, instance: RuleGroup) -> JsonObject:
    """Run a group's recording rules over the past; answer what was written."""
    _, access = org_access(request, str(org))
    for permission in ("series:read", "series:create"):
        if not access.allows(permission):
            raise ForbiddenError(f"You need the permission {permission} for this.")
    body = _valid(BackfillSerializer(data=request.data))
    now = utc_now()
    found = rules_backfill(
        tenant=org,
        group=plan_of(instance),
        start=body["start"],
        end=min(body.get("end") or now, now),
        slot_offset_ms=slot_offset_ms(instance.uid, instance.interval_ms),
        timeout_s=BACKFILL_TIMEOUT_S,
    )
    backfill_record(org_id=org.pk, name=instance.name, actor_id=request.user.pk, found=found)
    return backfill_json(found)


def restore_builtin(request: Any, org: Any, instance: None) -> JsonObject:
    """Set the built-in group back to how it came."""
    group = builtin_restore(org=org, actor=request.user)
    return {"name": group.name, "resource_version": group.resource_version}


def history(request: Any, org: Any, instance: Alert) -> JsonObject:
    """Answer the transitions of an alert, the newest first."""
    return {
        "items": [
            {
                "at": event.at.isoformat(),
                "previous": event.previous,
                "state": event.state,
                "reason": event.reason or None,
                "value": event.value,
                "annotations": event.annotations,
            }
            for event in alert_history(org, instance.fingerprint)
        ]
    }


def quality(request: Any, org: Any, instance: None) -> JsonObject:
    """Answer how good the alerting rules are: ``?window=30d&tz=Europe/Vienna``."""
    _, access = org_access(request, str(org))
    window = window_of(request.GET)
    rows = rule_quality_list(
        org=org,
        groups=access.filter(rulegroup_plain_list(org), "rulegroups:read"),
        now=utc_now(),
        window=window,
        zone=zone_of(request.GET, default=org.time_zone),
    )
    return {"window_s": window.total_seconds(), "items": rule_quality_json(rows)}


def proposal(request: Any, org: Any, instance: RuleGroup) -> JsonObject:
    """Answer what would make a rule of the group quieter: ``?rule=Name&window=7d``."""
    _, access = org_access(request, str(org))
    if not access.allows("series:read"):
        raise ForbiddenError("You need the permission series:read for this.")
    found = rule_proposal(
        group=instance,
        rule_name=request.GET.get("rule", ""),
        now=utc_now(),
        window=window_of(request.GET, PROPOSAL_WINDOW),
    )
    return rule_proposal_json(found)


RULEGROUP_SUBRESOURCES = (
    Subresource(
        name="quality",
        method="GET",
        permission="read",
        handler=quality,
        summary="How good the alerting rules are: precision, night firings, flapping, noise.",
        is_collection=True,
    ),
    Subresource(
        name="proposal",
        method="GET",
        permission="read",
        handler=proposal,
        summary="What another `for` or threshold would have made of the past of a rule.",
    ),
    Subresource(
        name="backfill",
        method="POST",
        permission="update",
        handler=backfill,
        request=BackfillSerializer,
        summary="Write what a group's recording rules would have recorded over the past.",
    ),
    Subresource(
        name="evaluate-preview",
        method="POST",
        permission="read",
        handler=evaluate_preview,
        request=PreviewSerializer,
        summary="What a rule would fire now, changing nothing.",
        is_collection=True,
    ),
    Subresource(
        name="backtest",
        method="POST",
        permission="read",
        handler=backtest,
        request=BacktestSerializer,
        summary="When a rule would have fired over the past, changing nothing.",
        is_collection=True,
    ),
    Subresource(
        name="restore-builtin",
        method="POST",
        permission="create",
        handler=restore_builtin,
        summary="Set the built-in group back to how it came.",
        is_collection=True,
    ),
)
ALERT_SUBRESOURCES = (
    *HANDLING_SUBRESOURCES,
    Subresource(
        name="history",
        method="GET",
        permission="read",
        handler=history,
        summary="The transitions of an alert, the newest first.",
    ),
)
