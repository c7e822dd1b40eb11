"""Targets from an HTTP server."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final, cast

from detectviz.contracts.config import get_duration_s, get_text
from detectviz.contracts.discovery import DiscoveryContext, TargetGroup
from detectviz.contracts.errors import PluginError
from detectviz.contracts.http_options import HttpFetcher, HttpOptions
from detectviz.contracts.network import HttpResponse
from detectviz.contracts.target_groups import read_target_groups
from detectviz.contracts.types import JsonValue

LARGEST_ANSWER_BYTES: Final = 16_777_216
_JSON: Final = "application/json"
_CHARSETS: Final = frozenset({"", "charset=utf-8", 'charset="utf-8"'})
_REFRESH_HEADER: Final = "X-Prometheus-Refresh-Interval-Seconds"


class HttpDiscovery:
    """Asks a URL for target groups, as Prometheus' http_sd_configs."""

    def __init__(self) -> None:
        self._fetcher = HttpFetcher()

    async def discover(self, context: DiscoveryContext) -> Sequence[TargetGroup]:
        """Return the groups the URL answers; raise PluginError naming what is wrong with it."""
        url = get_text(context.config, "url")
        refresh_s = get_duration_s(context.config, "refresh_interval") or 0.0
        response = await self._fetcher.fetch(
            url,
            HttpOptions.read(context.config, context.secrets),
            network=context.network,
            monotonic=context.monotonic,
            timeout_s=context.timeout_s,
            max_body_bytes=LARGEST_ANSWER_BYTES,
            headers=(("Accept", _JSON), (_REFRESH_HEADER, f"{refresh_s:.15g}")),
        )
        # A URL may carry a key as a parameter; messages are read by more people than options.
        shown = url.partition("?")[0]
        document = _document(response, shown)
        if document is None:
            raise PluginError(f"{shown} answered null; an empty list says that there is no target.")
        return read_target_groups(document, source=shown, labels={"__meta_url": url})


def _document(response: HttpResponse, url: str) -> JsonValue:
    if response.status_code != HTTPStatus.OK:
        raise PluginError(f"{url} answered {response.status_code}, not 200.")
    said = response.header("Content-Type") or ""
    media, _, parameter = said.partition(";")
    if media.strip().lower() != _JSON or parameter.strip().lower() not in _CHARSETS:
        raise PluginError(f"{url} answered with Content-Type {said[:100]!r}, not {_JSON}.")
    if response.body_truncated:
        raise PluginError(f"{url} answered more than {LARGEST_ANSWER_BYTES} bytes.")
    try:
        return cast("JsonValue", json.loads(response.body))
    except (ValueError, RecursionError) as error:
        raise PluginError(f"{url} answered no JSON: {error}") from error
