"""Addresses of queries, below ``/apis/datasources/v1/``."""

from django.urls import path

from apps.datasources.api.queries.views import DatasourceQueryView, QueryView

app_name = "datasources_queries"
urlpatterns = [
    path("orgs/<str:org>/query", QueryView.as_view(), name="query"),
    path(
        "orgs/<str:org>/datasources/<str:name>/query",
        DatasourceQueryView.as_view(),
        name="datasource-query",
    ),
]
