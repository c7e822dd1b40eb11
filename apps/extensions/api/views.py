"""``plugins/v1``: which plugins there are, switching them, and what an org sets for them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import models
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.extensions.api.serializers import (
    API_VERSION,
    ConfigSpec,
    DeploymentSpec,
    config_envelope,
    plugin_envelope,
)
from apps.extensions.selectors import (
    org_plugin_get,
    plugin_get,
    plugin_host,
    plugin_list,
    plugin_use,
)
from apps.extensions.services.switches import (
    plugin_configure,
    plugin_deployment_settings,
    plugin_switch,
)
from detectviz.clock import utc_now
from detectviz.contracts.types import PluginKind
from detectviz.permissions.access import Access
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.usage import usage_count
from detectviz.resources.api.formats import JsonParser, JsonRenderer, YamlParser, YamlRenderer
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.resources.validation import validate_data
from detectviz.tenancy.requests import org_access

READ = "plugins:read"
UPDATE = "plugins:update"
OPERATE = "plugins:operate"
_USE_DAYS = 30


class PluginsApiView(APIView):
    """What all views of plugins share."""

    parser_classes = [JsonParser, YamlParser]
    renderer_classes = [JsonRenderer, YamlRenderer]

    def enter(self, request: Request, org: str, permission: str) -> tuple[models.Model, Access]:
        """Return the org and the caller's access, who must have ``permission``."""
        owner, access = org_access(request, org)
        access.require(permission)
        return owner, access

    def plugin(self, kind: str, name: str) -> PluginDescription:
        """Return the plugin of an address; raise NotFoundError."""
        found = plugin_get(kind, name)
        if found is None:
            raise NotFoundError
        return found

    def body(self, request: Request) -> Mapping[str, Any]:
        """Return what was sent; an empty object for what is none."""
        return request.data if isinstance(request.data, Mapping) else {}


class PluginListView(PluginsApiView):
    """All plugins of this deployment, broken ones with their reasons."""

    @extend_schema(
        operation_id="list_plugins",
        parameters=[OpenApiParameter("kind", str, enum=[kind.value for kind in PluginKind])],
        responses=dict,
        tags=[API_VERSION],
    )
    def get(self, request: Request, org: str) -> Response:
        """List by kind and name."""
        owner, _ = self.enter(request, org, READ)
        chosen = _kind(request.query_params.get("kind", ""))
        usage = usage_count(owner.pk, chosen)
        items = [plugin_envelope(plugin, org, usage) for plugin in plugin_list(chosen)]
        return Response({"apiVersion": API_VERSION, "kind": "PluginList", "items": items})


class PluginView(PluginsApiView):
    """One plugin with the schemas of its configuration."""

    @extend_schema(operation_id="read_plugins", responses=dict, tags=[API_VERSION])
    def get(self, request: Request, org: str, kind: str, name: str) -> Response:
        """Read one; how it fares is the platform's to see, of all orgs."""
        owner, access = self.enter(request, org, READ)
        plugin = self.plugin(kind, name)
        envelope = plugin_envelope(plugin, org, usage_count(owner.pk, plugin.kind))
        if plugin.manifest is not None:
            envelope["spec"]["config_schema"] = plugin.manifest.config_schema
            envelope["spec"]["query_schema"] = plugin.manifest.query_schema
            envelope["spec"]["settings_schema"] = plugin.manifest.settings_schema
        if access.allows(OPERATE):
            envelope["status"] |= _deployment_status(plugin)
        return Response(envelope)


class PluginSwitchView(PluginsApiView):
    """Switches a plugin on or off for the org."""

    is_enabled = True

    @extend_schema(request=None, responses=dict, tags=[API_VERSION])
    def post(self, request: Request, org: str, kind: str, name: str) -> Response:
        """Switch; every process follows within seconds."""
        owner, _ = self.enter(request, org, UPDATE)
        plugin = self.plugin(kind, name)
        plugin_switch(plugin=plugin, is_enabled=self.is_enabled, org=owner, actor=request.user)
        return Response({"plugin": f"{kind}/{plugin.name}", "enabled": self.is_enabled})


class PluginConfigView(PluginsApiView):
    """What the org sets for a plugin."""

    @extend_schema(operation_id="read_plugin_config", responses=dict, tags=[API_VERSION])
    def get(self, request: Request, org: str, kind: str, name: str) -> Response:
        """Read it; secrets only as set or not."""
        owner, _ = self.enter(request, org, READ)
        plugin = self.plugin(kind, name)
        return Response(config_envelope(plugin, org, org_plugin_get(owner, plugin.key)))

    @extend_schema(
        operation_id="put_plugin_config", request=ConfigSpec, responses=dict, tags=[API_VERSION]
    )
    def put(self, request: Request, org: str, kind: str, name: str) -> Response:
        """Replace it; a stale ``metadata.resource_version`` is refused."""
        owner, _ = self.enter(request, org, UPDATE)
        plugin = self.plugin(kind, name)
        body = self.body(request)
        spec = validate_data(ConfigSpec, body.get("spec"), {})
        row = plugin_configure(
            plugin=plugin,
            org=owner,
            config=spec["config"],
            secrets=spec["secrets"],
            resource_version=_version(body.get("metadata")),
            actor=request.user,
        )
        return Response(config_envelope(plugin, org, row))


class PluginDeploymentView(PluginsApiView):
    """The platform's switch of a plugin, for all orgs, and its settings."""

    @extend_schema(
        operation_id="put_plugin_deployment",
        request=DeploymentSpec,
        responses=dict,
        tags=[API_VERSION],
    )
    def put(self, request: Request, org: str, kind: str, name: str) -> Response:
        """Change what is named."""
        self.enter(request, org, OPERATE)
        plugin = self.plugin(kind, name)
        spec = validate_data(DeploymentSpec, self.body(request).get("spec"), {})
        if "settings" in spec:
            plugin_deployment_settings(plugin=plugin, settings=spec["settings"], actor=request.user)
        if "enabled" in spec:
            plugin_switch(plugin=plugin, is_enabled=spec["enabled"], actor=request.user)
        return Response({"plugin": f"{kind}/{plugin.name}", **spec})


def _kind(text: str) -> PluginKind | None:
    if not text:
        return None
    try:
        return PluginKind(text)
    except ValueError as error:
        known = ", ".join(kind.value for kind in PluginKind)
        raise InvalidFieldsError({"kind": [f"Choose one of {known}."]}) from error


def _version(metadata: object) -> int | None:
    version = metadata.get("resource_version") if isinstance(metadata, Mapping) else None
    if version is None or (isinstance(version, int) and not isinstance(version, bool)):
        return version
    raise InvalidFieldsError({"metadata.resource_version": ["Write a whole number."]})


def _deployment_status(plugin: PluginDescription) -> dict[str, Any]:
    health = plugin_host().health(plugin.kind, plugin.name)
    since = (utc_now() - timedelta(days=_USE_DAYS)).date()
    return {
        "health": {
            "status": health.status,
            "message": health.message,
            "memory_bytes": health.memory_bytes,
        },
        f"last_{_USE_DAYS}_days": plugin_use(since).get(plugin.key, {}),
    }
