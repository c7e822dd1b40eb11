"""Rule groups: the list, one group, switching it off, deleting it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.alerting.models import Rule, RuleGroup
from apps.alerting.selectors import rulegroup_get, rulegroup_list
from apps.alerting.services.builtin import BUILTIN_NAME, builtin_restore
from detectviz.resources.errors import NotFoundError
from detectviz.resources.services import resource_delete, resource_write
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import kind_of


def rulegroup_kind() -> Any:
    """Return the registered kind."""
    return kind_of("alerting/v1", "RuleGroup")


def group_of(scope: OrgScope, name: str, permission: str) -> RuleGroup:
    """Return the group, if the user holds ``permission`` on it."""
    group = rulegroup_get(scope.org, name)
    if group is None:
        raise NotFoundError
    scope.access.require(permission, group)
    return group


@dataclass(frozen=True)
class RuleGroupListPage:
    """All rule groups the user may read."""

    scope: OrgScope

    @cached_property
    def groups(self) -> list[RuleGroup]:
        """The groups with what their rules do."""
        return list(self.scope.access.filter(rulegroup_list(self.scope.org), "rulegroups:read"))

    @property
    def may_create(self) -> bool:
        """Return whether the user may add groups."""
        return self.scope.can("rulegroups:create")

    @property
    def lacks_builtin(self) -> bool:
        """Return whether the group every org starts with is gone."""
        return all(group.name != BUILTIN_NAME for group in self.groups)


@dataclass(frozen=True)
class RuleGroupPage:
    """One group with its rules."""

    scope: OrgScope
    group: RuleGroup

    @cached_property
    def rules(self) -> list[Rule]:
        """The rules in order."""
        return list(self.group.rules.all())

    @property
    def interval_s(self) -> float:
        """Seconds between evaluations."""
        return self.group.interval_ms / 1000

    @property
    def may_update(self) -> bool:
        """Return whether the user may edit the group."""
        return not self.group.owner and self.scope.can("rulegroups:update", self.group)

    @property
    def may_read_alerts(self) -> bool:
        """Return whether the user may look at the alerts of its rules."""
        return self.scope.can("alerts:read")

    @property
    def may_silence(self) -> bool:
        """Return whether the user may silence the alerts of its rules."""
        return self.scope.can("silences:create")

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete the group."""
        return not self.group.owner and self.scope.can("rulegroups:delete", self.group)


@org_page("rulegroups:read")
def rulegroup_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the rule groups, or for HTMX the list."""
    return render_page(
        request,
        "alerting/rulegroup_list.html",
        RuleGroupListPage(scope),
        fragment="alerting/partials/_rulegroup_list.html",
    )


@org_page("rulegroups:read")
def rulegroup_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one group, or for HTMX its rules."""
    page = RuleGroupPage(scope, group_of(scope, name, "rulegroups:read"))
    return render_page(
        request,
        "alerting/rulegroup_detail.html",
        page,
        fragment="alerting/partials/_rulegroup_rules.html",
    )


@require_POST
@org_page("rulegroups:update")
def rulegroup_enable(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Switch a group on or off."""
    group = group_of(scope, name, "rulegroups:update")
    wanted = request.POST.get("enabled") == "true"
    spec = {**rulegroup_kind().to_spec(group), "enabled": wanted}
    resource_write(
        rulegroup_kind(), org=scope.org, actor=scope.user, name=name, spec=spec, mode="update"
    )
    target = reverse("alerting:rulegroup-detail", args=[scope.org.name, name])
    return go_to(request, target, said=f"{name} is {'evaluated again' if wanted else 'off'}.")


@require_POST
@org_page("rulegroups:delete")
def rulegroup_remove(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a group; its alerts end."""
    group_of(scope, name, "rulegroups:delete")
    resource_delete(rulegroup_kind(), org=scope.org, actor=scope.user, name=name)
    target = reverse("alerting:rulegroup-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")


@require_POST
@org_page("rulegroups:create")
def rulegroup_restore(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Bring back the built-in group as it came."""
    scope.access.require("rulegroups:create")
    group = builtin_restore(org=scope.org, actor=scope.user)
    target = reverse("alerting:rulegroup-detail", args=[scope.org.name, group.name])
    return go_to(request, target, said="The built-in group is as it came.")
