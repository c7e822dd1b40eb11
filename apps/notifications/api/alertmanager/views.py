"""Status, receivers, alerts and groups of Alertmanager's API v2."""

from dataclasses import replace
from typing import ClassVar

from django.http import HttpRequest, HttpResponse

from apps.notifications.api.alertmanager.filters import (
    AlertFilter,
    receiver_matchers_of,
    receiver_matches,
)
from apps.notifications.api.alertmanager.serializers import (
    alerts_json,
    alerts_of,
    groups_json,
    status_json,
)
from apps.notifications.selectors import contact_point_list
from apps.notifications.services.alertmanager.export import alertmanager_yaml
from apps.notifications.services.alertmanager.listing import (
    ListedAlert,
    alerts_listed,
    groups_listed,
)
from apps.notifications.services.foreign_alerts import foreign_alerts_accept
from detectviz.clock import utc_now
from detectviz.doors.alertmanager import AlertmanagerView, AnswerError, json_answer
from detectviz.observability.context import current_context

_GONE = {
    "status": "deprecated",
    "error": "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version"
    " 0.27.0 - please use the equivalent route in the v2 API",
}


class StatusView(AlertmanagerView):
    """``api/v2/status``."""

    permissions: ClassVar[dict[str, str]] = {"GET": "routingtrees:read"}

    def get(self, request: HttpRequest) -> HttpResponse:
        """Tell the version and the configuration, secrets hidden."""
        return json_answer(status_json(alertmanager_yaml(org=self.org)))


class ReceiversView(AlertmanagerView):
    """``api/v2/receivers``."""

    permissions: ClassVar[dict[str, str]] = {"GET": "contactpoints:read"}

    def get(self, request: HttpRequest) -> HttpResponse:
        """List the contact points."""
        matchers = receiver_matchers_of(request.GET)
        names = contact_point_list(org=self.org).values_list("name", flat=True)
        return json_answer(
            [
                {"labels": {"name": name}, "name": name}
                for name in names
                if receiver_matches(matchers, name)
            ]
        )


class AlertsView(AlertmanagerView):
    """``api/v2/alerts``."""

    permissions: ClassVar[dict[str, str]] = {"GET": "alerts:read", "POST": "alerts:create"}

    def get(self, request: HttpRequest) -> HttpResponse:
        """List what is active."""
        wanted = AlertFilter.of(request)
        found = alerts_listed(
            org=self.org,
            now=utc_now(),
            wants=wanted.wants_labels if wanted.matchers else None,
        )
        shown = [
            alert
            for alert in found
            if _has_state(wanted, alert) and wanted.wants_receivers(alert.receivers)
        ]
        return HttpResponse(alerts_json(shown), content_type="application/json")

    def post(self, request: HttpRequest) -> HttpResponse:
        """Take alerts; the valid ones even where others are refused."""
        taken = foreign_alerts_accept(
            org_id=self.org.pk,
            alerts=alerts_of(request.body),
            sender=current_context().actor.name,
            now=utc_now(),
        )
        if taken.errors:
            raise AnswerError(400, "\n".join(taken.errors))
        return json_answer(None)


class AlertGroupsView(AlertmanagerView):
    """``api/v2/alerts/groups``."""

    permissions: ClassVar[dict[str, str]] = {"GET": "alerts:read"}

    def get(self, request: HttpRequest) -> HttpResponse:
        """List what is active as it is told together."""
        wanted = AlertFilter.of(request)
        found = groups_listed(
            org=self.org,
            now=utc_now(),
            wants=wanted.wants_labels if wanted.matchers else None,
        )
        shown = [
            replace(group, alerts=[each for each in group.alerts if _has_state(wanted, each)])
            for group in found
            if wanted.wants_receiver(group.receiver) and (wanted.muted or not group.muted_by)
        ]
        body = groups_json(group for group in shown if group.alerts)
        return HttpResponse(body, content_type="application/json")


class HealthView(AlertmanagerView):
    """``-/healthy`` and ``-/ready``."""

    permissions: ClassVar[dict[str, str]] = {"GET": ""}

    def get(self, request: HttpRequest) -> HttpResponse:
        """Answer a member."""
        return HttpResponse("OK", content_type="text/plain")


class GoneView(AlertmanagerView):
    """``api/v1``, which Alertmanager removed."""

    permissions: ClassVar[dict[str, str]] = {"GET": "", "POST": "", "DELETE": ""}

    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Say what to use instead."""
        return json_answer(_GONE, status=410)

    post = delete = get


def _has_state(wanted: AlertFilter, alert: ListedAlert) -> bool:
    status = alert.status
    if not wanted.active and not status.is_suppressed:
        return False
    if not wanted.silenced and status.silenced_by:
        return False
    return wanted.inhibited or not status.inhibited_by
