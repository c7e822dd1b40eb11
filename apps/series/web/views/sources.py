"""Explore for every other datasource: an editor made from its plugin's query schema."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from apps.datasources.models import Datasource
from apps.datasources.selectors import datasource_get, datasource_list
from apps.datasources.services.queries import PERMISSION, queries_run
from apps.extensions.selectors import plugin_manifest
from apps.extensions.services.visualizers import Drawn
from apps.series.web.forms import RANGES, Asked, asked
from apps.series.web.views.asking import LETTERS, SourceAsked, query_form, source_asked
from apps.series.web.views.frames import FrameTable, LogRow, frame_logs, frame_table, frames_chart
from apps.series.web.views.showing import Showing, views_of
from detectviz.clock import utc_now
from detectviz.contracts.frames import Frame
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginHostError
from detectviz.queries.encoding.csv_rows import results_csv
from detectviz.queries.model import Outcome, Results
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.web.forms import SchemaForm
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

VIEWS = ("chart", "table", "logs")
_MOST_SOURCES = 200
_EMPTY = Results({})


@dataclass(frozen=True)
class SourceChoice:
    """The datasources a user may ask, for the chooser."""

    scope: OrgScope

    @cached_property
    def sources(self) -> list[Datasource]:
        """By name; those the user may only read are left out."""
        if not self.scope.can(PERMISSION):
            return []
        rows = self.scope.access.filter(datasource_list(self.scope.org), PERMISSION)
        return list(rows[:_MOST_SOURCES])


@dataclass(frozen=True, kw_only=True)
class SourcePage:
    """What was asked of one datasource, and lazily the answers."""

    scope: OrgScope
    source: Datasource
    manifest: Manifest
    asked: Asked
    queries: SourceAsked
    showing: Showing
    is_foreign: bool = False
    address: str = ""

    views = VIEWS

    @property
    def choice(self) -> SourceChoice:
        """What else may be asked."""
        return SourceChoice(self.scope)

    @property
    def title(self) -> str:
        """The datasource's title, or its name without one."""
        return self.source.title or self.source.name

    @property
    def ranges(self) -> tuple[str, ...]:
        """The choices of range, the one in the address among them."""
        known = self.asked.range in RANGES or "range" in self.asked.problems
        return RANGES if known else (self.asked.range, *RANGES)

    @property
    def forms(self) -> list[tuple[str, SchemaForm]]:
        """The editor of each query."""
        schema = self.manifest.query_schema
        return [
            (letter, query_form(schema, letter, model))
            for letter, model in self.queries.models.items()
        ]

    @property
    def may_add(self) -> bool:
        """Whether there is room for another query."""
        return len(self.queries.models) < len(LETTERS)

    @property
    def is_answered(self) -> bool:
        """Whether there is something to look at."""
        return self.queries.is_asked and not self.is_foreign and self.queries.request is not None

    @cached_property
    def results(self) -> Results:
        """The outcomes; asked once."""
        request = self.queries.request
        if request is None or not self.is_answered:
            return _EMPTY
        return queries_run(org=self.scope.org, access=self.scope.access, request=request)

    @property
    def outcomes(self) -> list[Outcome]:
        """By ref id, in the order asked."""
        return self.results.shown()

    @property
    def frames(self) -> list[Frame]:
        """All frames of all outcomes."""
        return [frame for outcome in self.outcomes for frame in outcome.frames]

    @property
    def chart(self) -> str:
        """Everything in one picture."""
        return frames_chart(self.frames)

    @cached_property
    def drawn(self) -> Drawn:
        """What the chosen visualizer makes of everything."""
        return self.showing.draw(self.frames)

    @property
    def tables(self) -> list[tuple[str, FrameTable]]:
        """Each frame under its ref id."""
        return [(frame.ref_id, frame_table(frame)) for frame in self.frames if frame.fields]

    @property
    def logs(self) -> list[tuple[str, list[LogRow]]]:
        """The lines of each frame that has some."""
        found = ((frame.ref_id, frame_logs(frame)) for frame in self.frames)
        return [(ref_id, rows) for ref_id, rows in found if rows]


@org_page(PERMISSION)
def explore_source(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the editor and what its queries come to."""
    page = _page(request, scope, name)
    return render_page(request, "series/explore_source.html", page)


@org_page(PERMISSION)
def explore_source_csv(
    request: PageRequest, scope: OrgScope, *, name: str
) -> StreamingHttpResponse:
    """Hand out the frames; a query that fails is an error page, not half a file."""
    page = _page(request, scope, name)
    problem = page.queries.problem or next(
        (f"{each.ref_id}: {each.error.message}" for each in page.outcomes if each.error), ""
    )
    if problem or not page.is_answered:
        raise InvalidFieldsError({"queries": [problem or "Open the page and run the queries."]})
    response = StreamingHttpResponse(
        results_csv(page.results), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{page.source.name}.csv"'
    return response


def _page(request: HttpRequest, scope: OrgScope, name: str) -> SourcePage:
    row = datasource_get(scope.org, access=scope.access, name=name)
    scope.access.require(PERMISSION, row)
    try:
        manifest = plugin_manifest(PluginKind.DATASOURCE, row.type)
    except PluginHostError as error:
        raise NotFoundError(str(error)) from error
    found = asked(request.GET, now=utc_now(), views=views_of(scope.org, VIEWS))
    showing = Showing(org=scope.org, view=found.view, own=VIEWS, query=request.GET)
    return SourcePage(
        scope=scope,
        source=row,
        manifest=manifest,
        asked=found,
        queries=source_asked(request.GET, manifest.query_schema, row.uid, found),
        # A link on another site must not make somebody's browser ask a database.
        is_foreign=request.headers.get("Sec-Fetch-Site", "") in {"cross-site", "same-site"},
        showing=showing,
        address=_address(request, showing),
    )


def _address(request: HttpRequest, showing: Showing) -> str:
    options = {name for name, _ in showing.options}
    pairs: list[tuple[str, Any]] = [
        (name, text)
        for name, texts in request.GET.lists()
        for text in texts
        if name not in {"view", "change"} | options
    ]
    return urlencode(pairs)
