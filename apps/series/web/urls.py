"""Addresses of the pages."""

from django.urls import path

from apps.series.web.views import explore, metrics, sources, usage

app_name = "series"
urlpatterns = [
    path("o/<slug:org>/explore", explore.explore, name="explore"),
    path("o/<slug:org>/explore.csv", explore.explore_csv, name="explore-csv"),
    path("o/<slug:org>/explore/d/<slug:name>", sources.explore_source, name="explore-source"),
    path(
        "o/<slug:org>/explore/d/<slug:name>/csv",
        sources.explore_source_csv,
        name="explore-source-csv",
    ),
    path("o/<slug:org>/metrics", metrics.metrics, name="metrics"),
    path("o/<slug:org>/series", usage.usage, name="usage"),
]
