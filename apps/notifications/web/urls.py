"""Addresses of the pages."""

from django.urls import path

from apps.notifications.web.views import contactpoints, receivers, routing

app_name = "notifications"
_POINT = "o/<slug:org>/contact-points/c/<slug:name>"
urlpatterns = [
    path("o/<slug:org>/contact-points", contactpoints.contactpoint_page, name="contactpoint-list"),
    path("o/<slug:org>/contact-points/new", receivers.receiver_types, name="contactpoint-types"),
    path(
        "o/<slug:org>/contact-points/new/<slug:notifier>",
        receivers.contactpoint_create,
        name="contactpoint-create",
    ),
    path(_POINT, contactpoints.contactpoint_detail, name="contactpoint-detail"),
    path(f"{_POINT}/test", contactpoints.contactpoint_test, name="contactpoint-test"),
    path(f"{_POINT}/delete", contactpoints.contactpoint_remove, name="contactpoint-delete"),
    path(f"{_POINT}/add", receivers.receiver_types, name="receiver-types"),
    path(f"{_POINT}/add/<slug:notifier>", receivers.receiver_add, name="receiver-add"),
    path(f"{_POINT}/r/<slug:receiver>", receivers.receiver_edit, name="receiver-edit"),
    path(f"{_POINT}/r/<slug:receiver>/delete", receivers.receiver_remove, name="receiver-delete"),
    path("o/<slug:org>/routing", routing.routing_page, name="routing-tree"),
    path("o/<slug:org>/routing/edit", routing.routing_edit, name="routing-edit"),
    path("o/<slug:org>/routing/explain", routing.routing_explain, name="routing-explain"),
    path("o/<slug:org>/deliveries", routing.delivery_page, name="delivery-list"),
]
