"""The plugins of this deployment, and one of them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.http import HttpResponse

from apps.extensions.models import OrgPlugin, PluginApproval, PluginUse
from apps.extensions.selectors import (
    gate,
    is_enabled,
    org_plugin_get,
    plugin_approval_get,
    plugin_get,
    plugin_host,
    plugin_list,
    plugin_use,
    plugin_use_days,
)
from apps.extensions.web.forms import settings_form
from detectviz.clock import utc_now
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription, PluginKey
from detectviz.pluginhost.host import PluginHealth
from detectviz.pluginhost.installing import permissions_of
from detectviz.pluginhost.journal import LogLine, journal
from detectviz.pluginhost.registry import Statistics
from detectviz.pluginhost.trust import TrustDecision
from detectviz.pluginhost.usage import usage_count
from detectviz.resources.errors import NotFoundError
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

READ, UPDATE, OPERATE = "plugins:read", "plugins:update", "plugins:operate"
STATES = ("loaded", "idle", "degraded", "broken", "off")
_USE_DAYS = 30
_TABLE = "extensions/partials/_plugin_table.html"


@dataclass(frozen=True)
class ShownPlugin:
    """One plugin as it is for one org, in the process that answers."""

    plugin: PluginDescription
    org: str

    @property
    def title(self) -> str:
        """The title, or the name of one whose manifest can't be read."""
        return self.plugin.manifest.title if self.plugin.manifest else self.plugin.name

    @cached_property
    def health(self) -> PluginHealth:
        """How it is in this process."""
        return plugin_host().health(self.plugin.kind, self.plugin.name)

    @cached_property
    def is_on(self) -> bool:
        """Whether neither the org nor the deployment switched it off."""
        return self.is_on_everywhere and is_enabled(self.plugin, self.org)

    @cached_property
    def is_on_everywhere(self) -> bool:
        """Whether the deployment has it on."""
        return self.plugin.status != "disabled" and is_enabled(self.plugin, None)

    @property
    def state(self) -> str:
        """One of STATES."""
        if not self.is_on:
            return "off"
        if self.plugin.status == "broken":
            return "broken"
        if self.health.status == "degraded":
            return "degraded"
        return "loaded" if self.plugin.status == "loaded" else "idle"

    @property
    def reason(self) -> str:
        """Why it is off or broken. What degraded ones raised may be about any org: not here."""
        if self.plugin.status in {"disabled", "broken"}:
            return " ".join(problem.message for problem in self.plugin.problems)
        if not self.is_on:
            return (
                "Switched off for this organisation."
                if self.is_on_everywhere
                else "Switched off for the whole deployment."
            )
        return "Its last calls raised errors." if self.state == "degraded" else ""

    @cached_property
    def judgement(self) -> TrustDecision | None:
        """What the trust gate said, with the key that signed it."""
        return gate.decision_of(self.plugin.folder)

    @property
    def level(self) -> str:
        """The trust level."""
        return self.judgement.level.value if self.judgement else self.plugin.trust

    @property
    def signature(self) -> str:
        """Who vouches for its files, in a few words."""
        judgement = self.judgement
        if self.level == "core":
            return "part of the installation"
        if judgement is None or not judgement.key_id:
            return "not signed"
        return f"signed by key {judgement.key_id}"


@dataclass(frozen=True)
class PluginListPage:
    """The list, by kind."""

    scope: OrgScope
    kind: str
    state: str

    kinds = tuple(kind.value for kind in PluginKind)
    states = STATES

    @cached_property
    def rows(self) -> tuple[ShownPlugin, ...]:
        """What the filters leave."""
        kind = PluginKind(self.kind) if self.kind else None
        every = (ShownPlugin(each, self.scope.org.name) for each in plugin_list(kind))
        return tuple(each for each in every if self.state in {"", each.state})

    @property
    def groups(self) -> list[tuple[str, list[ShownPlugin]]]:
        """The rows under their kinds."""
        found: dict[str, list[ShownPlugin]] = {}
        for each in self.rows:
            found.setdefault(each.plugin.kind.value, []).append(each)
        return list(found.items())

    @cached_property
    def usage(self) -> Mapping[PluginKey, Mapping[str, int]]:
        """The org's resources that refer to each plugin."""
        return usage_count(self.scope.org.pk)

    @property
    def shown(self) -> list[tuple[str, list[tuple[ShownPlugin, str]]]]:
        """The groups, each row with who uses it in words."""
        return [
            (kind, [(row, used_by(self.usage.get(row.plugin.key, {}))) for row in rows])
            for kind, rows in self.groups
        ]


@dataclass(frozen=True, kw_only=True)
class PluginDetailPage:
    """One plugin."""

    scope: OrgScope
    plugin: PluginDescription
    document: Mapping[str, Any] | None = None
    errors: Errors | None = None

    @cached_property
    def shown(self) -> ShownPlugin:
        """What is said of it."""
        return ShownPlugin(self.plugin, self.scope.org.name)

    @property
    def may_update(self) -> bool:
        """Whether the user may switch and set it for the org."""
        return self.scope.can(UPDATE)

    @property
    def may_operate(self) -> bool:
        """Whether the user looks after the platform."""
        return self.scope.can(OPERATE)

    @cached_property
    def row(self) -> OrgPlugin | None:
        """What the org set."""
        return org_plugin_get(self.scope.org, self.plugin.key)

    @property
    def version(self) -> int:
        """The version of what the org set."""
        return self.row.resource_version if self.row else 0

    @cached_property
    def form(self) -> SchemaForm | None:
        """The org's settings; None where there is nothing to set."""
        made = settings_form(self.plugin, self.row, document=self.document, errors=self.errors)
        return made if made.fields else None

    @property
    def used_by(self) -> str:
        """Which resources of the org refer to it."""
        return used_by(usage_count(self.scope.org.pk, self.plugin.kind).get(self.plugin.key, {}))

    # --- permissions ---

    @cached_property
    def approval(self) -> PluginApproval | None:
        """What administrators allowed it."""
        return plugin_approval_get(self.plugin.key)

    @property
    def needs_approval(self) -> bool:
        """Built-in plugins have what they declare."""
        return self.shown.level != "core"

    @cached_property
    def permissions(self) -> list[tuple[str, str, bool]]:
        """What it asks for: sort, what, and whether it is approved."""
        if self.plugin.manifest is None:
            return []
        asked = self.plugin.manifest.permissions
        approved = self.approval.permissions if self.approval else []
        return [
            (field.name, value, not self.needs_approval or f"{field.name}:{value}" in approved)
            for field in fields(asked)
            for value in getattr(asked, field.name)
        ]

    @property
    def asked(self) -> list[str]:
        """What it asks for as words."""
        manifest = self.plugin.manifest
        return sorted(permissions_of(manifest.permissions)) if manifest else []

    @property
    def lacks_approval(self) -> bool:
        """Whether something it asks for is not approved."""
        return any(not is_approved for _, _, is_approved in self.permissions)

    # --- what only the platform sees: it is about all orgs ---

    @property
    def statistics(self) -> Statistics:
        """Calls in this process since it started."""
        return plugin_host().registry.ledger(self.plugin.key).statistics

    @cached_property
    def use(self) -> list[PluginUse]:
        """Calls by day over all processes."""
        return plugin_use_days(self.plugin.key, _since())

    @property
    def use_total(self) -> dict[str, Any]:
        """Calls of these days together."""
        return plugin_use(_since()).get(self.plugin.key, {"executions": 0})

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """The last lines of its log in this process."""
        return journal.lines(self.plugin.key)


def used_by(counts: Mapping[str, int]) -> str:
    """Say which resources refer to a plugin."""
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()) if count)


def plugin_find(kind: str, name: str) -> PluginDescription:
    """Return the plugin of an address; raise NotFoundError."""
    found = plugin_get(kind, name)
    if found is None:
        raise NotFoundError
    return found


@org_page(READ)
def plugin_index(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list; a filter nobody knows is none."""
    kind, state = (request.GET.get(name, "") for name in ("kind", "state"))
    page = PluginListPage(
        scope,
        kind=kind if kind in PluginListPage.kinds else "",
        state=state if state in STATES else "",
    )
    return render_page(request, "extensions/plugin_list.html", page, fragment=_TABLE)


@org_page(READ)
def plugin_detail(request: PageRequest, scope: OrgScope, *, kind: str, name: str) -> HttpResponse:
    """Show one plugin."""
    page = PluginDetailPage(scope=scope, plugin=plugin_find(kind, name))
    return render_page(request, "extensions/plugin_detail.html", page)


def _since() -> Any:
    return (utc_now() - timedelta(days=_USE_DAYS)).date()
