"""The ledger of what was not told: the page of an org, and the answer on an alert's page."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse, QueryDict

from apps.alerting.selectors import alert_get
from apps.notifications.enums import SuppressionKind
from apps.notifications.selectors import contact_point_list
from apps.notifications.services.answers import Suppression, suppressions_of
from apps.notifications.services.ledger_pages import LedgerPages
from detectviz.clock import utc_now
from detectviz.web.pages import Pager, PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

PER_PAGE = 50
_TABLE = "notifications/partials/_suppression_table.html"
_MOST_CHARACTERS = 63


@dataclass(frozen=True)
class SuppressionListPage:
    """The ledger as asked for by the query string."""

    scope: OrgScope
    query: QueryDict

    @property
    def kind(self) -> str:
        """The reason asked for."""
        wanted = self.query.get("kind", "")
        return wanted if wanted in SuppressionKind.values else ""

    @property
    def contact_point(self) -> str:
        """The contact point asked for."""
        return self.query.get("contact_point", "").replace("\x00", "")[:_MOST_CHARACTERS]

    @property
    def when(self) -> str:
        """``open`` for what lasts, ``ended`` for what is over."""
        wanted = self.query.get("when", "")
        return wanted if wanted in {"open", "ended"} else ""

    @property
    def is_filtered(self) -> bool:
        """Return whether an empty ledger is the filters' doing."""
        return bool(self.kind or self.contact_point or self.when)

    @cached_property
    def pager(self) -> Pager:
        """Where in the ledger the page stands."""
        return Pager.of(self.query, count=self._found.count, per_page=PER_PAGE)

    @cached_property
    def rows(self) -> list[Suppression]:
        """This page of the ledger."""
        return self._found.page(offset=self.pager.offset, limit=PER_PAGE)

    @property
    def kinds(self) -> list[tuple[str, str]]:
        """The reasons to filter by."""
        return [(value, str(label)) for value, label in SuppressionKind.choices]

    @cached_property
    def points(self) -> list[str]:
        """The contact points to filter by."""
        return [each.name for each in contact_point_list(org=self.scope.org)]

    @cached_property
    def _found(self) -> LedgerPages:
        return LedgerPages(
            org=self.scope.org,
            now=utc_now(),
            kind=self.kind,
            contact_point=self.contact_point,
            is_open={"open": True, "ended": False}.get(self.when),
        )


@dataclass(frozen=True)
class WhyPage:
    """Why nobody was told of one alert."""

    scope: OrgScope
    rows: list[Suppression]


@org_page("alerts:read")
def suppression_list(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the ledger, or for HTMX the table."""
    scope.access.require("alerts:read")
    page = SuppressionListPage(scope, request.GET)
    return render_page(request, "notifications/suppression_list.html", page, fragment=_TABLE)


@org_page("alerts:read")
def suppression_for(request: PageRequest, scope: OrgScope, *, fingerprint: str) -> HttpResponse:
    """Answer on an alert's page why it was not told."""
    scope.access.require("alerts:read", alert_get(scope.org, fingerprint))
    rows = suppressions_of(org=scope.org, fingerprint=fingerprint, now=utc_now())
    page = WhyPage(scope, rows)
    return render_page(request, "notifications/partials/_suppression_for.html", page)
