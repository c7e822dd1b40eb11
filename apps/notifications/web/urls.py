"""Addresses of the pages."""

from django.urls import path

<<<<<<< HEAD
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
=======
from apps.notifications.web.views import contact_points, deliveries, point_form, routing

app_name = "notifications"
urlpatterns = [
    path(
        "o/<slug:org>/contact-points", contact_points.contact_point_list, name="contact-point-list"
    ),
    path(
        "o/<slug:org>/contact-points/new",
        point_form.contact_point_types,
        name="contact-point-types",
    ),
    path(
        "o/<slug:org>/contact-points/new/<slug:notifier>",
        point_form.contact_point_create,
        name="contact-point-create",
    ),
    path("o/<slug:org>/contact-points/receiver", point_form.receiver_new, name="receiver-new"),
    path(
        "o/<slug:org>/contact-points/p/<slug:name>",
        contact_points.contact_point_detail,
        name="contact-point-detail",
    ),
    path(
        "o/<slug:org>/contact-points/p/<slug:name>/edit",
        point_form.contact_point_edit,
        name="contact-point-edit",
    ),
    path(
        "o/<slug:org>/contact-points/p/<slug:name>/test",
        contact_points.contact_point_test,
        name="contact-point-test",
    ),
    path(
        "o/<slug:org>/contact-points/p/<slug:name>/delete",
        contact_points.contact_point_delete,
        name="contact-point-delete",
    ),
    path("o/<slug:org>/routing", routing.routing_tree, name="routing-tree"),
    path("o/<slug:org>/routing/yaml", routing.routing_yaml, name="routing-yaml"),
    path("o/<slug:org>/routing/add/<slug:at>", routing.route_add, name="route-add"),
    path("o/<slug:org>/routing/edit/<slug:at>", routing.route_edit, name="route-edit"),
    path("o/<slug:org>/routing/move/<slug:at>", routing.route_move, name="route-move"),
    path("o/<slug:org>/routing/delete/<slug:at>", routing.route_delete, name="route-delete"),
    path("o/<slug:org>/deliveries", deliveries.delivery_list, name="delivery-list"),
    path(
        "o/<slug:org>/deliveries/d/<slug:uid>", deliveries.delivery_detail, name="delivery-detail"
    ),
    path(
        "o/<slug:org>/deliveries/for/<slug:fingerprint>/",
        deliveries.delivery_for,
        name="delivery-for",
    ),
>>>>>>> 5e765e8 (Show who is told: contact points, the routing tree, the delivery log)
]
