"""The ingest doors, below ``/orgs/``."""

from django.urls import path

from apps.series.api.ingest.views import (
    InfluxPingView,
    InfluxWriteView,
    OtlpMetricsView,
    PushGroupView,
    RemoteWriteView,
    TextImportView,
)

app_name = "series_ingest"
urlpatterns = [
    path("<str:org>/prometheus/api/v1/write", RemoteWriteView.as_view(), name="remote-write"),
    path("<str:org>/otlp/v1/metrics", OtlpMetricsView.as_view(), name="otlp-metrics"),
    path("<str:org>/influx/write", InfluxWriteView.as_view(), name="influx-write-v1"),
    path("<str:org>/influx/api/v2/write", InfluxWriteView.as_view(), name="influx-write"),
    path("<str:org>/influx/ping", InfluxPingView.as_view(), name="influx-ping"),
    path(
        "<str:org>/prometheus/api/v1/import/prometheus",
        TextImportView.as_view(),
        name="text-import",
    ),
    path(
        "<str:org>/metrics/job/<path:group>",
        PushGroupView.as_view(),
        {"encoding": ""},
        name="push-group",
    ),
    path(
        "<str:org>/metrics/job@base64/<path:group>",
        PushGroupView.as_view(),
        {"encoding": "@base64"},
        name="push-group-base64",
    ),
]
