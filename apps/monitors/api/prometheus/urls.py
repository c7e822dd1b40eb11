"""Targets in Prometheus' API, below ``/orgs/``."""

from django.urls import path

from apps.monitors.api.prometheus.views import ScrapePoolsView, TargetsMetadataView, TargetsView

app_name = "monitors_queries"
urlpatterns = [
    path("<str:org>/prometheus/api/v1/targets", TargetsView.as_view(), name="targets"),
    path(
        "<str:org>/prometheus/api/v1/targets/metadata",
        TargetsMetadataView.as_view(),
        name="targets-metadata",
    ),
    path("<str:org>/prometheus/api/v1/scrape_pools", ScrapePoolsView.as_view(), name="pools"),
]
