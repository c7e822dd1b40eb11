"""Addresses below ``/apis/notifications/v1/`` that are no registered kinds."""

from django.urls import path

from apps.notifications.api.views import DeliveryListView, DeliveryView

app_name = "notifications-api"
urlpatterns = [
    path("orgs/<str:org>/deliveries", DeliveryListView.as_view(), name="deliveries-list"),
    path("orgs/<str:org>/deliveries/<str:name>", DeliveryView.as_view(), name="deliveries-detail"),
]
