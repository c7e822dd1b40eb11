"""The delivery log."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse, QueryDict
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import Delivery
from apps.notifications.selectors import (
    contact_point_list,
    dead_letter_uids,
    delivery_get,
    delivery_queryset,
)
from apps.notifications.selectors import delivery_list as deliveries_found
from apps.notifications.services.dead_letters import deliveries_replay
from apps.notifications.services.dead_letters import delivery_replay as replay_one
from apps.notifications.web.views.looks import ShownAttempt, ShownDelivery, ShownStatus, reason_text
from detectviz.clock import utc_now
from detectviz.web.pages import Pager, PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

PER_PAGE = 50
_TABLE = "notifications/partials/_delivery_table.html"
_MOST_ALERTS = 20
_TOLD = 10


@dataclass(frozen=True)
class DeliveryListPage:
    """The log as asked for by the query string."""

    scope: OrgScope
    query: QueryDict

    @property
    def status(self) -> str:
        """The status asked for."""
        wanted = self.query.get("status", "")
        return wanted if wanted in DeliveryStatus.values else ""

    @property
    def contact_point(self) -> str:
        """The contact point asked for."""
        return self.query.get("contact_point", "").replace("\x00", "")[:63]

    @property
    def alert(self) -> str:
        """The fingerprint asked for."""
        return self.query.get("alert", "").replace("\x00", "").strip()[:32]

    @property
    def is_filtered(self) -> bool:
        """Return whether an empty log is the filters' doing."""
        return bool(self.status or self.contact_point or self.alert)

    @cached_property
    def found(self) -> Any:
        """The deliveries, the latest first."""
        rows = delivery_queryset(
            org=self.scope.org,
            status=self.status,
            contact_point=self.contact_point,
            alert=self.alert,
        )
        return self.scope.access.filter(rows, "deliveries:read")

    @cached_property
    def pager(self) -> Pager:
        """Where in the log the page stands."""
        return Pager.of(self.query, count=self.found.count(), per_page=PER_PAGE)

    @cached_property
    def rows(self) -> tuple[ShownDelivery, ...]:
        """This page of the log."""
        start = self.pager.offset
        return tuple(ShownDelivery(row) for row in self.found[start : start + PER_PAGE])

    @property
    def statuses(self) -> tuple[tuple[str, str], ...]:
        """The statuses to filter by."""
        return tuple((value, str(label)) for value, label in DeliveryStatus.choices)

    @property
    def may_replay(self) -> bool:
        """Return whether dead letters are listed that the user may send again."""
        return self.status == DeliveryStatus.FAILED and self.scope.can("deliveries:send")

    @cached_property
    def points(self) -> tuple[str, ...]:
        """The contact points to filter by."""
        return tuple(each.name for each in contact_point_list(org=self.scope.org))


@dataclass(frozen=True)
class DeliveryDetailPage:
    """One delivery."""

    scope: OrgScope
    delivery: Delivery

    @property
    def status(self) -> ShownStatus:
        """What became of it."""
        return ShownStatus(self.delivery.status, self.delivery.attempts)

    @property
    def reason(self) -> str:
        """Why it was sent, or in which way it failed."""
        return reason_text(self.delivery)

    @property
    def has_point(self) -> bool:
        """Return whether its contact point is still there."""
        points = contact_point_list(org=self.scope.org)
        return points.filter(name=self.delivery.contact_point).exists()

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels of its group."""
        labels: Mapping[str, str] = self.delivery.payload.get("group_labels", {})
        return labels

    @property
    def alerts(self) -> list[Mapping[str, Any]]:
        """The first alerts it told about."""
        alerts: list[Mapping[str, Any]] = self.delivery.payload.get("alerts", [])
        return alerts[:_MOST_ALERTS]

    @property
    def more_alerts(self) -> int:
        """How many alerts are not listed."""
        return len(self.delivery.payload.get("alerts", [])) - len(self.alerts)

    @property
    def attempts(self) -> tuple[ShownAttempt, ...]:
        """The latest attempts, the last one first."""
        return tuple(ShownAttempt(entry) for entry in reversed(self.delivery.history))

    @property
    def may_replay(self) -> bool:
        """Return whether it is a dead letter the user may send again."""
        is_dead = self.delivery.status == DeliveryStatus.FAILED
        return is_dead and self.scope.can("deliveries:send", self.delivery)


@dataclass(frozen=True)
class ToldPage:
    """Who was told about one alert."""

    scope: OrgScope
    rows: tuple[ShownDelivery, ...]


@org_page("deliveries:read")
def delivery_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the log, or for HTMX the table."""
    page = DeliveryListPage(scope, request.GET)
    return render_page(request, "notifications/delivery_list.html", page, fragment=_TABLE)


@org_page("deliveries:read")
def delivery_detail(request: PageRequest, scope: OrgScope, *, uid: str) -> HttpResponse:
    """Show one delivery."""
    delivery = delivery_get(org=scope.org, uid=uid)
    scope.access.require("deliveries:read", delivery)
    return render_page(
        request, "notifications/delivery_detail.html", DeliveryDetailPage(scope, delivery)
    )


@require_POST
@org_page("deliveries:send")
def delivery_replay(request: PageRequest, scope: OrgScope, *, uid: str) -> HttpResponse:
    """Send one dead letter again."""
    delivery = delivery_get(org=scope.org, uid=uid)
    scope.access.require("deliveries:send", delivery)
    replay_one(org=scope.org, uid=uid, now=utc_now())
    target = reverse("notifications:delivery-detail", args=[scope.org.name, uid])
    return go_to(request, target, said="It is sent again.")


@require_POST
@org_page("deliveries:send")
def delivery_replay_many(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Send the chosen dead letters again, or all of them."""
    uids = request.POST.getlist("uid")
    if request.POST.get("all"):
        point = request.POST.get("contact_point", "").replace("\x00", "")[:63]
        uids = dead_letter_uids(org=scope.org, contact_point=point)
    count = deliveries_replay(org=scope.org, uids=uids, now=utc_now())
    target = reverse("notifications:delivery-list", args=[scope.org.name])
    return go_to(request, target, said=f"{count} sent again.")


@org_page()
def delivery_for(request: PageRequest, scope: OrgScope, *, fingerprint: str) -> HttpResponse:
    """Show who was told about one alert: a part of the alert's page, or nothing."""
    if not scope.access.allows("deliveries:read"):
        return HttpResponse(status=204)
    found = deliveries_found(org=scope.org, fingerprint=fingerprint, limit=_TOLD)
    page = ToldPage(scope, tuple(ShownDelivery(row) for row in found))
    return render_page(request, "notifications/partials/_delivery_for.html", page)
