"""Resource kinds of notifications/v1."""

from dataclasses import asdict
from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest
from rest_framework import serializers

from apps.extensions.services import secrets_masked
from apps.notifications.api.serializers import (
    ContactPointSpec,
    RouteExplainSerializer,
    RouteSerializer,
)
from apps.notifications.models import ContactPoint, RoutingTree
from apps.notifications.services.alertmanager.documents import alertmanager_file_to_manifests
from apps.notifications.services.bootstrap import TREE_NAME
from apps.notifications.services.configuration import (
    contact_point_delete,
    contact_point_write,
    receiver_secrets,
    routing_tree_write,
)
from apps.notifications.services.trials import contact_point_try, routes_explain
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.resources.manifests import register_converter
from detectviz.resources.registry import ResourceKind, Subresource, Write, registry


def _try(request: HttpRequest, org: Any, instance: ContactPoint) -> JsonObject:
    return {"results": [asdict(result) for result in contact_point_try(point=instance)]}


def _explain(request: Any, org: Any, instance: RoutingTree) -> JsonObject:
    body = RouteExplainSerializer(data=request.data)
    body.is_valid(raise_exception=True)
    return {"routes": routes_explain(org=org, labels=body.validated_data["labels"])}


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
        }

    def write(self, change: Write[ContactPoint]) -> ContactPoint:
        """Check every receiver by its plugin's schema and store it."""
        return contact_point_write(
            org=change.org,
            name=change.name,
            title=change.spec["title"],
            receivers=change.spec["receivers"],
            instance=change.instance,
        )

    def remove(self, instance: ContactPoint, *, actor: models.Model | None) -> None:
        """Delete, unless a route names it."""
        contact_point_delete(point=instance)


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
            summary="Say which routes an alert with these labels would take.",
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
registry.register(RoutingTreeKind())
register_converter(alertmanager_file_to_manifests)
