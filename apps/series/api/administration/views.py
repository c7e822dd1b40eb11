"""``api/v1/admin/tsdb``: deleting, cleaning up, copying."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.series.selectors import series_store
from apps.series.services.deletion import series_delete
from apps.series.services.snapshots import snapshot_take
from detectviz.clock import utc_now
from detectviz.doors.prometheus import ApiError, PrometheusView, Success
from detectviz.resources.errors import ForbiddenError

_CHANGES = frozenset({"POST", "PUT"})


class DeleteSeriesView(PrometheusView):
    """``delete_series``."""

    permission = "series:delete"
    methods = _CHANGES

    def answer(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Delete at once: there are no tombstones."""
        selectors = self.parameters.selectors(is_required=True)
        start_ms, end_ms = self.parameters.span_ms()
        series_delete(
            org=self.org,
            actor=request.user,
            selectors=selectors,
            start_ms=start_ms,
            end_ms=end_ms,
        )
        return HttpResponse(status=204)


class CleanTombstonesView(PrometheusView):
    """``clean_tombstones``."""

    permission = "series:delete"
    methods = _CHANGES

    def answer(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Have nothing to do: deleting left none."""
        return HttpResponse(status=204)


class SnapshotView(PrometheusView):
    """``snapshot``."""

    permission = "series:delete"
    methods = _CHANGES

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Copy the whole store, all orgs, into the data directory; platform administrators only."""
        if not self.access.is_superuser:
            raise ForbiddenError(
                "A snapshot holds every organisation: platform administrators only."
            )
        name = snapshot_take(
            store=series_store(), folder=Path(settings.DATA_DIR) / "snapshots", now=utc_now()
        )
        if name is None:
            raise ApiError(422, "execution", "this series store is copied by its own tools")
        return Success(data={"name": name})
