"""Resource kinds of alerting/v1 that notifications obey: Silence, InhibitionRule, TimeInterval."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest

from apps.notifications.api.suppression.serializers import (
    InhibitionRuleSpec,
    MatcherSetsSerializer,
    SilenceSpec,
    TimeIntervalSpec,
)
from apps.notifications.models import InhibitionRule, Silence, TimeInterval
from apps.notifications.services.blast_radius import blast_radius
from apps.notifications.services.inhibition import (
    Inhibition,
    inhibition_of,
    inhibition_read,
    inhibition_rule_write,
)
from apps.notifications.services.inhibition_look import InhibitionGlass
from apps.notifications.services.interval_spans import next_edges
from apps.notifications.services.recurrence import muting_until
from apps.notifications.services.silences import (
    SilenceDraft,
    silence_delete,
    silence_expire,
    silence_state,
    silence_write,
)
from apps.notifications.services.time_intervals import (
    interval_of,
    time_interval_delete,
    time_interval_write,
)
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration, parse_duration_ms
from detectviz.contracts.types import JsonObject
from detectviz.resources.registry import ResourceKind, Subresource, Write
from detectviz.tenancy.requests import org_access


def _sets(spec: Mapping[str, Any]) -> list[list[str]]:
    return [spec["matchers"]] if "matchers" in spec else list(spec["matcher_sets"])


def _expire(request: HttpRequest, org: Any, instance: Silence) -> JsonObject:
    silence = silence_expire(silence=instance, now=utc_now())
    return {"name": silence.name, "state": silence_state(silence, utc_now()).value}


def _preview(request: Any, org: Any, instance: None) -> JsonObject:
    body = MatcherSetsSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    asked = body.validated_data
    _, access = org_access(request, org.name)
    found = blast_radius(
        org=org,
        access=access,
        matcher_sets=_sets(asked),
        days=asked["days"],
        folder=asked["folder"],
        now=utc_now(),
    )
    return asdict(found)


class SilenceKind(ResourceKind[Silence]):
    """Keeps notifications about matching alerts back for a while."""

    group = "alerting"
    kind = "Silence"
    plural = "silences"
    model = Silence
    permission = "silences"
    spec_serializer = SilenceSpec
    search_fields = ("name", "title", "comment", "created_by")
    apply_order = 62
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="expire",
            method="POST",
            permission="update",
            handler=_expire,
            summary="End a silence now; it is kept for five days.",
            is_act=True,
        ),
        Subresource(
            name="preview",
            method="POST",
            permission="read",
            handler=_preview,
            request=MatcherSetsSerializer,
            summary="What matchers would mute now, and would have muted in the last days.",
            is_collection=True,
        ),
    )

    def to_spec(self, instance: Silence) -> dict[str, Any]:
        """Return the spec, matchers as Alertmanager prints them."""
        sets = instance.matcher_sets
        spec: dict[str, Any] = {
            "title": instance.title,
            **({"matchers": sets[0]} if len(sets) == 1 else {"matcher_sets": sets}),
            "starts_at": instance.starts_at.isoformat(),
            "ends_at": instance.ends_at.isoformat(),
            "comment": instance.comment,
            "created_by": instance.created_by,
            "annotations": instance.annotations,
        }
        if instance.rrule:
            spec["recurrence"] = {
                "rrule": instance.rrule,
                "duration": format_duration(instance.duration_ms / 1000),
                "location": instance.location,
            }
        if instance.remind_before_ms:
            spec["remind_before"] = format_duration(instance.remind_before_ms / 1000)
        return spec

    def to_status(self, instance: Silence) -> dict[str, Any]:
        """Return where the silence is in its life, and until when it mutes now."""
        now = utc_now()
        return {
            "state": silence_state(instance, now).value,
            "muting_until": muting_until(instance, now),
        }

    def write(self, change: Write[Silence]) -> Silence:
        """Create or change it by Alertmanager's rules of editing."""
        spec = change.spec
        recurrence = spec.get("recurrence", {})
        draft = SilenceDraft(
            matcher_sets=_sets(spec),
            starts_at=spec.get("starts_at"),
            ends_at=spec["ends_at"],
            title=spec["title"],
            comment=spec["comment"],
            created_by=spec["created_by"],
            annotations=spec["annotations"],
            rrule=recurrence.get("rrule", ""),
            duration_ms=parse_duration_ms(recurrence["duration"]) if recurrence else 0,
            location=recurrence.get("location", "UTC"),
            remind_before_ms=parse_duration_ms(spec.get("remind_before", "0s")),
            folder=change.folder,
        )
        return silence_write(
            org=change.org,
            name=change.name,
            draft=draft,
            instance=change.instance,
            actor=change.actor,
            now=utc_now(),
        )

    def remove(self, instance: Silence, *, actor: models.Model | None) -> None:
        """Take it away; what it mutes is told again."""
        silence_delete(silence=instance, now=utc_now())


def _inhibition_preview(request: Any, org: Any, instance: None) -> JsonObject:
    body = InhibitionRuleSpec(data=request.data)
    body.is_valid(raise_exception=True)
    return _suppressed(request, org, inhibition_read(name="", spec=body.validated_data))


def _inhibition_suppressed(request: Any, org: Any, instance: InhibitionRule) -> JsonObject:
    return _suppressed(request, org, inhibition_of(instance))


def _suppressed(request: Any, org: Any, rule: Inhibition) -> JsonObject:
    _, access = org_access(request, org.name)
    return asdict(InhibitionGlass(org=org, access=access, now=utc_now()).look(rule))


class InhibitionRuleKind(ResourceKind[InhibitionRule]):
    """Mutes alerts while another one is firing."""

    group = "alerting"
    kind = "InhibitionRule"
    plural = "inhibitionrules"
    model = InhibitionRule
    permission = "inhibitionrules"
    spec_serializer = InhibitionRuleSpec
    apply_order = 61
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="suppressed",
            method="GET",
            permission="read",
            handler=_inhibition_suppressed,
            summary="What the rule suppresses now, by its sources, and what matches both sides.",
        ),
        Subresource(
            name="preview",
            method="POST",
            permission="read",
            handler=_inhibition_preview,
            request=InhibitionRuleSpec,
            summary="What a rule would suppress now.",
            is_collection=True,
        ),
    )

    def to_spec(self, instance: InhibitionRule) -> dict[str, Any]:
        """Return the spec."""
        return {
            "title": instance.title,
            "source_matchers": instance.source_matchers,
            "target_matchers": instance.target_matchers,
            "equal": instance.equal,
            "enabled": instance.is_enabled,
        }

    def write(self, change: Write[InhibitionRule]) -> InhibitionRule:
        """Create or update the rule; it holds from the next flush on."""
        return inhibition_rule_write(
            org=change.org, name=change.name, spec=change.spec, instance=change.instance
        )


class TimeIntervalKind(ResourceKind[TimeInterval]):
    """Times by name, at which routes are muted or active."""

    group = "alerting"
    kind = "TimeInterval"
    plural = "timeintervals"
    model = TimeInterval
    permission = "timeintervals"
    spec_serializer = TimeIntervalSpec
    apply_order = 45

    def to_spec(self, instance: TimeInterval) -> dict[str, Any]:
        """Return the spec as written."""
        return {"title": instance.title, "time_intervals": instance.intervals}

    def to_status(self, instance: TimeInterval) -> dict[str, Any]:
        """Return whether the times are on, and when that next changes."""
        now = utc_now()
        intervals = [interval_of(each) for each in instance.intervals]
        edges = next_edges(intervals, now, count=1)
        return {
            "is_on": any(each.contains(now) for each in intervals),
            "changes_at": edges[0].at if edges else None,
        }

    def write(self, change: Write[TimeInterval]) -> TimeInterval:
        """Create or update the times."""
        return time_interval_write(
            org=change.org,
            name=change.name,
            title=change.spec["title"],
            intervals=change.spec["time_intervals"],
            instance=change.instance,
        )

    def remove(self, instance: TimeInterval, *, actor: models.Model | None) -> None:
        """Delete, unless a route names it."""
        time_interval_delete(interval=instance)
