"""The inhibition rules, and one of them with what it mutes now, saved or as it is typed."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import InhibitionRule
from apps.notifications.selectors import inhibition_rule_get, inhibition_rule_list
from apps.notifications.services.inhibition import Inhibition, inhibition_of, inhibition_read
from apps.notifications.services.inhibition_look import InhibitionGlass, InhibitionLook
from apps.notifications.web.editors.inhibition import INHIBITION_EDITOR
from detectviz.clock import utc_now
from detectviz.resources.services import resource_delete
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import spec_create, spec_draft, spec_edit

_LOOK = "notifications/partials/_inhibition_look.html"


@dataclass(frozen=True)
class InhibitionListPage:
    """The rules somebody may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[tuple[InhibitionRule, int]]:
        """Each rule with how many alerts it mutes now."""
        found = list(
            self.scope.access.filter(
                inhibition_rule_list(org=self.scope.org), "inhibitionrules:read"
            )
        )
        if not found:
            return []
        glass = glass_of(self.scope)
        return [(row, glass.muted(inhibition_of(row)) if row.is_enabled else 0) for row in found]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add rules."""
        return self.scope.can("inhibitionrules:create")


@dataclass(frozen=True)
class InhibitionPage:
    """What a rule does now; ``rule`` is None while it can't be read yet."""

    scope: OrgScope
    rule: Inhibition | None
    is_enabled: bool = True
    row: InhibitionRule | None = None
    errors: Errors | None = None

    @cached_property
    def look(self) -> InhibitionLook | None:
        """What it mutes, for those who may see alerts."""
        if self.rule is None or not self.may_see:
            return None
        return glass_of(self.scope).look(self.rule)

    @property
    def may_see(self) -> bool:
        """Return whether the user may see alerts."""
        return self.scope.can("alerts:read")

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("inhibitionrules:update", self.row)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("inhibitionrules:delete", self.row)


def glass_of(scope: OrgScope) -> InhibitionGlass:
    """Return the firing alerts as the user may see them."""
    return InhibitionGlass(org=scope.org, access=scope.access, now=utc_now())


@org_page("inhibitionrules:read")
def inhibition_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    page = InhibitionListPage(scope)
    return render_page(request, "notifications/inhibition_list.html", page)


@org_page("inhibitionrules:read")
def inhibition_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one rule, or for HTMX what it mutes now."""
    row = _rule_of(scope, name, "inhibitionrules:read")
    page = InhibitionPage(scope, inhibition_of(row), is_enabled=row.is_enabled, row=row)
    return render_page(request, "notifications/inhibition_detail.html", page, fragment=_LOOK)


@org_page("inhibitionrules:create")
def inhibition_new(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new rule and take it."""
    return spec_create(request, scope, INHIBITION_EDITOR)


@org_page("inhibitionrules:update")
def inhibition_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a rule and take it."""
    row = _rule_of(scope, name, "inhibitionrules:update")
    return spec_edit(request, scope, INHIBITION_EDITOR, row)


@require_POST
@org_page("inhibitionrules:read")
def inhibition_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what the rule as typed so far would mute now."""
    draft = spec_draft(request, scope, INHIBITION_EDITOR)
    rule = inhibition_read(name="", spec=draft.spec) if draft.spec else None
    is_enabled = bool(draft.spec["enabled"]) if draft.spec else True
    page = InhibitionPage(scope, rule, is_enabled=is_enabled, errors=draft.errors)
    return render_page(request, _LOOK, page)


@require_POST
@org_page("inhibitionrules:delete")
def inhibition_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a rule."""
    _rule_of(scope, name, "inhibitionrules:delete")
    resource_delete(INHIBITION_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    back = reverse(INHIBITION_EDITOR.list_route, args=[scope.org.name])
    return go_to(request, back, said=f"{name} is deleted.")


def _rule_of(scope: OrgScope, name: str, permission: str) -> InhibitionRule:
    row = inhibition_rule_get(org=scope.org, name=name)
    scope.access.require(permission, row)
    return row
