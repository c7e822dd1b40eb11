"""``plugins/v1`` tools: which there are, and running one."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.extensions.api.serializers import API_VERSION
from apps.extensions.api.tools.serializers import ToolRunRequest, ToolRunSpec
from apps.extensions.api.views import PluginsApiView
from apps.extensions.selectors import plugin_choices
from apps.extensions.services.tools import PERMISSION, tool_run
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.resources.errors import NotFoundError
from detectviz.resources.validation import validate_data


class ToolListView(PluginsApiView):
    """The tools the org can run now."""

    @extend_schema(operation_id="list_tools", responses=dict, tags=[API_VERSION])
    def get(self, request: Request, org: str) -> Response:
        """List them by name, each with the schema of what it is asked."""
        owner, _ = self.enter(request, org, PERMISSION)
        items = [_envelope(each, org) for each in plugin_choices(PluginKind.TOOL, owner)]
        return Response({"apiVersion": API_VERSION, "kind": "ToolList", "items": items})


class ToolRunView(PluginsApiView):
    """Runs a tool."""

    @extend_schema(
        operation_id="run_tools", request=ToolRunRequest, responses=dict, tags=[API_VERSION]
    )
    def post(self, request: Request, org: str, name: str) -> Response:
        """Run it now and answer what came of it; 200 also when not all is right."""
        owner, _ = self.enter(request, org, PERMISSION)
        if all(each.name != name for each in plugin_choices(PluginKind.TOOL, owner)):
            raise NotFoundError(f"There is no tool {name}, or it is switched off.")
        spec = validate_data(ToolRunSpec, self.body(request).get("spec", {}), {})
        answer = tool_run(org=owner, actor=request.user, name=name, config=spec["config"])
        return Response(
            {
                "apiVersion": API_VERSION,
                "kind": "ToolRun",
                "metadata": {"name": name, "org": org},
                "spec": {"config": spec["config"]},
                "status": {
                    "ok": answer.is_ok,
                    "summary": answer.summary,
                    "drawings": [asdict(each) for each in answer.drawings],
                },
            }
        )


def _envelope(plugin: PluginDescription, org: str) -> dict[str, Any]:
    manifest = plugin.require()
    return {
        "apiVersion": API_VERSION,
        "kind": "Tool",
        "metadata": {"name": plugin.name, "org": org},
        "spec": {
            "title": manifest.title,
            "description": manifest.description,
            "version": manifest.version,
            "config_schema": manifest.config_schema,
        },
    }
