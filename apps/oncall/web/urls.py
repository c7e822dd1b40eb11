"""Addresses of the pages."""

from django.urls import path

from apps.oncall.web.views import (
    callbacks,
    incident_alerts,
    incidents,
    policies,
    preferences,
    push,
    schedules,
)

app_name = "oncall"
urlpatterns = [
    path("o/<slug:org>/incidents", incidents.incident_page, name="incident-list"),
    path("o/<slug:org>/incidents/new", incidents.incident_create, name="incident-create"),
    path("o/<slug:org>/incidents/add", incident_alerts.incident_add, name="incident-add"),
    path(
        "o/<slug:org>/incidents/for/<slug:fingerprint>/",
        incident_alerts.incident_for,
        name="incident-for",
    ),
    path("o/<slug:org>/incidents/i/<slug:name>", incidents.incident_detail, name="incident-detail"),
    path(
        "o/<slug:org>/incidents/i/<slug:name>/update",
        incidents.incident_update,
        name="incident-update",
    ),
    path(
        "o/<slug:org>/incidents/i/<slug:name>/note", incidents.incident_note, name="incident-note"
    ),
    path(
        "o/<slug:org>/incidents/i/<slug:name>/gather",
        incidents.incident_gather,
        name="incident-gather",
    ),
    path(
        "o/<slug:org>/incidents/i/<slug:name>/delete",
        incidents.incident_delete,
        name="incident-delete",
    ),
    path(
        "o/<slug:org>/incidents/i/<slug:name>/post-mortem",
        incidents.incident_export,
        name="incident-export",
    ),
    path("push-worker.js", push.push_worker, name="push-worker"),
    path("o/<slug:org>/me/notifications/browser", push.push_register, name="push-create"),
    path("o/<slug:org>/me/notifications", preferences.preference_page, name="preference-edit"),
    path(
        "o/<slug:org>/me/notifications/add/<slug:notifier>",
        preferences.method_create,
        name="method-create",
    ),
    path(
        "o/<slug:org>/me/notifications/m/<slug:name>",
        preferences.method_edit,
        name="method-edit",
    ),
    path(
        "o/<slug:org>/me/notifications/m/<slug:name>/test",
        preferences.method_test,
        name="method-test",
    ),
    path(
        "o/<slug:org>/me/notifications/m/<slug:name>/delete",
        preferences.method_remove,
        name="method-delete",
    ),
    path("o/<slug:org>/escalation", policies.policy_page, name="policy-list"),
    path("o/<slug:org>/escalation/new", policies.policy_create, name="policy-create"),
    path("o/<slug:org>/escalation/p/<slug:name>", policies.policy_detail, name="policy-detail"),
    path("o/<slug:org>/escalation/p/<slug:name>/edit", policies.policy_edit, name="policy-edit"),
    path(
        "o/<slug:org>/escalation/p/<slug:name>/delete",
        policies.policy_delete,
        name="policy-delete",
    ),
    path(
        "o/<slug:org>/escalation/for/<slug:fingerprint>/",
        policies.escalation_for,
        name="escalation-for",
    ),
    path("o/<slug:org>/chat-buttons", callbacks.callback_page, name="callback-list"),
    path("o/<slug:org>/chat-buttons/new", callbacks.callback_create, name="callback-create"),
    path(
        "o/<slug:org>/chat-buttons/c/<slug:name>", callbacks.callback_detail, name="callback-detail"
    ),
    path(
        "o/<slug:org>/chat-buttons/c/<slug:name>/edit",
        callbacks.callback_edit,
        name="callback-edit",
    ),
    path(
        "o/<slug:org>/chat-buttons/c/<slug:name>/delete",
        callbacks.callback_delete,
        name="callback-delete",
    ),
    path("o/<slug:org>/on-call", schedules.schedule_page, name="schedule-list"),
    path("o/<slug:org>/on-call/new", schedules.schedule_create, name="schedule-create"),
    path("o/<slug:org>/on-call/preview", schedules.schedule_preview, name="schedule-preview"),
    path("o/<slug:org>/on-call/s/<slug:name>", schedules.schedule_detail, name="schedule-detail"),
    path("o/<slug:org>/on-call/s/<slug:name>/edit", schedules.schedule_edit, name="schedule-edit"),
    path(
        "o/<slug:org>/on-call/s/<slug:name>/delete",
        schedules.schedule_delete,
        name="schedule-delete",
    ),
    path(
        "o/<slug:org>/on-call/s/<slug:name>/override",
        schedules.override_add,
        name="override-create",
    ),
    path(
        "o/<slug:org>/on-call/s/<slug:name>/override-end",
        schedules.override_end,
        name="override-delete",
    ),
    path(
        "o/<slug:org>/on-call/s/<slug:name>/rotate",
        schedules.calendar_renew,
        name="calendar-rotate",
    ),
]
