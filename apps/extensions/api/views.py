"""``plugins/v1``: which plugins there are. Read-only."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.extensions.selectors import plugin_host, plugin_list
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.pluginhost.errors import NotRegisteredError
from detectviz.resources.api.formats import JsonRenderer, YamlRenderer
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.tenancy.requests import org_access

API_VERSION = "plugins/v1"
PERMISSION = "plugins:read"


class PluginListView(APIView):
    """All plugins of this deployment, broken ones with their reasons."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(
        operation_id="list_plugins",
        parameters=[OpenApiParameter("kind", str, enum=[kind.value for kind in PluginKind])],
        responses=dict,
        tags=[API_VERSION],
    )
    def get(self, request: Request, org: str) -> Response:
        """List by kind and name."""
        _, access = org_access(request, org)
        access.require(PERMISSION)
        chosen = _kind(request.query_params.get("kind", ""))
        items = [_envelope(plugin, org) for plugin in plugin_list(chosen)]
        return Response({"apiVersion": API_VERSION, "kind": "PluginList", "items": items})


class PluginView(APIView):
    """One plugin with the schema of its configuration."""

    renderer_classes = [JsonRenderer, YamlRenderer]

    @extend_schema(operation_id="read_plugins", responses=dict, tags=[API_VERSION])
    def get(self, request: Request, org: str, kind: str, name: str) -> Response:
        """Read one."""
        _, access = org_access(request, org)
        access.require(PERMISSION)
        try:
            plugin = plugin_host().describe(PluginKind(kind), name)
        except (ValueError, NotRegisteredError) as error:
            raise NotFoundError from error
        envelope = _envelope(plugin, org)
        if plugin.manifest is not None:
            envelope["spec"]["config_schema"] = plugin.manifest.config_schema
        return Response(envelope)


def _kind(text: str) -> PluginKind | None:
    if not text:
        return None
    try:
        return PluginKind(text)
    except ValueError as error:
        known = ", ".join(kind.value for kind in PluginKind)
        raise InvalidFieldsError({"kind": [f"Choose one of {known}."]}) from error


def _envelope(plugin: PluginDescription, org: str) -> dict[str, Any]:
    manifest = plugin.manifest
    spec: dict[str, Any] = {"kind": plugin.kind.value}
    if manifest is not None:
        spec |= {
            "title": manifest.title,
            "description": manifest.description,
            "version": manifest.version,
            "category": manifest.category,
            "quality": manifest.quality,
            "requirements": list(manifest.requirements),
            "permissions": {
                "network": list(manifest.permissions.network),
                "files": list(manifest.permissions.files),
                "secrets": list(manifest.permissions.secrets),
            },
        }
    problems = [{"field": each.field, "message": each.message} for each in plugin.problems]
    return {
        "apiVersion": API_VERSION,
        "kind": "Plugin",
        "metadata": {"name": plugin.name, "org": org},
        "spec": spec,
        "status": {"state": plugin.status, "problems": problems},
    }
