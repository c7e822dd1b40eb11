"""Addresses of Grafana's API, below ``/orgs/``."""

from django.urls import path

from apps.datasources.api.grafana.views import (
    DatasourceListView,
    DatasourceView,
    HealthView,
    OrgView,
    QueryView,
    UserView,
)

app_name = "grafana"
_API = "<str:org>/grafana/api"
urlpatterns = [
    path(f"{_API}/health", HealthView.as_view(), name="health"),
    path(f"{_API}/user", UserView.as_view(), name="user"),
    path(f"{_API}/org", OrgView.as_view(), name="org"),
    path(f"{_API}/datasources", DatasourceListView.as_view(), name="datasources"),
    path(f"{_API}/datasources/uid/<str:uid>", DatasourceView.as_view(), name="datasource-by-uid"),
    path(
        f"{_API}/datasources/name/<str:name>",
        DatasourceView.as_view(),
        name="datasource-by-name",
    ),
    path(f"{_API}/ds/query", QueryView.as_view(), name="query"),
]
