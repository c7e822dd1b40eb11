"""Addresses of the pages."""

from django.urls import path

from apps.monitors.web.views import detail, edit, list_page, windows

app_name = "monitors"
urlpatterns = [
    path("o/<slug:org>/monitors", list_page.monitor_list, name="monitor-list"),
    path("o/<slug:org>/monitors/bulk", list_page.monitor_bulk, name="monitor-bulk"),
    path("o/<slug:org>/monitors/new", edit.monitor_types, name="monitor-types"),
    path("o/<slug:org>/monitors/new/<slug:type_name>", edit.monitor_create, name="monitor-create"),
    path("o/<slug:org>/monitors/try/<slug:type_name>", edit.monitor_try, name="monitor-try"),
    path("o/<slug:org>/monitors/m/<slug:name>", detail.monitor_detail, name="monitor-detail"),
    path("o/<slug:org>/monitors/m/<slug:name>/row", list_page.monitor_row, name="monitor-row"),
    path(
        "o/<slug:org>/monitors/m/<slug:name>/history",
        detail.monitor_history,
        name="monitor-history",
    ),
    path("o/<slug:org>/monitors/m/<slug:name>/edit", edit.monitor_edit, name="monitor-edit"),
    path("o/<slug:org>/monitors/m/<slug:name>/delete", edit.monitor_delete, name="monitor-delete"),
    path("o/<slug:org>/monitors/m/<slug:name>/run", detail.monitor_run_now, name="monitor-run"),
    path(
        "o/<slug:org>/monitors/m/<slug:name>/enable", detail.monitor_enable, name="monitor-enable"
    ),
    path(
        "o/<slug:org>/monitors/m/<slug:name>/rotate", detail.monitor_rotate, name="monitor-rotate"
    ),
    path(
        "o/<slug:org>/monitors/m/<slug:name>/response.json",
        detail.monitor_response,
        name="monitor-response",
    ),
    path(
        "o/<slug:org>/monitors/m/<slug:name>/changes/<int:key>",
        detail.state_change,
        name="monitor-change",
    ),
    path("o/<slug:org>/maintenance", windows.window_page, name="window-list"),
    path("o/<slug:org>/maintenance/new", windows.window_create, name="window-create"),
    path("o/<slug:org>/maintenance/preview", windows.window_preview, name="window-preview"),
    path("o/<slug:org>/maintenance/w/<slug:name>", windows.window_detail, name="window-detail"),
    path("o/<slug:org>/maintenance/w/<slug:name>/edit", windows.window_edit, name="window-edit"),
    path("o/<slug:org>/maintenance/w/<slug:name>/turn", windows.window_turn, name="window-turn"),
    path(
        "o/<slug:org>/maintenance/w/<slug:name>/delete", windows.window_delete, name="window-delete"
    ),
]
