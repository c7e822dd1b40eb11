"""Addresses of the pages."""

from django.urls import path

from apps.notifications.web.views import (
    contact_points,
    deliveries,
    inhibition,
    intervals,
    point_form,
    replays,
    routing,
    silence_form,
    silence_previews,
    silences,
    suppressions,
    templates,
    watchdogs,
)

app_name = "notifications"
urlpatterns = [
    path(
        "o/<slug:org>/contact-points", contact_points.contact_point_list, name="contactpoint-list"
    ),
    path(
        "o/<slug:org>/contact-points/new",
        point_form.contact_point_types,
        name="contactpoint-types",
    ),
    path(
        "o/<slug:org>/contact-points/new/<slug:notifier>",
        point_form.contact_point_create,
        name="contactpoint-create",
    ),
    path("o/<slug:org>/contact-points/receiver", point_form.receiver_new, name="receiver-new"),
    path(
        "o/<slug:org>/contact-points/c/<slug:name>",
        contact_points.contact_point_detail,
        name="contactpoint-detail",
    ),
    path(
        "o/<slug:org>/contact-points/c/<slug:name>/edit",
        point_form.contact_point_edit,
        name="contactpoint-edit",
    ),
    path(
        "o/<slug:org>/contact-points/c/<slug:name>/test",
        contact_points.contact_point_test,
        name="contactpoint-test",
    ),
    path(
        "o/<slug:org>/contact-points/c/<slug:name>/delete",
        contact_points.contact_point_delete,
        name="contactpoint-delete",
    ),
    path("o/<slug:org>/routing", routing.routing_tree, name="routing-tree"),
    path("o/<slug:org>/routing/replay", replays.routing_replay, name="routing-replay"),
    path("o/<slug:org>/routing/yaml", routing.routing_yaml, name="routing-yaml"),
    path("o/<slug:org>/routing/add/<slug:at>", routing.route_add, name="route-add"),
    path("o/<slug:org>/routing/edit/<slug:at>", routing.route_edit, name="route-edit"),
    path("o/<slug:org>/routing/move/<slug:at>", routing.route_move, name="route-move"),
    path("o/<slug:org>/routing/delete/<slug:at>", routing.route_delete, name="route-delete"),
    path("o/<slug:org>/inhibition", inhibition.inhibition_list, name="inhibitionrule-list"),
    path("o/<slug:org>/inhibition/new", inhibition.inhibition_new, name="inhibitionrule-create"),
    path(
        "o/<slug:org>/inhibition/preview",
        inhibition.inhibition_preview,
        name="inhibitionrule-preview",
    ),
    path(
        "o/<slug:org>/inhibition/r/<slug:name>",
        inhibition.inhibition_detail,
        name="inhibitionrule-detail",
    ),
    path(
        "o/<slug:org>/inhibition/r/<slug:name>/edit",
        inhibition.inhibition_edit,
        name="inhibitionrule-edit",
    ),
    path(
        "o/<slug:org>/inhibition/r/<slug:name>/delete",
        inhibition.inhibition_delete,
        name="inhibitionrule-delete",
    ),
    path("o/<slug:org>/times", intervals.interval_list, name="timeinterval-list"),
    path("o/<slug:org>/times/new", intervals.interval_new, name="timeinterval-create"),
    path("o/<slug:org>/times/preview", intervals.interval_preview, name="timeinterval-preview"),
    path("o/<slug:org>/times/t/<slug:name>", intervals.interval_detail, name="timeinterval-detail"),
    path(
        "o/<slug:org>/times/t/<slug:name>/edit", intervals.interval_edit, name="timeinterval-edit"
    ),
    path(
        "o/<slug:org>/times/t/<slug:name>/delete",
        intervals.interval_delete,
        name="timeinterval-delete",
    ),
    path("o/<slug:org>/deliveries", deliveries.delivery_list, name="delivery-list"),
    path(
        "o/<slug:org>/deliveries/d/<slug:uid>", deliveries.delivery_detail, name="delivery-detail"
    ),
    path(
        "o/<slug:org>/deliveries/d/<slug:uid>/replay",
        deliveries.delivery_replay,
        name="delivery-replay",
    ),
    path(
        "o/<slug:org>/deliveries/replay",
        deliveries.delivery_replay_many,
        name="delivery-replay-many",
    ),
    path("o/<slug:org>/message-templates", templates.template_list, name="template-list"),
    path("o/<slug:org>/message-templates/new", templates.template_create, name="template-create"),
    path(
        "o/<slug:org>/message-templates/preview",
        templates.template_previewed,
        name="template-preview",
    ),
    path(
        "o/<slug:org>/message-templates/t/<slug:name>",
        templates.template_edit,
        name="template-edit",
    ),
    path(
        "o/<slug:org>/message-templates/t/<slug:name>/delete",
        templates.template_delete,
        name="template-delete",
    ),
    path(
        "o/<slug:org>/deliveries/for/<slug:fingerprint>/",
        deliveries.delivery_for,
        name="delivery-for",
    ),
    path("o/<slug:org>/suppressions", suppressions.suppression_list, name="suppression-list"),
    path(
        "o/<slug:org>/suppressions/for/<slug:fingerprint>/",
        suppressions.suppression_for,
        name="suppression-for",
    ),
    path("o/<slug:org>/silences", silences.silence_page, name="silence-list"),
    path("o/<slug:org>/silences/new", silence_form.silence_create, name="silence-create"),
    path("o/<slug:org>/silences/preview", silence_previews.silence_preview, name="silence-preview"),
    path("o/<slug:org>/silences/values", silence_form.silence_values, name="silence-values"),
    path("o/<slug:org>/silences/s/<slug:name>", silences.silence_detail, name="silence-detail"),
    path(
        "o/<slug:org>/silences/s/<slug:name>/edit", silence_form.silence_edit, name="silence-edit"
    ),
    path("o/<slug:org>/silences/s/<slug:name>/expire", silences.silence_end, name="silence-expire"),
    path(
        "o/<slug:org>/silences/s/<slug:name>/extend", silences.silence_extend, name="silence-extend"
    ),
    path("o/<slug:org>/watchdogs", watchdogs.watchdog_page, name="watchdog-list"),
    path("o/<slug:org>/watchdogs/new", watchdogs.watchdog_create, name="watchdog-create"),
    path("o/<slug:org>/watchdogs/preview", watchdogs.watchdog_preview, name="watchdog-preview"),
    path("o/<slug:org>/watchdogs/w/<slug:name>", watchdogs.watchdog_detail, name="watchdog-detail"),
    path(
        "o/<slug:org>/watchdogs/w/<slug:name>/edit", watchdogs.watchdog_edit, name="watchdog-edit"
    ),
    path(
        "o/<slug:org>/watchdogs/w/<slug:name>/delete",
        watchdogs.watchdog_delete,
        name="watchdog-delete",
    ),
]
