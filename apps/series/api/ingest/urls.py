"""The ingest doors, below ``/orgs/``."""

from django.urls import path

from apps.series.api.ingest.views import RemoteWriteView

app_name = "series_ingest"
urlpatterns = [
    path("<str:org>/prometheus/api/v1/write", RemoteWriteView.as_view(), name="remote-write"),
]
