"""Escalation policies, one of them with its runs, and who was told about one alert."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.oncall.models import EscalationPolicy, EscalationRun
from apps.oncall.selectors import policy_get, policy_list, run_list, runs_of
from apps.oncall.services.policies import target_of
from apps.oncall.web.editors.policies import POLICY_EDITOR
from detectviz.resources.services import resource_delete
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import spec_create, spec_edit


@dataclass(frozen=True)
class PolicyListPage:
    """The policies somebody may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[tuple[EscalationPolicy, list[str]]]:
        """Each with its steps in words."""
        rows = self.scope.access.filter(policy_list(self.scope.org), "escalations:read")
        return [(row, steps_text(row.steps)) for row in rows]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add policies."""
        return self.scope.can("escalations:create")


@dataclass(frozen=True)
class PolicyPage:
    """One policy."""

    scope: OrgScope
    policy: EscalationPolicy

    @property
    def steps(self) -> list[tuple[list[tuple[str, str]], str]]:
        """Whom each step tells, and how long it waits."""
        return [([target_of(one) for one in step["targets"]], step["wait"]) for step in self._steps]

    @property
    def _steps(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.policy.steps
        return found

    @cached_property
    def runs(self) -> list[EscalationRun]:
        """The latest runs."""
        return run_list(self.scope.org, policy=self.policy.name)

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("escalations:update", self.policy)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("escalations:delete", self.policy)


@dataclass(frozen=True)
class AlertRunsPage:
    """Who was told about one alert by escalation."""

    scope: OrgScope
    fingerprint: str

    @cached_property
    def runs(self) -> list[EscalationRun]:
        """The runs, for those who may read them."""
        return runs_of(self.scope.org, self.fingerprint) if self._may_read else []

    @property
    def _may_read(self) -> bool:
        return self.scope.can("escalations:read")


def steps_text(steps: list[dict[str, Any]]) -> list[str]:
    """Return each step in words."""
    return [", ".join(target_of(target)[1] for target in step["targets"]) for step in steps]


@org_page("escalations:read")
def policy_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    return render_page(request, "oncall/policy_list.html", PolicyListPage(scope))


@org_page("escalations:read")
def policy_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one policy and its latest runs."""
    page = PolicyPage(scope, _policy_of(scope, name, "escalations:read"))
    return render_page(request, "oncall/policy_detail.html", page)


@org_page("escalations:create")
def policy_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new policy and take it."""
    return spec_create(request, scope, POLICY_EDITOR)


@org_page("escalations:update")
def policy_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a policy and take it."""
    policy = _policy_of(scope, name, "escalations:update")
    return spec_edit(request, scope, POLICY_EDITOR, policy)


@require_POST
@org_page("escalations:delete")
def policy_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a policy."""
    _policy_of(scope, name, "escalations:delete")
    resource_delete(POLICY_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    back = reverse(POLICY_EDITOR.list_route, args=[scope.org.name])
    return go_to(request, back, said=f"{name} is deleted.")


@org_page()
def escalation_for(request: PageRequest, scope: OrgScope, *, fingerprint: str) -> HttpResponse:
    """Show who was told about one alert; nothing where no policy was at work."""
    page = AlertRunsPage(scope, fingerprint)
    return render_page(request, "oncall/partials/_escalation_for.html", page)


def _policy_of(scope: OrgScope, name: str, permission: str) -> EscalationPolicy:
    policy = policy_get(scope.org, name)
    scope.access.require(permission, policy)
    return policy
