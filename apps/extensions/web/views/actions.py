"""What people do with a plugin: switch it, set it, allow it what it asks for."""

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.extensions.services.approvals import plugin_approval_withdraw, plugin_approve
from apps.extensions.services.switches import plugin_configure, plugin_switch
from apps.extensions.web.forms import settings_submitted
from apps.extensions.web.views.plugins import (
    OPERATE,
    UPDATE,
    PluginDetailPage,
    plugin_find,
)
from detectviz.pluginhost.description import PluginDescription, shown
from detectviz.pluginhost.installing import permissions_of
from detectviz.resources.errors import ConflictError, InvalidFieldsError, NotFoundError
from detectviz.web.forms import Errors, field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

_WORDS = {"on": True, "off": False}


@require_POST
@org_page(UPDATE)
def plugin_switch_org(
    request: PageRequest, scope: OrgScope, *, kind: str, name: str, word: str
) -> HttpResponse:
    """Switch a plugin on or off for the org."""
    scope.access.require(UPDATE)
    plugin, is_on = plugin_find(kind, name), _is_on(word)
    plugin_switch(plugin=plugin, is_enabled=is_on, org=scope.org, actor=scope.user)
    return _back(request, scope, plugin, f"{plugin.name} is {word} for this organisation.")


@require_POST
@org_page(OPERATE)
def plugin_switch_deployment(
    request: PageRequest, scope: OrgScope, *, kind: str, name: str, word: str
) -> HttpResponse:
    """Switch a plugin on or off for all orgs."""
    scope.access.require(OPERATE)
    plugin, is_on = plugin_find(kind, name), _is_on(word)
    plugin_switch(plugin=plugin, is_enabled=is_on, actor=scope.user)
    return _back(request, scope, plugin, f"{plugin.name} is {word} for every organisation.")


@require_POST
@org_page(OPERATE)
def plugin_approve_page(
    request: PageRequest, scope: OrgScope, *, kind: str, name: str
) -> HttpResponse:
    """Allow a plugin what it asks for: what stood on the page, not what came meanwhile."""
    scope.access.require(OPERATE)
    plugin = plugin_find(kind, name)
    asked = permissions_of(plugin.manifest.permissions) if plugin.manifest else frozenset()
    if plugin.manifest is None or set(request.POST.getlist("permission")) != asked:
        raise ConflictError("What the plugin asks for changed meanwhile; look at it again.")
    plugin_approve(
        plugin=shown(plugin.key),
        permissions=asked,
        version=plugin.manifest.version,
        actor_id=scope.user.pk,
    )
    return _back(request, scope, plugin, f"{plugin.name} may now use what it asks for.")


@require_POST
@org_page(OPERATE)
def plugin_withdraw_page(
    request: PageRequest, scope: OrgScope, *, kind: str, name: str
) -> HttpResponse:
    """Allow a plugin nothing any more."""
    scope.access.require(OPERATE)
    plugin = plugin_find(kind, name)
    plugin_approval_withdraw(plugin=shown(plugin.key), actor_id=scope.user.pk)
    return _back(request, scope, plugin, f"{plugin.name} is allowed nothing any more.")


@require_POST
@org_page(UPDATE)
def plugin_settings_save(
    request: PageRequest, scope: OrgScope, *, kind: str, name: str
) -> HttpResponse:
    """Store what the org sets for a plugin, or show what is wrong with it."""
    scope.access.require(UPDATE)
    plugin = plugin_find(kind, name)
    config, secrets = settings_submitted(plugin, request.POST)
    errors = _saved(scope, plugin, config, secrets, request.POST.get("resource_version", ""))
    if errors:
        page = PluginDetailPage(scope=scope, plugin=plugin, document=config, errors=errors)
        return render_page(request, "extensions/plugin_detail.html", page, status=422)
    return _back(request, scope, plugin, f"The settings of {plugin.name} are saved.")


def _saved(
    scope: OrgScope,
    plugin: PluginDescription,
    config: dict[str, object],
    secrets: dict[str, str],
    version: str,
) -> Errors:
    try:
        plugin_configure(
            plugin=plugin,
            org=scope.org,
            config=config,
            secrets=secrets,
            resource_version=int(version) if version.isdecimal() else None,
            actor=scope.user,
        )
    except InvalidFieldsError as error:
        return field_errors(error.fields)
    except ConflictError as error:
        return {"": [error.message]}
    return {}


def _is_on(word: str) -> bool:
    if word not in _WORDS:
        raise NotFoundError
    return _WORDS[word]


def _back(
    request: PageRequest, scope: OrgScope, plugin: PluginDescription, said: str
) -> HttpResponse:
    target = reverse(
        "extensions:plugin-detail", args=[scope.org.name, plugin.kind.value, plugin.name]
    )
    return go_to(request, target, said=said)
