"""What if: the last days told again by another configuration, and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.http import HttpResponse

from apps.notifications.selectors import routing_tree_get
from apps.notifications.services.bootstrap import DEFAULT_ROOT, TREE_NAME
from apps.notifications.services.twin.diff import Counts, Difference, Lost, Row
from apps.notifications.services.twin.replays import ASSUMPTIONS, Replay, routes_replay
from apps.notifications.services.twin.requests import replay_asked
from apps.notifications.services.twin.values import Listener, Told
from detectviz.clock import utc_now
from detectviz.resources.errors import (
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    LimitExceededError,
)
from detectviz.resources.yaml import dump_documents
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

_RESULT = "notifications/partials/_replay_result.html"
WINDOWS = {"1d": "day", "7d": "7 days", "14d": "14 days", "30d": "30 days"}
MAX_SHOWN = 200
_STATES = {
    Difference.ADDED: "ok",
    Difference.REMOVED: "down",
    Difference.MOVED: "unknown",
    Difference.CHANGED: "degraded",
}


@dataclass(frozen=True, kw_only=True)
class DifferenceRow:
    """One difference as the table shows it."""

    row: Row
    labels: Mapping[str, Mapping[str, str]]

    @property
    def state(self) -> str:
        """Return the colour of the difference."""
        return _STATES[self.row.difference]

    @property
    def told(self) -> Told:
        """Return the notification it is about."""
        sides = (self.row.before, self.row.after)
        return next(each for each in sides if each is not None)

    @property
    def alerts(self) -> list[str]:
        """Return the alerts it speaks of, in words."""
        both = [each for each in (self.row.before, self.row.after) if each is not None]
        named = sorted({one for told in both for one in (*told.firing, *told.resolved)})
        return [self._words(one) for one in named[:10]]

    def _words(self, fingerprint: str) -> str:
        pairs = self.labels.get(fingerprint, {})
        rest = [f"{name}={text}" for name, text in sorted(pairs.items()) if name != "alertname"]
        return " ".join([pairs.get("alertname", ""), *rest]).strip() or fingerprint


@dataclass(frozen=True, kw_only=True)
class ReplayPage:
    """The form with what was submitted, and the answer when there is one."""

    scope: OrgScope
    text: str
    since: str = "7d"
    replay: Replay | None = None
    problems: Sequence[tuple[str, str]] = field(default=())

    @property
    def windows(self) -> Mapping[str, str]:
        """The times to choose from."""
        return WINDOWS

    @property
    def assumptions(self) -> Sequence[str]:
        """What a replay leaves out."""
        return ASSUMPTIONS

    @cached_property
    def rows(self) -> list[DifferenceRow]:
        """The first differences."""
        if self.replay is None:
            return []
        labels = self.replay.labels
        found = self.replay.comparison.rows[:MAX_SHOWN]
        return [DifferenceRow(row=row, labels=labels) for row in found]

    @property
    def receivers(self) -> Sequence[tuple[Listener, Counts]]:
        """Each receiver in numbers."""
        return list(self.replay.comparison.counts.items()) if self.replay else []

    @property
    def lost(self) -> Sequence[Lost]:
        """Who would not be told any more."""
        return self.replay.comparison.lost[:MAX_SHOWN] if self.replay else []

    @property
    def more(self) -> int:
        """How many differences are not shown."""
        return max(len(self.replay.comparison.rows) - MAX_SHOWN, 0) if self.replay else 0


@org_page("routingtrees:read")
def routing_replay(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form with the present tree, or what a proposal would have changed."""
    scope.access.require("alerts:read")
    if request.method != "POST":
        page = ReplayPage(scope=scope, text=_present(scope))
        return render_page(request, "notifications/routing_replay.html", page, fragment=_RESULT)
    page = _answer(scope, request.POST.get("text", ""), request.POST.get("since", ""), utc_now())
    return render_page(
        request,
        "notifications/routing_replay.html",
        page,
        fragment=_RESULT,
        status=422 if page.problems else 200,
    )


def _answer(scope: OrgScope, text: str, since: str, now: datetime) -> ReplayPage:
    text = text.replace("\r\n", "\n")
    asked = {"proposed": text, "since": since if since in WINDOWS else "7d"}
    problems: list[tuple[str, str]] = []
    replay: Replay | None = None
    try:
        replay = routes_replay(
            org=scope.org,
            actor=None,
            access=scope.access,
            asked=replay_asked(asked, now=now),
        )
    except InvalidFieldsError as error:
        problems = [(name, " ".join(texts)) for name, texts in error.fields.items()]
    except (ForbiddenError, LimitExceededError, ConflictError) as error:
        problems = [("", error.message)]
    return ReplayPage(
        scope=scope, text=text, since=asked["since"], replay=replay, problems=problems
    )


def _present(scope: OrgScope) -> str:
    tree = routing_tree_get(org=scope.org)
    document: dict[str, Any] = {
        "apiVersion": "notifications/v1",
        "kind": "RoutingTree",
        "metadata": {"name": TREE_NAME},
        "spec": dict(tree.root) if tree else DEFAULT_ROOT,
    }
    return dump_documents([document])
