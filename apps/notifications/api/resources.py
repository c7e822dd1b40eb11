"""Resource kinds of notifications/v1."""

from dataclasses import asdict
from typing import Any, ClassVar

from django.db import models
from rest_framework import serializers

from apps.extensions.services import secrets_masked
from apps.notifications.api.serializers import (
    ContactPointSpec,
    NotificationTemplateSpec,
    RouteExplainSerializer,
    RouteSerializer,
    TemplatePreviewSerializer,
    TrialSerializer,
)
from apps.notifications.api.suppression.resources import (
    InhibitionRuleKind,
    SilenceKind,
    TimeIntervalKind,
)
from apps.notifications.api.watchdog.resources import WatchdogKind
from apps.notifications.models import ContactPoint, NotificationTemplate, RoutingTree
from apps.notifications.services.alertmanager.documents import alertmanager_file_to_manifests
from apps.notifications.services.alertmanager.export import alertmanager_export
from apps.notifications.services.bootstrap import TREE_NAME
from apps.notifications.services.configuration import (
    RELIABILITY,
    contact_point_delete,
    contact_point_write,
    receiver_secrets,
    routing_tree_write,
)
from apps.notifications.services.endpoint_states import endpoints_of
from apps.notifications.services.explanations import routes_explain
from apps.notifications.services.grafana.documents import grafana_file_read
from apps.notifications.services.grafana.export import PERMISSIONS as GRAFANA_PERMISSIONS
from apps.notifications.services.grafana.export import grafana_export
from apps.notifications.services.previews import template_preview
from apps.notifications.services.route_times import moment_asked
from apps.notifications.services.samples import notification_sample
from apps.notifications.services.templates import template_write
from apps.notifications.services.trials import contact_point_try
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.resources.formats import Format, register_format
from detectviz.resources.registry import ResourceKind, Subresource, Write, registry
from detectviz.tenancy.requests import org_access


def _try(request: Any, org: Any, instance: ContactPoint) -> JsonObject:
    body = TrialSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    results = contact_point_try(point=instance, **body.validated_data)
    return {"results": [asdict(result) for result in results]}


def _preview(request: Any, org: Any, instance: None) -> JsonObject:
    body = TemplatePreviewSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    _, access = org_access(request, str(org))
    for field, permission in (("delivery", "deliveries:read"), ("alert", "alerts:read")):
        if body.validated_data[field]:
            access.require(permission)
    return {"previews": [asdict(each) for each in template_preview(org=org, **body.validated_data)]}


def _explain(request: Any, org: Any, instance: RoutingTree) -> JsonObject:
    body = RouteExplainSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    asked, now = body.validated_data, utc_now()
    asked["at"] = moment_asked(asked["at"], asked["location"], now)
    _, access = org_access(request, str(org))
    is_named = access.allows("alerts:read")
    routes = routes_explain(org=org, now=now, is_named=is_named, **asked)
    return {
        "at": asked["at"].isoformat(),
        "told": any(each.is_told for each in routes),
        "routes": [each.as_json() for each in routes],
    }


class ContactPointKind(ResourceKind[ContactPoint]):
    """Receivers that are told together."""

    group = "notifications"
    kind = "ContactPoint"
    plural = "contactpoints"
    model = ContactPoint
    permission = "contactpoints"
    spec_serializer = ContactPointSpec
    apply_order = 40
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="test",
            method="POST",
            permission="test",
            handler=_try,
            request=TrialSerializer,
            summary="Send a sample alert through every receiver now.",
        ),
    )

    def to_spec(self, instance: ContactPoint) -> dict[str, Any]:
        """Return receivers with their secrets masked."""
        return {
            "title": instance.title,
            "receivers": [
                {
                    **receiver,
                    "secrets": secrets_masked(
                        kind=PluginKind.NOTIFIER,
                        name=receiver["notifier"],
                        secrets=receiver_secrets(receiver["name"], instance.secrets),
                    ),
                }
                for receiver in instance.receivers
            ],
            "fallback": instance.fallback,
            "fallback_after": format_duration(instance.fallback_after_ms / 1000),
            "give_up_after": format_duration(instance.give_up_after_ms / 1000),
        }

    def to_status(self, instance: ContactPoint) -> dict[str, Any]:
        """Return the state of each receiver's endpoint."""
        return {"endpoints": endpoints_of(point=instance)}

    def write(self, change: Write[ContactPoint]) -> ContactPoint:
        """Check every receiver by its plugin's schema and store it."""
        return contact_point_write(
            org=change.org,
            name=change.name,
            title=change.spec["title"],
            receivers=change.spec["receivers"],
            instance=change.instance,
            reliability={name: change.spec[name] for name in RELIABILITY},
        )

    def remove(self, instance: ContactPoint, *, actor: models.Model | None) -> None:
        """Delete, unless a route names it."""
        contact_point_delete(point=instance)


class NotificationTemplateKind(ResourceKind[NotificationTemplate]):
    """Named Go templates for what notifications say."""

    group = "notifications"
    kind = "NotificationTemplate"
    plural = "notificationtemplates"
    model = NotificationTemplate
    permission = "notificationtemplates"
    spec_serializer = NotificationTemplateSpec
    apply_order = 38
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="preview",
            method="POST",
            permission="read",
            handler=_preview,
            request=TemplatePreviewSerializer,
            summary="Show what a template prints for a sample, a stored alert or a past delivery.",
            is_collection=True,
        ),
    )

    def to_spec(self, instance: NotificationTemplate) -> dict[str, Any]:
        """Return the template as written."""
        return {
            "title": instance.title,
            "template": instance.template,
            "sample": instance.sample,
        }

    def write(self, change: Write[NotificationTemplate]) -> NotificationTemplate:
        """Check that it can be read and that its names are its own, and store it."""
        if change.spec["sample"]:
            notification_sample(org=change.org, payload=change.spec["sample"])
        return template_write(
            org=change.org,
            name=change.name,
            title=change.spec["title"],
            template=change.spec["template"],
            sample=change.spec["sample"],
            instance=change.instance,
        )


class RoutingTreeKind(ResourceKind[RoutingTree]):
    """Which alerts go where. One per org."""

    group = "notifications"
    kind = "RoutingTree"
    plural = "routingtrees"
    model = RoutingTree
    permission = "routingtrees"
    spec_serializer: ClassVar[type[serializers.Serializer[Any]]] = RouteSerializer
    verbs = frozenset({"list", "get", "create", "update"})
    singleton_name = TREE_NAME
    apply_order = 60
    subresources: ClassVar[tuple[Subresource, ...]] = (
        Subresource(
            name="explain",
            method="POST",
            permission="read",
            handler=_explain,
            request=RouteExplainSerializer,
            summary="Which routes an alert with these labels would take, and whether it is told.",
        ),
    )

    def to_spec(self, instance: RoutingTree) -> dict[str, Any]:
        """Return the tree as written."""
        return dict(instance.root)

    def write(self, change: Write[RoutingTree]) -> RoutingTree:
        """Check references and store the tree."""
        return routing_tree_write(
            org=change.org, name=change.name, root=change.spec, instance=change.instance
        )


registry.register(ContactPointKind())
registry.register(NotificationTemplateKind())
registry.register(RoutingTreeKind())
registry.register(SilenceKind())
registry.register(InhibitionRuleKind())
registry.register(TimeIntervalKind())
registry.register(WatchdogKind())
register_format(
    Format(
        name="alertmanager",
        title="Alertmanager configuration",
        filename="alertmanager.yml",
        read=lambda document, _: alertmanager_file_to_manifests(document),
        write=lambda org: alertmanager_export(org=org),
        permissions=("routingtrees:read", "contactpoints:read"),
    )
)
register_format(
    Format(
        name="grafana",
        title="Grafana alerting file",
        filename="grafana-alerting.yaml",
        read=grafana_file_read,
        write=lambda org: grafana_export(org=org),
        permissions=GRAFANA_PERMISSIONS,
    )
)
