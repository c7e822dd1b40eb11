"""Subresources of incidents."""

from typing import Any

from django.http import HttpResponse
from rest_framework import serializers

from apps.alerting.selectors import alert_names
from apps.oncall.api.incidents.serializers import GatherSerializer, NoteSerializer
from apps.oncall.models import Incident
from apps.oncall.services.incidents import alerts_gather, note_write
from apps.oncall.services.timelines import incident_timeline, post_mortem
from detectviz.clock import utc_now
from detectviz.contracts.types import JsonObject
from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.registry import Subresource
from detectviz.resources.validation import flatten_errors
from detectviz.tenancy.requests import org_access


def timeline(request: Any, org: Any, instance: Incident) -> JsonObject:
    """Answer the whole story, the oldest first."""
    return {"items": [moment.as_json() for moment in incident_timeline(incident=instance)]}


def note(request: Any, org: Any, instance: Incident) -> JsonObject:
    """Add a note."""
    body = _valid(NoteSerializer(data=request.data))
    note_write(incident=instance, text=body["text"], actor=request.user, now=utc_now())
    return timeline(request, org, instance)


def gather(request: Any, org: Any, instance: Incident) -> JsonObject:
    """Add alerts the caller may read."""
    body = _valid(GatherSerializer(data=request.data))
    _, access = org_access(request, str(org))
    found = access.filter(alert_names(org, body["names"]), "alerts:read")
    user = request.user
    return {"added": alerts_gather(incident=instance, alerts=found, actor=user, now=utc_now())}


def markdown(request: Any, org: Any, instance: Incident) -> HttpResponse:
    """Answer the post-mortem as Markdown."""
    return HttpResponse(post_mortem(incident=instance), content_type="text/markdown")


def _valid(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    if not serializer.is_valid():
        problems = flatten_errors(serializer.errors, "")
        raise InvalidFieldsError({key.removeprefix("."): text for key, text in problems.items()})
    return dict(serializer.validated_data)


INCIDENT_SUBRESOURCES = (
    Subresource(
        name="timeline",
        method="GET",
        permission="read",
        handler=timeline,
        summary="The whole story: notes, changes, alerts, what people did, who was told.",
    ),
    Subresource(
        name="post-mortem",
        method="GET",
        permission="read",
        handler=markdown,
        summary="The incident as Markdown, with the places a post-mortem has to fill.",
    ),
    Subresource(
        name="note",
        method="POST",
        permission="update",
        handler=note,
        request=NoteSerializer,
        summary="Add a note.",
    ),
    Subresource(
        name="gather",
        method="POST",
        permission="update",
        handler=gather,
        request=GatherSerializer,
        summary="Have alerts belong to the incident.",
    ),
)
