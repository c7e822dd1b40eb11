"""Contact points: the list, one of them, a test, deleting it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.models import ContactPoint, Delivery
from apps.notifications.selectors import contact_point_list, delivery_list
from apps.notifications.services.trials import contact_point_try
from detectviz.resources.errors import NotFoundError
from detectviz.resources.services import resource_delete
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.writes import kind_of

_RECENT = 20


def point_kind() -> Any:
    """Return the registered kind."""
    return kind_of("notifications/v1", "ContactPoint")


def point_of(scope: OrgScope, name: str, permission: str) -> ContactPoint:
    """Return the contact point, if the user holds ``permission`` on it."""
    point = contact_point_list(org=scope.org).filter(name=name).first()
    if point is None:
        raise NotFoundError
    scope.access.require(permission, point)
    return point


@dataclass(frozen=True)
class ContactPointListPage:
    """All contact points the user may read."""

    scope: OrgScope

    @cached_property
    def points(self) -> list[ContactPoint]:
        """The contact points by name."""
        rows = contact_point_list(org=self.scope.org)
        return list(self.scope.access.filter(rows, "contactpoints:read"))

    @property
    def may_create(self) -> bool:
        """Return whether the user may add contact points."""
        return self.scope.can("contactpoints:create")


@dataclass(frozen=True)
class ContactPointPage:
    """One contact point with what was sent lately."""

    scope: OrgScope
    point: ContactPoint

    @cached_property
    def deliveries(self) -> list[Delivery]:
        """The latest deliveries."""
        if not self.scope.can("deliveries:read"):
            return []
        return delivery_list(org=self.scope.org, contact_point=self.point.name, limit=_RECENT)

    @property
    def may_update(self) -> bool:
        """Return whether the user may change the receivers."""
        return self.scope.can("contactpoints:update", self.point)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("contactpoints:delete", self.point)

    @property
    def may_test(self) -> bool:
        """Return whether the user may send a test."""
        return self.scope.can("contactpoints:test", self.point)


@org_page("contactpoints:read")
def contactpoint_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the contact points."""
    return render_page(request, "notifications/contactpoint_list.html", ContactPointListPage(scope))


@org_page("contactpoints:read")
def contactpoint_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one contact point, or for HTMX its deliveries."""
    page = ContactPointPage(scope, point_of(scope, name, "contactpoints:read"))
    return render_page(
        request,
        "notifications/contactpoint_detail.html",
        page,
        fragment="notifications/partials/_contactpoint_deliveries.html",
    )


@require_POST
@org_page("contactpoints:test")
def contactpoint_test(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Send a sample alert through every receiver now and show what they answered."""
    point = point_of(scope, name, "contactpoints:test")
    shown = {"results": contact_point_try(point=point)}
    return render_page(request, "notifications/partials/_contactpoint_trial.html", shown)


@require_POST
@org_page("contactpoints:delete")
def contactpoint_remove(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a contact point that no route names."""
    point_of(scope, name, "contactpoints:delete")
    resource_delete(point_kind(), org=scope.org, actor=scope.user, name=name)
    target = reverse("notifications:contactpoint-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")
