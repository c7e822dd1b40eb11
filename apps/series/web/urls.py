"""Addresses of the pages."""

from django.urls import path

from apps.series.web.views import explore, metrics, usage

app_name = "series"
urlpatterns = [
    path("o/<slug:org>/explore", explore.explore, name="explore"),
    path("o/<slug:org>/explore.csv", explore.explore_csv, name="explore-csv"),
    path("o/<slug:org>/metrics", metrics.metrics, name="metrics"),
    path("o/<slug:org>/series", usage.usage, name="usage"),
]
