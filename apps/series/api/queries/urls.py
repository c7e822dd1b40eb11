"""The query side of Prometheus' API, below ``/orgs/``."""

from django.urls import path

from apps.series.api.administration import views as administration
from apps.series.api.catalogue import views as catalogue
from apps.series.api.federation import views as federation
from apps.series.api.queries import views as evaluation
from apps.series.api.server import views as status

app_name = "series_queries"
_ROOT = "<str:org>/prometheus"
_API = f"{_ROOT}/api/v1"
urlpatterns = [
    path(f"{_API}/query", evaluation.InstantView.as_view(), name="query"),
    path(f"{_API}/query_range", evaluation.RangeView.as_view(), name="query-range"),
    path(f"{_API}/query_exemplars", catalogue.ExemplarsView.as_view(), name="exemplars"),
    path(f"{_API}/format_query", evaluation.FormatView.as_view(), name="format"),
    path(f"{_API}/parse_query", evaluation.ParseView.as_view(), name="parse"),
    path(f"{_API}/series", catalogue.SeriesView.as_view(), name="series"),
    path(f"{_API}/labels", catalogue.LabelsView.as_view(), name="labels"),
    path(f"{_API}/label/<str:name>/values", catalogue.LabelValuesView.as_view(), name="values"),
    path(f"{_API}/metadata", catalogue.MetadataView.as_view(), name="metadata"),
    path(f"{_API}/alertmanagers", status.AlertmanagersView.as_view(), name="alertmanagers"),
    path(f"{_API}/status/config", status.ConfigView.as_view(), name="config"),
    path(f"{_API}/status/flags", status.FlagsView.as_view(), name="flags"),
    path(f"{_API}/status/runtimeinfo", status.RuntimeInfoView.as_view(), name="runtimeinfo"),
    path(f"{_API}/status/buildinfo", status.BuildInfoView.as_view(), name="buildinfo"),
    path(f"{_API}/status/tsdb", status.TsdbView.as_view(), name="tsdb"),
    path(f"{_API}/status/walreplay", status.WalReplayView.as_view(), name="walreplay"),
    path(
        f"{_API}/admin/tsdb/delete_series",
        administration.DeleteSeriesView.as_view(),
        name="delete-series",
    ),
    path(
        f"{_API}/admin/tsdb/clean_tombstones",
        administration.CleanTombstonesView.as_view(),
        name="clean-tombstones",
    ),
    path(f"{_API}/admin/tsdb/snapshot", administration.SnapshotView.as_view(), name="snapshot"),
    path(f"{_ROOT}/federate", federation.FederateView.as_view(), name="federate"),
    path(f"{_ROOT}/-/healthy", status.HealthyView.as_view(), name="healthy"),
    path(f"{_ROOT}/-/ready", status.ReadyView.as_view(), name="ready"),
]
