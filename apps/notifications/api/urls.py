"""Addresses below ``/apis/notifications/v1/`` that are no registered kinds."""

from django.urls import path

from apps.notifications.api.twin.views import RoutingReplayView
from apps.notifications.api.views import (
    DeadLetterReplayView,
    DeliveryListView,
    DeliveryReplayView,
    DeliveryView,
)

app_name = "notifications-api"
urlpatterns = [
    path("orgs/<str:org>/deliveries", DeliveryListView.as_view(), name="deliveries-list"),
    path("orgs/<str:org>/deliveries/<str:name>", DeliveryView.as_view(), name="deliveries-detail"),
    path(
        "orgs/<str:org>/deliveries/<str:name>/replay",
        DeliveryReplayView.as_view(),
        name="deliveries-replay",
    ),
    path(
        "orgs/<str:org>/deadletters/replay",
        DeadLetterReplayView.as_view(),
        name="deadletters-replay",
    ),
    path("orgs/<str:org>/replays", RoutingReplayView.as_view(), name="replays"),
]
