"""Addresses below ``/apis/oncall/v1/``: what is the caller's own."""

from django.urls import path

from apps.oncall.api.me.views import (
    ContactMethodListView,
    ContactMethodVerifyView,
    ContactMethodView,
    PreferenceView,
)

app_name = "me-api"
urlpatterns = [
    path(
        "orgs/<str:org>/me/contactmethods",
        ContactMethodListView.as_view(),
        name="contactmethods-list",
    ),
    path(
        "orgs/<str:org>/me/contactmethods/<str:name>",
        ContactMethodView.as_view(),
        name="contactmethods-detail",
    ),
    path(
        "orgs/<str:org>/me/contactmethods/<str:name>/verify",
        ContactMethodVerifyView.as_view(),
        name="contactmethods-verify",
    ),
    path("orgs/<str:org>/me/preferences", PreferenceView.as_view(), name="preferences"),
]
