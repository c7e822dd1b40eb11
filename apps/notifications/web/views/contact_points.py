"""The contact points, and one of them: receivers, a test, what it was told lately."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import ContactPoint, Watchdog
from apps.notifications.selectors import (
    contact_point_get,
    contact_point_list_falling_back,
    contact_point_list_with_last,
    delivery_list,
    routing_tree_get,
)
from apps.notifications.services.endpoint_states import endpoints_of
from apps.notifications.services.escalation import policies_telling
from apps.notifications.services.route_uses import RouteUse, contact_point_uses
from apps.notifications.services.routing import Route, build_tree, flatten
from apps.notifications.services.trials import TrialResult, contact_point_try
from apps.notifications.services.watchdogs import watchdogs_at
from apps.notifications.web.forms.contact_points import notifier_manifest
from apps.notifications.web.forms.routes import labels_of
from apps.notifications.web.views.looks import ShownDelivery, ShownStatus
from detectviz.contracts.durations import format_duration
from detectviz.resources.services import resource_delete
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import kind_of

_TABLE = "notifications/partials/_contact_point_table.html"
_TOLD = "notifications/partials/_contact_point_told.html"
_LATEST = 10
_LONGEST_LABELS = 4_000
_SHOWN_KEYS = ("to", "url", "channel", "chat_id", "address", "host", "topic", "recipient")


def contact_point_kind() -> Any:
    """Return the registered kind."""
    return kind_of("notifications/v1", "ContactPoint")


@dataclass(frozen=True)
class ShownReceiver:
    """A receiver without its secrets."""

    receiver: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The plugin's title, else its name."""
        manifest = notifier_manifest(self.receiver["notifier"])
        return manifest.title if manifest else str(self.receiver["notifier"])

    @property
    def is_usable(self) -> bool:
        """Return whether the plugin is there and whole."""
        return notifier_manifest(self.receiver["notifier"]) is not None

    @property
    def target(self) -> str:
        """Where it goes, as far as the configuration tells without secrets."""
        config = self.receiver["config"]
        found = next((config[key] for key in _SHOWN_KEYS if config.get(key)), "")
        return ", ".join(map(str, found)) if isinstance(found, list) else str(found)


@dataclass(frozen=True)
class ShownPoint:
    """One line of the list."""

    point: Any
    is_used: bool

    @property
    def receivers(self) -> tuple[ShownReceiver, ...]:
        """Its receivers."""
        return tuple(ShownReceiver(each) for each in self.point.receivers)

    @property
    def last(self) -> ShownStatus | None:
        """What became of its latest delivery."""
        if self.point.last_uid is None:
            return None
        return ShownStatus(self.point.last_status, self.point.last_attempts)


def routes_of(org: Any) -> list[Route]:
    """Return every route of the org's tree."""
    tree = routing_tree_get(org=org)
    return list(flatten(build_tree(tree.root))) if tree else []


@dataclass(frozen=True)
class ContactPointListPage:
    """The list."""

    scope: OrgScope

    @cached_property
    def rows(self) -> tuple[ShownPoint, ...]:
        """The contact points the user may see, by name."""
        named = {route.contact_point for route in self._routes}
        points = contact_point_list_with_last(org=self.scope.org)
        visible = self.scope.access.filter(points, "contactpoints:read")
        return tuple(ShownPoint(each, each.name in named) for each in visible)

    @property
    def is_silent(self) -> bool:
        """Return whether no route leads anywhere yet."""
        return not any(route.contact_point for route in self._routes)

    @property
    def may_create(self) -> bool:
        """Return whether the user may add contact points."""
        return self.scope.access.allows("contactpoints:create")

    @property
    def may_route(self) -> bool:
        """Return whether the user may change the tree."""
        return self.scope.access.allows("routingtrees:update")

    @cached_property
    def _routes(self) -> list[Route]:
        return routes_of(self.scope.org)


@dataclass(frozen=True)
class ContactPointDetailPage:
    """One contact point."""

    scope: OrgScope
    point: ContactPoint

    @property
    def receivers(self) -> tuple[ShownReceiver, ...]:
        """Its receivers."""
        return tuple(ShownReceiver(each) for each in self.point.receivers)

    @cached_property
    def troubles(self) -> list[Mapping[str, Any]]:
        """The endpoints that are left alone or whose last attempts failed."""
        return [each for each in endpoints_of(point=self.point) if each["failures"]]

    @property
    def fallback_after(self) -> str:
        """How long deliveries wait before the fallback is told."""
        return format_duration(self.point.fallback_after_ms / 1000)

    @property
    def give_up_after(self) -> str:
        """How long deliveries are tried."""
        return format_duration(self.point.give_up_after_ms / 1000)

    @cached_property
    def routes(self) -> list[RouteUse]:
        """The routes that lead here."""
        return contact_point_uses(org_id=self.scope.org.pk, name=self.point.name)

    @property
    def may_route(self) -> bool:
        """Return whether the user may see the routing tree."""
        return self.scope.can("routingtrees:read")

    @cached_property
    def policies(self) -> dict[str, str]:
        """The escalation policies that tell it, where the user may see them."""
        if not self.scope.can("escalations:read"):
            return {}
        return policies_telling(org_id=self.scope.org.pk, contact_point=self.point.name)

    @cached_property
    def stands_in_for(self) -> list[ContactPoint]:
        """Whose fallback it is, where the user may see them."""
        rows = contact_point_list_falling_back(org=self.scope.org, to=self.point.name)
        return list(self.scope.access.filter(rows, "contactpoints:read"))

    @cached_property
    def deliveries(self) -> tuple[ShownDelivery, ...]:
        """What it was told lately, for those who may read the log."""
        if not self.may_read_log:
            return ()
        rows = delivery_list(org=self.scope.org, contact_point=self.point.name, limit=_LATEST)
        return tuple(ShownDelivery(row) for row in rows)

    @property
    def may_read_log(self) -> bool:
        """Return whether the user may read the delivery log."""
        return self.scope.can("deliveries:read")

    @cached_property
    def watchdogs(self) -> list[Watchdog]:
        """The watchdogs that prove that it is reached, where the user may see them."""
        if not self.scope.can("watchdogs:read"):
            return []
        return watchdogs_at(org=self.scope.org, point=self.point.name)

    @property
    def may_test(self) -> bool:
        """Return whether the user may send a test."""
        return self.scope.can("contactpoints:test", self.point)

    @property
    def may_update(self) -> bool:
        """Return whether the user may edit it."""
        return self.scope.can("contactpoints:update", self.point)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("contactpoints:delete", self.point)


@dataclass(frozen=True)
class TrialPage:
    """What the receivers answered."""

    results: list[TrialResult]

    @property
    def failed(self) -> int:
        """How many did not take it."""
        return sum(not each.is_delivered for each in self.results)


def point_of(scope: OrgScope, name: str, permission: str) -> ContactPoint:
    """Return the contact point, if the user holds ``permission`` on it."""
    point = contact_point_get(org=scope.org, name=name)
    scope.access.require(permission, point)
    return point


@org_page("contactpoints:read")
def contact_point_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    page = ContactPointListPage(scope)
    return render_page(request, "notifications/contact_point_list.html", page, fragment=_TABLE)


@org_page("contactpoints:read")
def contact_point_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one contact point, or for HTMX what it was told lately."""
    page = ContactPointDetailPage(scope, point_of(scope, name, "contactpoints:read"))
    return render_page(request, "notifications/contact_point_detail.html", page, fragment=_TOLD)


@require_POST
@org_page("contactpoints:test")
def contact_point_test(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Send a sample alert through every receiver and show the answers."""
    point = point_of(scope, name, "contactpoints:test")
    labels = labels_of(request.POST.get("labels", "")[:_LONGEST_LABELS])
    page = TrialPage(contact_point_try(point=point, labels=labels))
    return render_page(request, "notifications/partials/_contact_point_trial.html", page)


@require_POST
@org_page("contactpoints:delete")
def contact_point_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete one contact point."""
    point = point_of(scope, name, "contactpoints:delete")
    resource_delete(contact_point_kind(), org=scope.org, actor=scope.user, name=point.name)
    target = reverse("notifications:contactpoint-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")
