"""Addresses of the pages."""

from django.urls import path

from apps.series.web.views import explore, metrics

app_name = "series"
urlpatterns = [
    path("o/<slug:org>/explore", explore.explore, name="explore"),
    path("o/<slug:org>/explore.csv", explore.explore_csv, name="explore-csv"),
    path("o/<slug:org>/metrics", metrics.metrics, name="metrics"),
]
