"""The event bus as an org sees it, its dead letters, and what the platform sees of all orgs."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError
from detectviz.contracts.eventbus import TopicStatus
from detectviz.events.connection import bus_open, driver_name
from detectviz.events.envelopes import dead_letter_envelope
from detectviz.events.integration import EVENT_TYPES
from detectviz.events.models import EventDelivery
from detectviz.events.selectors import (
    OrgDead,
    TargetState,
    dead_letter_get,
    dead_letter_list,
    event_type_counts,
    last_failures,
    platform_dead_letters,
    platform_target_states,
    relay_holder,
    target_states,
)
from detectviz.events.services import (
    dead_letter_discard,
    dead_letter_replay,
    topic_of,
    topics_consumed,
)
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import NotFoundError
from detectviz.web.pages import Pager, PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

READ, UPDATE, OPERATE = "events:read", "events:update", "events:operate"
PER_PAGE = 50
_DAY = timedelta(days=1)
_ACTIONS = {
    "replay": (dead_letter_replay, "It is tried again from the beginning."),
    "discard": (dead_letter_discard, "It is given up."),
}


@dataclass(frozen=True)
class EventBusPage:
    """The bus and the dead letters of an org."""

    scope: OrgScope
    query: Any
    is_measured: bool = False

    @cached_property
    def targets(self) -> list[TargetState]:
        """How the org's events stand."""
        return target_states(self.scope.org)

    @property
    def waiting(self) -> int:
        """How many deliveries of the org are due or tried again."""
        return sum(each.waiting for each in self.targets)

    @property
    def dead(self) -> int:
        """How many dead letters the org has."""
        return sum(each.dead for each in self.targets)

    @property
    def oldest_at(self) -> Any:
        """Since when the oldest of them waits."""
        return min((each.oldest_at for each in self.targets if each.oldest_at), default=None)

    @cached_property
    def types(self) -> list[tuple[str, str, str, int]]:
        """Types, their topics and meaning, and how many events there were in a day."""
        counts = event_type_counts(self.scope.org, utc_now() - _DAY)
        return [
            (each.name, topic_of(each.name), each.title, counts.get(each.name, 0))
            for each in EVENT_TYPES
        ]

    @cached_property
    def failures(self) -> Sequence[EventDelivery]:
        """What is tried again."""
        return last_failures(self.scope.org)

    @cached_property
    def pager(self) -> Pager:
        """Where in the dead letters."""
        return Pager.of(self.query, count=self.dead, per_page=PER_PAGE)

    @cached_property
    def letters(self) -> list[EventDelivery]:
        """The dead letters of this page."""
        start = self.pager.offset
        return list(dead_letter_list(self.scope.org)[start : start + PER_PAGE])

    @property
    def driver(self) -> str:
        """The plugin that carries events."""
        return driver_name()

    @property
    def may_update(self) -> bool:
        """Whether the user may settle dead letters."""
        return self.scope.can(UPDATE)

    @property
    def may_operate(self) -> bool:
        """Whether the user looks after the platform."""
        return self.scope.can(OPERATE)

    # --- what only the platform sees ---

    @property
    def address(self) -> str:
        """Where the bus is, without who signs in there."""
        parts = urlsplit(settings.EVENTBUS_URL)
        hosts = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{hosts}"

    @cached_property
    def holder(self) -> str:
        """The process that publishes."""
        return relay_holder(utc_now())

    @cached_property
    def platform_targets(self) -> list[TargetState]:
        """How the events of all orgs stand."""
        return platform_target_states()

    @cached_property
    def platform_dead(self) -> list[OrgDead]:
        """Which orgs have dead letters."""
        return platform_dead_letters()

    @cached_property
    def measured(self) -> tuple[Sequence[TopicStatus], str]:
        """What the bus itself says of its topics, and why it says nothing."""
        try:
            with closing(bus_open()) as bus:
                topics = topics_consumed() or [topic for _, topic, _, _ in self.types]
                return bus.status(group=settings.EVENTBUS_GROUP, topics=topics), ""
        except (PluginError, PluginHostError) as error:
            return (), str(error)


@dataclass(frozen=True)
class DeadLetterPage:
    """One dead letter."""

    scope: OrgScope
    row: EventDelivery

    @property
    def envelope(self) -> Any:
        """The letter as REST shows it."""
        return dead_letter_envelope(self.row)

    @property
    def may_update(self) -> bool:
        """Whether the user may settle it."""
        return self.scope.can(UPDATE)


@org_page(READ)
def event_bus(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the bus and the org's dead letters."""
    return render_page(request, "operations/event_bus.html", EventBusPage(scope, request.GET))


@require_POST
@org_page(OPERATE)
def event_bus_measure(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Ask the bus itself how much waits in it; a bus that is away says so after seconds."""
    scope.access.require(OPERATE)
    page = EventBusPage(scope, request.GET, is_measured=True)
    return render_page(request, "operations/event_bus.html", page)


@org_page(READ)
def dead_letter(request: PageRequest, scope: OrgScope, *, uid: str) -> HttpResponse:
    """Show one dead letter."""
    page = DeadLetterPage(scope, letter_of(scope, uid))
    return render_page(request, "operations/dead_letter.html", page)


@require_POST
@org_page(UPDATE)
def dead_letter_settle(
    request: PageRequest, scope: OrgScope, *, uid: str, action: str
) -> HttpResponse:
    """Try one again, or give it up."""
    scope.access.require(UPDATE)
    row = letter_of(scope, uid)
    if action not in _ACTIONS:
        raise NotFoundError
    act, said = _ACTIONS[action]
    act(org=scope.org, row=row, now=utc_now(), actor_id=scope.user.pk)
    return go_to(request, reverse("operations:event-bus", args=[scope.org.name]), said=said)


def letter_of(scope: OrgScope, uid: str) -> EventDelivery:
    """Return the org's dead letter; raise NotFoundError."""
    row = dead_letter_get(scope.org, uid)
    if row is None:
        raise NotFoundError
    return row
