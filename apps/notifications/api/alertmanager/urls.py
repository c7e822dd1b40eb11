"""Addresses of Alertmanager's API, below ``/orgs/``."""

from django.urls import path

from apps.notifications.api.alertmanager.views import (
    AlertGroupsView,
    AlertsView,
    GoneView,
    HealthView,
    ReceiversView,
    StatusView,
)
from apps.notifications.api.alertmanager_silences.views import SilencesView, SilenceView

app_name = "alertmanager"
_DOOR = "<str:org>/alertmanager"
_API = f"{_DOOR}/api/v2"
urlpatterns = [
    path(f"{_API}/status", StatusView.as_view(), name="status"),
    path(f"{_API}/receivers", ReceiversView.as_view(), name="receivers"),
    path(f"{_API}/alerts", AlertsView.as_view(), name="alerts"),
    path(f"{_API}/alerts/groups", AlertGroupsView.as_view(), name="alert-groups"),
    path(f"{_API}/silences", SilencesView.as_view(), name="silences"),
    path(f"{_API}/silence/<str:uuid>", SilenceView.as_view(), name="silence"),
    path(f"{_DOOR}/-/healthy", HealthView.as_view(), name="healthy"),
    path(f"{_DOOR}/-/ready", HealthView.as_view(), name="ready"),
    path(f"{_DOOR}/api/v1/<path:path>", GoneView.as_view(), name="gone"),
]
