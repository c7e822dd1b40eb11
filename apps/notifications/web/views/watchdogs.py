"""Watchdogs: whether alerts arrive, the last proof of each route, editing."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import Watchdog
from apps.notifications.selectors import watchdog_get, watchdog_list
from apps.notifications.services.watchdog_specs import watchdog_draft
from apps.notifications.services.watchdogs import (
    ReceiverProof,
    watchdog_points,
    watchdog_proofs,
)
from apps.notifications.web.editors.watchdogs import WATCHDOG_EDITOR
from detectviz.resources.services import resource_delete
from detectviz.web.forms import field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import draft_problems, spec_create, spec_draft, spec_edit


@dataclass(frozen=True)
class ShownWatchdog:
    """A watchdog with where its alert goes."""

    watchdog: Watchdog

    @cached_property
    def points(self) -> list[str]:
        """The contact points its alert is routed to now."""
        return watchdog_points(self.watchdog)

    @property
    def state(self) -> tuple[str, str]:
        """How it looks, and its state in words."""
        if not self.watchdog.is_enabled:
            return "paused", "Off"
        if self.watchdog.is_failing:
            return "down", "Proof is missing"
        return ("ok", "Proved") if self.watchdog.proved_at else ("queued", "First round")


@dataclass(frozen=True)
class WatchdogListPage:
    """The watchdogs somebody may read."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[ShownWatchdog]:
        """Those whose proof is missing first."""
        found = self.scope.access.filter(watchdog_list(org=self.scope.org), "watchdogs:read")
        return [ShownWatchdog(row) for row in found]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add watchdogs."""
        return self.scope.can("watchdogs:create")


@dataclass(frozen=True)
class WatchdogPage:
    """One watchdog."""

    scope: OrgScope
    watchdog: Watchdog

    @cached_property
    def shown(self) -> ShownWatchdog:
        """It with where its alert goes."""
        return ShownWatchdog(self.watchdog)

    @cached_property
    def proofs(self) -> list[ReceiverProof]:
        """How the last round reached every receiver."""
        return watchdog_proofs(self.watchdog)

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("watchdogs:update", self.watchdog)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("watchdogs:delete", self.watchdog)


@dataclass(frozen=True)
class WatchdogPreview:
    """Where the alert of a watchdog as typed so far would go."""

    proofs: Sequence[ReceiverProof] = ()
    points: Sequence[str] = ()
    problems: Sequence[str] = ()
    is_known: bool = False


def watchdog_of(scope: OrgScope, name: str, permission: str) -> Watchdog:
    """Return a watchdog the user may do this with; raise NotFoundError or ForbiddenError."""
    watchdog = watchdog_get(org=scope.org, name=name)
    scope.access.require(permission, watchdog)
    return watchdog


@org_page("watchdogs:read")
def watchdog_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list, or for HTMX its rows."""
    fragment = "notifications/partials/_watchdog_list.html"
    page = WatchdogListPage(scope)
    return render_page(request, "notifications/watchdog_list.html", page, fragment=fragment)


@org_page("watchdogs:read")
def watchdog_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one watchdog and its last proof."""
    page = WatchdogPage(scope, watchdog_of(scope, name, "watchdogs:read"))
    return render_page(request, "notifications/watchdog_detail.html", page)


@org_page("watchdogs:create")
def watchdog_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new watchdog and take it."""
    return spec_create(request, scope, WATCHDOG_EDITOR)


@org_page("watchdogs:update")
def watchdog_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a watchdog and take it."""
    watchdog = watchdog_of(scope, name, "watchdogs:update")
    return spec_edit(request, scope, WATCHDOG_EDITOR, watchdog)


@require_POST
@org_page("watchdogs:read")
def watchdog_preview(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show where the alert of a watchdog as typed so far would go; nothing is saved."""
    draft = spec_draft(request, scope, WATCHDOG_EDITOR)
    page = WatchdogPreview(problems=draft_problems(scope, WATCHDOG_EDITOR, draft.errors))
    if draft.spec is not None:
        row, errors = watchdog_draft(org=scope.org, spec=draft.spec)
        page = WatchdogPreview(
            proofs=watchdog_proofs(row),
            points=watchdog_points(row),
            problems=draft_problems(scope, WATCHDOG_EDITOR, field_errors(errors)),
            is_known=True,
        )
    return render_page(request, "notifications/partials/_watchdog_preview.html", page)


@require_POST
@org_page("watchdogs:delete")
def watchdog_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a watchdog."""
    watchdog_of(scope, name, "watchdogs:delete")
    resource_delete(WATCHDOG_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    target = reverse("notifications:watchdog-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")
