"""Resource kinds of on-call duty, below ``notifications/v1``."""

from typing import Any, ClassVar

from django.db import models

from apps.oncall.api.incidents.serializers import IncidentSpecSerializer
from apps.oncall.api.incidents.views import INCIDENT_SUBRESOURCES
from apps.oncall.api.serializers import (
    CallbackSpecSerializer,
    PolicySpecSerializer,
    ScheduleSpecSerializer,
)
from apps.oncall.api.views import POLICY_SUBRESOURCES, SCHEDULE_SUBRESOURCES
from apps.oncall.models import ChatCallback, EscalationPolicy, Incident, OnCallSchedule
from apps.oncall.services.chat import callback_url, callback_write
from apps.oncall.services.incidents import incident_write
from apps.oncall.services.policies import policy_delete, policy_write
from apps.oncall.services.schedules import ScheduleDraft, schedule_participant, schedule_write
from detectviz.clock import utc_now
from detectviz.resources.registry import ResourceKind, Write, registry


class OnCallScheduleKind(ResourceKind[OnCallSchedule]):
    """Who is on call when: rotations in layers, and overrides."""

    group = "notifications"
    kind = "OnCallSchedule"
    plural = "oncallschedules"
    model = OnCallSchedule
    permission = "oncallschedules"
    spec_serializer = ScheduleSpecSerializer
    subresources = SCHEDULE_SUBRESOURCES
    apply_order: ClassVar[int] = 45

    def to_spec(self, instance: OnCallSchedule) -> dict[str, Any]:
        """Return the spec as written."""
        return {
            "title": instance.title,
            "description": instance.description,
            "time_zone": instance.time_zone,
            "layers": instance.layers,
        }

    def to_status(self, instance: OnCallSchedule) -> dict[str, Any]:
        """Return who is on call now."""
        now = utc_now()
        return {"on_call": schedule_participant(schedule=instance, at=now) or None}

    def write(self, change: Write[OnCallSchedule]) -> OnCallSchedule:
        """Create or update the row."""
        draft = ScheduleDraft(**change.spec)
        return schedule_write(
            org=change.org, name=change.name, draft=draft, instance=change.instance
        )

    def remove(self, instance: OnCallSchedule, *, actor: models.Model | None) -> None:
        """Delete the schedule with its overrides."""
        instance.delete()


class EscalationPolicyKind(ResourceKind[EscalationPolicy]):
    """Who is told, and who next while nobody answers."""

    group = "notifications"
    kind = "EscalationPolicy"
    plural = "escalationpolicies"
    model = EscalationPolicy
    permission = "escalations"
    spec_serializer = PolicySpecSerializer
    subresources = POLICY_SUBRESOURCES
    apply_order: ClassVar[int] = 50

    def to_spec(self, instance: EscalationPolicy) -> dict[str, Any]:
        """Return the spec as written."""
        return {
            "title": instance.title,
            "description": instance.description,
            "steps": instance.steps,
            "repeat": instance.repeat,
        }

    def write(self, change: Write[EscalationPolicy]) -> EscalationPolicy:
        """Create or update the row."""
        return policy_write(
            org=change.org, name=change.name, spec=change.spec, instance=change.instance
        )

    def remove(self, instance: EscalationPolicy, *, actor: models.Model | None) -> None:
        """Delete, unless a route names it."""
        policy_delete(policy=instance)


class ChatCallbackKind(ResourceKind[ChatCallback]):
    """A door through which a chat service tells which button somebody pressed."""

    group = "notifications"
    kind = "ChatCallback"
    plural = "chatcallbacks"
    model = ChatCallback
    permission = "contactpoints"
    spec_serializer = CallbackSpecSerializer
    apply_order: ClassVar[int] = 45

    def to_spec(self, instance: ChatCallback) -> dict[str, Any]:
        """Return the spec, the key masked."""
        return {
            "title": instance.title,
            "service": instance.service,
            "secrets": {"key": {"set": True}},
            "enabled": instance.enabled,
        }

    def to_status(self, instance: ChatCallback) -> dict[str, Any]:
        """Return the address to give to the service."""
        return {"url": callback_url(instance)}

    def write(self, change: Write[ChatCallback]) -> ChatCallback:
        """Create or update the row."""
        return callback_write(
            org=change.org, name=change.name, spec=change.spec, instance=change.instance
        )


class IncidentKind(ResourceKind[Incident]):
    """Something that is wrong: its alerts, roles, status and story."""

    group = "notifications"
    kind = "Incident"
    plural = "incidents"
    model = Incident
    permission = "incidents"
    spec_serializer = IncidentSpecSerializer
    field_selectors: ClassVar[dict[str, str]] = {
        "spec.status": "status",
        "spec.severity": "severity",
    }
    subresources = INCIDENT_SUBRESOURCES
    apply_order: ClassVar[int] = 70

    def to_spec(self, instance: Incident) -> dict[str, Any]:
        """Return what people say of it."""
        return {
            "title": instance.title,
            "summary": instance.summary,
            "severity": instance.severity,
            "status": instance.status,
            "roles": instance.roles,
            "matchers": instance.matchers,
        }

    def to_status(self, instance: Incident) -> dict[str, Any]:
        """Return when it was opened and resolved."""
        return {"opened_at": instance.opened_at, "resolved_at": instance.resolved_at}

    def write(self, change: Write[Incident]) -> Incident:
        """Open or change it."""
        return incident_write(
            org=change.org,
            name=change.name,
            spec=change.spec,
            instance=change.instance,
            actor=change.actor,
            now=utc_now(),
        )


registry.register(IncidentKind())
registry.register(ChatCallbackKind())
registry.register(OnCallScheduleKind())
registry.register(EscalationPolicyKind())
