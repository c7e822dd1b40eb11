"""Listing objects of a cluster, page by page."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast
from urllib.parse import urlencode

from detectviz.contracts.config import get_object, get_objects, get_text, get_texts
from detectviz.contracts.discovery import DiscoveryContext
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.http_options import HttpFetcher, HttpOptions
from detectviz.contracts.network import HttpResponse
from detectviz.contracts.types import JsonObject, JsonValue
from plugins.discovery.kubernetes.reading import Part

PAGE: Final = 500
MOST_OBJECTS: Final = 100_000
LARGEST_PAGE_BYTES: Final = 67_108_864
_LONGEST_REASON: Final = 300

CORE: Final = "/api/v1"
# Role → API group and resource.
RESOURCES: Final = {
    "node": (CORE, "nodes"),
    "service": (CORE, "services"),
    "pod": (CORE, "pods"),
    "endpoints": (CORE, "endpoints"),
    "endpointslice": ("/apis/discovery.k8s.io/v1", "endpointslices"),
    "ingress": ("/apis/networking.k8s.io/v1", "ingresses"),
}
_SELECTABLE: Final = {
    "endpoints": ("endpoints", "pod", "service"),
    "endpointslice": ("endpointslice", "pod", "service"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One API server, as a configuration says to ask it."""

    context: DiscoveryContext
    fetcher: HttpFetcher
    options: HttpOptions
    namespaces: tuple[str, ...]
    selectors: Mapping[str, Mapping[str, str]]

    @classmethod
    def read(
        cls, context: DiscoveryContext, fetcher: HttpFetcher, *, with_nodes: bool
    ) -> "Cluster":
        """Read the configuration; raise ConfigurationError for a selector that has no effect."""
        return cls(
            context=context,
            fetcher=fetcher,
            options=HttpOptions.read(context.config, context.secrets),
            namespaces=get_texts(get_object(context.config, "namespaces"), "names"),
            selectors=_selectors(context.config, with_nodes=with_nodes),
        )

    async def objects(self, role: str) -> list[Part]:
        """Return all objects of ``role`` that namespaces and selectors leave."""
        prefix, resource = RESOURCES[role]
        paths = [f"{prefix}/{resource}"]
        if self.namespaces and role != "node":
            paths = [f"{prefix}/namespaces/{each}/{resource}" for each in self.namespaces]
        selector = self.selectors.get(role, {})
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._all_pages(path, resource, selector)) for path in paths]
        return [item for task in tasks for item in task.result()]

    async def _all_pages(self, path: str, resource: str, selector: Mapping[str, str]) -> list[Part]:
        found: list[Part] = []
        following = ""
        while True:
            parameters = {"limit": str(PAGE), **selector}
            if following:
                parameters["continue"] = following
            page = Part.of(await self._get(path, parameters), resource)
            found += page.parts("items")
            if len(found) > MOST_OBJECTS:
                raise PluginError(
                    f"There are more than {MOST_OBJECTS} {resource}; narrow them by namespaces or "
                    "selectors."
                )
            following = page.part("metadata").text("continue")
            if not following:
                return found

    async def _get(self, path: str, parameters: Mapping[str, str]) -> JsonValue:
        url = get_text(self.context.config, "api_server").rstrip("/") + path
        response = await self.fetcher.fetch(
            f"{url}?{urlencode(parameters)}",
            self.options,
            network=self.context.network,
            monotonic=self.context.monotonic,
            timeout_s=self.context.timeout_s,
            max_body_bytes=LARGEST_PAGE_BYTES,
            headers=(("Accept", "application/json"),),
        )
        if response.status_code != HTTPStatus.OK:
            said = f"{url} answered {response.status_code}, not 200"
            raise PluginError(f"{said}{_reason(response)}.")
        if response.body_truncated:
            raise PluginError(f"{url} answered more than {LARGEST_PAGE_BYTES} bytes.")
        return _json(response, url)


def _json(response: HttpResponse, url: str) -> JsonValue:
    try:
        return cast("JsonValue", json.loads(response.body))
    except (ValueError, RecursionError) as error:
        raise PluginError(f"{url} answered no JSON: {error}") from error


def _reason(response: HttpResponse) -> str:
    """Return what a Status object of the API says, empty when the answer is none."""
    try:
        status = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(status, Mapping) or status.get("kind") != "Status":
        return ""
    return f": {str(status.get('message', ''))[:_LONGEST_REASON]}"


def _selectors(config: JsonObject, *, with_nodes: bool) -> dict[str, dict[str, str]]:
    role = get_text(config, "role")
    allowed = [*_SELECTABLE.get(role, (role,)), *(["node"] if with_nodes else [])]
    found: dict[str, dict[str, str]] = {}
    for place, selector in enumerate(get_objects(config, "selectors")):
        chosen = get_text(selector, "role")
        field = f"/selectors/{place}/role"
        if chosen not in allowed:
            message = f"A selector of {chosen} has no effect here; use {', '.join(allowed)}."
            raise ConfigurationError(message, field=field)
        if chosen in found:
            raise ConfigurationError(f"There are two selectors of {chosen}.", field=field)
        named = {
            "labelSelector": get_text(selector, "label"),
            "fieldSelector": get_text(selector, "field"),
        }
        found[chosen] = {name: text for name, text in named.items() if text}
    return found
