"""What Prometheus' clients ask about the server itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from apps.series.selectors import series_store
from apps.series.selectors.queries import LOOKBACK_MS
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration
from detectviz.doors.parameters import ParameterError
from detectviz.doors.prometheus import PrometheusView, Success

SPOKEN_VERSION = "3.5.0"  # the Prometheus whose API this is: clients choose by it what to ask
_STARTED_AT = utc_now()
_TSDB_ROWS = 10
_MOST_TSDB_ROWS = 10_000


class BuildInfoView(PrometheusView):
    """``api/v1/status/buildinfo``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Name the version whose API this is; Grafana enables its features by it."""
        names = ("revision", "branch", "buildUser", "buildDate", "goVersion")
        return Success(data={"version": SPOKEN_VERSION, **dict.fromkeys(names, "")})


class RuntimeInfoView(PrometheusView):
    """``api/v1/status/runtimeinfo``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Tell when this process started; there is no configuration to reload."""
        now = utc_now()
        return Success(
            data={
                "startTime": _text(_STARTED_AT),
                "CWD": "",
                "hostname": "",
                "serverTime": _text(now),
                "reloadConfigSuccess": True,
                "lastConfigTime": _text(_STARTED_AT),
                "corruptionCount": 0,
                "goroutineCount": 0,
                "GOMAXPROCS": 0,
                "GOMEMLIMIT": 0,
                "GOGC": "",
                "GODEBUG": "",
                "storageRetention": "",
            }
        )


class ConfigView(PrometheusView):
    """``api/v1/status/config``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Answer an empty configuration: what is collected stands in monitors."""
        return Success(data={"yaml": ""})


class FlagsView(PrometheusView):
    """``api/v1/status/flags``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Tell the limits of queries under the names of Prometheus' flags."""
        return Success(
            data={
                "query.lookback-delta": format_duration(LOOKBACK_MS / 1000),
                "query.max-samples": str(settings.QUERY_MAX_SAMPLES),
                "query.max-series": str(settings.QUERY_MAX_SERIES),
                "query.max-bytes": str(settings.QUERY_MAX_BYTES),
                "query.timeout": format_duration(settings.QUERY_TIMEOUT_S),
                "web.enable-admin-api": "true",
            }
        )


class TsdbView(PrometheusView):
    """``api/v1/status/tsdb``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Tell what the org's series are made of."""
        limit = self.parameters.limit() or _TSDB_ROWS
        if limit > _MOST_TSDB_ROWS:
            raise ParameterError.named("limit", f"it must not exceed {_MOST_TSDB_ROWS}")
        found = series_store().cardinality(self.org.uid, limit)
        return Success(
            data={
                "headStats": {
                    "numSeries": found.series,
                    "numLabelPairs": found.label_pairs,
                    "chunkCount": 0,
                    "minTime": found.oldest_ms or 0,
                    "maxTime": found.newest_ms or 0,
                },
                "seriesCountByMetricName": _rows(found.series_by_metric),
                "labelValueCountByLabelName": _rows(found.values_by_label),
                "memoryInBytesByLabelName": _rows(found.bytes_by_label),
                "seriesCountByLabelValuePair": _rows(found.series_by_pair),
            }
        )


class WalReplayView(PrometheusView):
    """``api/v1/status/walreplay``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """Say that the store is open."""
        return Success(data={"min": 0, "max": 0, "current": 0, "state": "done"})


class AlertmanagersView(PrometheusView):
    """``api/v1/alertmanagers``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> Success:
        """List none: notifications leave from here."""
        return Success(data={"activeAlertmanagers": [], "droppedAlertmanagers": []})


class HealthyView(PrometheusView):
    """``/-/healthy``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Say that this process answers."""
        return HttpResponse("Prometheus Server is Healthy.\n", content_type="text/plain")


class ReadyView(PrometheusView):
    """``/-/ready``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Say that the series store is open; failing to open it answers 503."""
        series_store()
        return HttpResponse("Prometheus Server is Ready.\n", content_type="text/plain")


def _rows(found: Sequence[tuple[str, int]]) -> list[Mapping[str, Any]]:
    return [{"name": name, "value": value} for name, value in found]


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
