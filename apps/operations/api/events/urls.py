"""Addresses of dead letters, below ``/apis/core/v1/``."""

from django.urls import path

from apps.operations.api.events.views import (
    DeadLetterActionView,
    DeadLetterListView,
    DeadLetterView,
)

_ONE = "orgs/<str:org>/deadletters/<str:name>"

app_name = "events-api"
urlpatterns = [
    path("orgs/<str:org>/deadletters", DeadLetterListView.as_view(), name="deadletters-list"),
    path(_ONE, DeadLetterView.as_view(), name="deadletters-detail"),
    path(
        f"{_ONE}/replay",
        DeadLetterActionView.as_view(verb="replay"),
        name="deadletters-replay",
    ),
    path(
        f"{_ONE}/discard",
        DeadLetterActionView.as_view(verb="discard"),
        name="deadletters-discard",
    ),
]
