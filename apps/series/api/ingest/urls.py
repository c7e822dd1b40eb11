"""The ingest doors, below ``/orgs/``."""

from django.urls import path

from apps.series.api.ingest.views import OtlpMetricsView, RemoteWriteView

app_name = "series_ingest"
urlpatterns = [
    path("<str:org>/prometheus/api/v1/write", RemoteWriteView.as_view(), name="remote-write"),
    path("<str:org>/otlp/v1/metrics", OtlpMetricsView.as_view(), name="otlp-metrics"),
]
