"""Addresses below ``/apis/alerting/v1/`` of the suppression ledger."""

from django.urls import path

from apps.notifications.api.suppression.views import AlertSuppressionsView, SuppressionListView

app_name = "suppression-api"
urlpatterns = [
    path("orgs/<str:org>/suppressions", SuppressionListView.as_view(), name="list"),
    path(
        "orgs/<str:org>/alerts/<str:name>/suppressions",
        AlertSuppressionsView.as_view(),
        name="alert",
    ),
]
