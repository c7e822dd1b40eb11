"""Addresses of the pages."""

from django.urls import path

from apps.alerting.web.views import alerts, anomalies, backtests, edit, quality, rulegroups, slos

app_name = "alerting"
urlpatterns = [
    path("o/<slug:org>/alerts", alerts.alert_page, name="alert-list"),
    path("o/<slug:org>/alerts/bulk", alerts.alert_bulk, name="alert-bulk"),
    path(
        "o/<slug:org>/alerts/for/<slug:monitor>/",
        alerts.monitor_alerts,
        name="alert-for",
    ),
    path("o/<slug:org>/alerts/<slug:name>", alerts.alert_detail, name="alert-detail"),
    path("o/<slug:org>/alerts/<slug:name>/handle", alerts.alert_handle, name="alert-handle"),
    path("o/<slug:org>/rules", rulegroups.rulegroup_page, name="rulegroup-list"),
    path("o/<slug:org>/rules/new", edit.rulegroup_create, name="rulegroup-create"),
    path("o/<slug:org>/rules/preview", edit.rule_try, name="rulegroup-preview"),
    path("o/<slug:org>/rules/backtest", backtests.rule_backtested, name="rulegroup-backtest"),
    path("o/<slug:org>/rules/quality", quality.quality_page, name="rulequality-list"),
    path(
        "o/<slug:org>/rules/quality/<slug:uid>",
        quality.proposal_page,
        name="rulequality-proposal",
    ),
    path("o/<slug:org>/slos", slos.slo_page, name="slo-list"),
    path("o/<slug:org>/slos/new", slos.slo_create, name="slo-create"),
    path("o/<slug:org>/slos/preview", slos.slo_preview, name="slo-preview"),
    path("o/<slug:org>/slos/s/<slug:name>", slos.slo_detail, name="slo-detail"),
    path("o/<slug:org>/slos/s/<slug:name>/edit", slos.slo_edit, name="slo-edit"),
    path("o/<slug:org>/slos/s/<slug:name>/delete", slos.slo_delete, name="slo-delete"),
    path("o/<slug:org>/anomalies", anomalies.anomaly_page, name="anomaly-list"),
    path("o/<slug:org>/anomalies/new", anomalies.anomaly_create, name="anomaly-create"),
    path("o/<slug:org>/anomalies/preview", anomalies.anomaly_preview, name="anomaly-preview"),
    path("o/<slug:org>/anomalies/backtest", anomalies.anomaly_backtested, name="anomaly-backtest"),
    path("o/<slug:org>/anomalies/a/<slug:name>", anomalies.anomaly_detail, name="anomaly-detail"),
    path("o/<slug:org>/anomalies/a/<slug:name>/edit", anomalies.anomaly_edit, name="anomaly-edit"),
    path(
        "o/<slug:org>/anomalies/a/<slug:name>/delete",
        anomalies.anomaly_delete,
        name="anomaly-delete",
    ),
    path(
        "o/<slug:org>/rules/restore-builtin",
        rulegroups.rulegroup_restore,
        name="rulegroup-restore",
    ),
    path("o/<slug:org>/rules/g/<slug:name>", rulegroups.rulegroup_detail, name="rulegroup-detail"),
    path("o/<slug:org>/rules/g/<slug:name>/edit", edit.rulegroup_edit, name="rulegroup-edit"),
    path(
        "o/<slug:org>/rules/g/<slug:name>/enable",
        rulegroups.rulegroup_enable,
        name="rulegroup-enable",
    ),
    path(
        "o/<slug:org>/rules/g/<slug:name>/delete",
        rulegroups.rulegroup_remove,
        name="rulegroup-delete",
    ),
]
