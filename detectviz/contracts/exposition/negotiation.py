"""Which format a body is in, and asking for one."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final

from detectviz.contracts.exposition.cache import SeriesCache
from detectviz.contracts.exposition.protobuf import parse_protobuf
from detectviz.contracts.exposition.result import Exposition, ExpositionError
from detectviz.contracts.exposition.text import parse_openmetrics, parse_text


class ScrapeProtocol(StrEnum):
    """The formats, by the names of Prometheus' ``scrape_protocols``."""

    PROTOBUF = "PrometheusProto"
    OPENMETRICS_1 = "OpenMetricsText1.0.0"
    OPENMETRICS_0 = "OpenMetricsText0.0.1"
    TEXT_1 = "PrometheusText1.0.0"
    TEXT = "PrometheusText0.0.4"


DEFAULT_PROTOCOLS: Final = (
    ScrapeProtocol.OPENMETRICS_1,
    ScrapeProtocol.OPENMETRICS_0,
    ScrapeProtocol.TEXT_1,
    ScrapeProtocol.TEXT,
)
_MEDIA: Final = {
    ScrapeProtocol.PROTOBUF: (
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
    ),
    ScrapeProtocol.OPENMETRICS_1: "application/openmetrics-text;version=1.0.0",
    ScrapeProtocol.OPENMETRICS_0: "application/openmetrics-text;version=0.0.1",
    ScrapeProtocol.TEXT_1: "text/plain;version=1.0.0",
    ScrapeProtocol.TEXT: "text/plain;version=0.0.4",
}
_ESCAPED: Final = frozenset(
    {ScrapeProtocol.PROTOBUF, ScrapeProtocol.OPENMETRICS_1, ScrapeProtocol.TEXT_1}
)


def accept_header(protocols: Sequence[ScrapeProtocol]) -> str:
    """Return an Accept header that prefers ``protocols`` in their order, as Prometheus writes it.

    UTF-8 names are asked for where the format can say them.
    """
    weight = len(ScrapeProtocol) + 1
    parts = []
    for protocol in protocols:
        escaping = ";escaping=allow-utf-8" if protocol in _ESCAPED else ""
        parts.append(f"{_MEDIA[protocol]}{escaping};q=0.{weight}")
        weight -= 1
    return ",".join([*parts, f"*/*;q=0.{weight}"])


def protocol_of(content_type: str, fallback: ScrapeProtocol | None) -> ScrapeProtocol:
    """Return the format a Content-Type names, else ``fallback``.

    Raise ExpositionError when it names none and there is no fallback, as Prometheus 3 does.
    """
    media, _, rest = content_type.partition(";")
    parameters = dict(_parameter(part) for part in rest.split(";") if part.strip())
    match media.strip().lower():
        case "application/openmetrics-text":
            return ScrapeProtocol.OPENMETRICS_1
        case "text/plain":
            return ScrapeProtocol.TEXT
        case "application/vnd.google.protobuf" if (
            parameters.get("encoding", "delimited") == "delimited"
            and parameters.get("proto", _PROTO) == _PROTO
        ):
            return ScrapeProtocol.PROTOBUF
    if fallback is not None:
        return fallback
    raise ExpositionError(
        f"the Content-Type {content_type[:100]!r} names no format that is known; set "
        "fallback_scrape_protocol to say which one it is"
    )


def parse_exposition(
    body: bytes,
    protocol: ScrapeProtocol,
    cache: SeriesCache | None = None,
    *,
    classic_histograms: bool = False,
) -> Exposition:
    """Read ``body`` as ``protocol``; raise ExpositionError."""
    match protocol:
        case ScrapeProtocol.PROTOBUF:
            return parse_protobuf(body, cache, classic_histograms=classic_histograms)
        case ScrapeProtocol.OPENMETRICS_1 | ScrapeProtocol.OPENMETRICS_0:
            return parse_openmetrics(body, cache)
        case ScrapeProtocol.TEXT_1 | ScrapeProtocol.TEXT:
            return parse_text(body, cache)


_PROTO: Final = "io.prometheus.client.MetricFamily"


def _parameter(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip().strip('"')
