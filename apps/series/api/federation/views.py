"""``/federate``: the newest samples as an exposition, for a Prometheus that scrapes us."""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from django.http import HttpRequest, HttpResponse

from apps.series.api.federation import serializers
from apps.series.selectors.newest import Newest, newest_list
from apps.series.selectors.queries import LOOKBACK_MS
from detectviz.clock import to_ms, utc_now
from detectviz.doors.escaping import name_underscored
from detectviz.doors.prometheus import PrometheusView
from detectviz.promql.json import value_text
from detectviz.promql.labels import is_plain_label_name, is_plain_metric_name
from detectviz.tsdb.interface import METRIC_NAME

_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
_TEXT = "text/plain; version=0.0.4; charset=utf-8"
_FORMATS = {
    "application/openmetrics-text": _OPENMETRICS,
    "application/vnd.google.protobuf": serializers.MEDIA,
}
_DELIMITED = {"proto=io.prometheus.client.MetricFamily", "encoding=delimited"}
_UTF8 = "; escaping=allow-utf-8"
_UNDERSCORES = "; escaping=underscores"
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


class FederateView(PrometheusView):
    """``/federate``."""

    def answer(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Write what the selectors match, in the format asked for."""
        found = newest_list(
            self.org.uid,
            selectors=self.parameters.selectors(is_required=True),
            at_ms=to_ms(utc_now()),
            lookback_ms=LOOKBACK_MS,
        )
        accept = request.headers.get("Accept", "").replace(" ", "")
        is_utf8 = "escaping=allow-utf-8" in accept
        name_of: Callable[[str], str] = str if is_utf8 else name_underscored
        media = _preferred(accept)
        body: str | bytes
        if media == serializers.MEDIA:
            body = b"".join(serializers.families(found, name_of))
        else:
            body = "".join(_lines(found, name_of, is_openmetrics=media == _OPENMETRICS))
        if "escaping=" in accept:
            media += _UTF8 if is_utf8 else _UNDERSCORES
        return HttpResponse(body, content_type=media)


def _preferred(accept: str) -> str:
    """Return the format that is wanted most; of equals the one that says more."""
    weights: dict[str, float] = {}
    for choice in accept.split(","):
        media, *options = choice.split(";")
        weight = next((one[2:] for one in options if one.startswith("q=")), "1")
        try:
            if media != "application/vnd.google.protobuf" or set(options) >= _DELIMITED:
                weights[media] = max(weights.get(media, 0.0), float(weight))
        except ValueError:
            continue
    best, wanted = _TEXT, weights.get("text/plain", 0.0)
    for media, answer in _FORMATS.items():
        weight_of = weights.get(media, 0.0)
        if weight_of > 0 and weight_of >= wanted:
            best, wanted = answer, weight_of
    return best


def _lines(
    found: Iterable[Newest], name_of: Callable[[str], str], *, is_openmetrics: bool
) -> Iterator[str]:
    unknown = "unknown" if is_openmetrics else "untyped"
    # These formats can't say native histograms.
    ordered = sorted((one for one in found if one.histogram is None), key=_metric)
    for metric, family in groupby(ordered, key=_metric):
        name = name_of(metric)
        shown = name if is_plain_metric_name(name) else f'"{name.translate(_ESCAPES)}"'
        yield f"# TYPE {shown} {unknown}\n"
        for one in family:
            at = one.timestamp_ms / 1000 if is_openmetrics else one.timestamp_ms
            yield f"{_series(one, name, name_of)} {value_text(one.value)} {at}\n"
    if is_openmetrics:
        yield "# EOF\n"


def _metric(one: Newest) -> str:
    return one.labels.get(METRIC_NAME, "")


def _series(one: Newest, name: str, name_of: Callable[[str], str]) -> str:
    # Without an instance label the scraper would put its own target there.
    labels = {"instance": "", **one.labels}
    pairs = [
        f'{_quoted(name_of(label))}="{value.translate(_ESCAPES)}"'
        for label, value in sorted(labels.items())
        if label != METRIC_NAME
    ]
    if is_plain_metric_name(name):
        return f"{name}{{{','.join(pairs)}}}"
    quoted = f'"{name.translate(_ESCAPES)}"'
    return f"{{{','.join([quoted, *pairs])}}}"


def _quoted(label: str) -> str:
    return label if is_plain_label_name(label) else f'"{label.translate(_ESCAPES)}"'
