"""Addresses below one pipeline that are no registered kinds."""

from django.urls import path

from apps.operations.api.views import MetricsView, RunFileView, RunView

app_name = "operations-api"
_RUN = "orgs/<str:org>/pipelines/<str:name>/runs/<str:uid>"
urlpatterns = [
    path("orgs/<str:org>/pipelines/<str:name>/metrics", MetricsView.as_view(), name="metrics"),
    path(_RUN, RunView.as_view(), name="run"),
    path(f"{_RUN}/files/<str:file>", RunFileView.as_view(), name="run-file"),
]
