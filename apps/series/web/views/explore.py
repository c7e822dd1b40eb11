"""The Explore page: ask, look at lines or rows, hand on the address or the numbers."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from csp.constants import NONCE
from csp.decorators import csp_update
from django.http import HttpResponse, StreamingHttpResponse

from apps.extensions.services.visualizers import Drawn
from apps.series.selectors.exploring import (
    Explored,
    explore_cells,
    explore_frames,
    explore_lines,
    explore_samples,
    series_name,
)
from apps.series.web.forms import RANGES, VIEWS, Asked, asked
from apps.series.web.views.showing import Showing, is_visualizer, views_of
from apps.series.web.views.sources import SourceChoice
from detectviz.clock import utc_now
from detectviz.promql.errors import PromqlError
from detectviz.resources.errors import InvalidFieldsError
from detectviz.tsdb.interface import StoreError
from detectviz.web.charts import Chart, ChartSeries
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

_LETTERS = "ABCDEFGHIJ"


@dataclass(frozen=True)
class ExplorePage:
    """What was asked, and lazily the answers."""

    scope: OrgScope
    asked: Asked
    nonce: str
    showing: Showing

    @property
    def choice(self) -> SourceChoice:
        """What else may be asked."""
        return SourceChoice(self.scope)

    @property
    def ranges(self) -> tuple[str, ...]:
        """The choices of range, the one in the address among them."""
        known = self.asked.range in RANGES or "range" in self.asked.problems
        return RANGES if known else (self.asked.range, *RANGES)

    @property
    def rows(self) -> tuple[str, ...]:
        """The expressions to edit; an empty one at first."""
        return self.asked.queries or ("",)

    @cached_property
    def answers(self) -> list[tuple[str, Explored]]:
        """Each expression's answer under its letter."""
        return [
            (letter, self._look(text, letter))
            for letter, text in zip(_LETTERS, self.asked.queries, strict=False)
        ]

    def _look(self, text: str, letter: str) -> Explored:
        org, window = self.scope.org, self.asked.window
        if is_visualizer(self.asked.view):
            return explore_frames(org, text, window, letter)
        look = explore_lines if self.asked.view == "chart" else explore_cells
        return look(org, text, window)

    @cached_property
    def drawn(self) -> Drawn:
        """What the chosen visualizer makes of all answers."""
        return self.showing.draw([each for _, found in self.answers for each in found.frames])

    @cached_property
    def chart(self) -> str:
        """All lines in one picture."""
        drawn = [(letter, found) for letter, found in self.answers if found.lines]
        shared = _shared([line.labels for _, found in drawn for line in found.lines])
        start = "{letter} " if len(self.answers) > 1 else ""
        chart = Chart(
            times=drawn[0][1].times_s if drawn else (),
            series=[
                ChartSeries(
                    label=start.format(letter=letter) + _distinct(line.labels, shared),
                    values=line.values,
                )
                for letter, found in drawn
                for line in found.lines
            ],
            empty="No series in this range.",
        )
        return json.dumps(json.loads(chart.response().content))

    @property
    def address(self) -> str:
        """The query string that shows this again."""
        kept: list[tuple[str, Any]] = [("q", text) for text in self.asked.queries]
        kept += [("range", self.asked.range), ("until", self.asked.until)]
        kept += [("step", self.asked.step)]
        return urlencode([pair for pair in kept if pair[1]])


@csp_update({"style-src": [NONCE]})  # the code editor brings its own style sheet
@org_page("series:read")
def explore(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the editor and what its expressions come to."""
    found = asked(request.GET, now=utc_now(), views=views_of(scope.org, VIEWS))
    showing = Showing(org=scope.org, view=found.view, own=VIEWS, query=request.GET)
    page = ExplorePage(scope, found, str(request.csp_nonce), showing)
    return render_page(
        request, "series/explore.html", page, fragment="series/partials/_explore_answers.html"
    )


@org_page("series:read")
def explore_csv(request: PageRequest, scope: OrgScope) -> StreamingHttpResponse:
    """Hand out the points of every expression: query, series, time, value."""
    found = asked(request.GET, now=utc_now())
    rows = _rows(scope, found)
    first = _first(rows)
    response = StreamingHttpResponse(_lines(first, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="explore.csv"'
    return response


def _shared(every: Sequence[Mapping[str, str]]) -> set[tuple[str, str]]:
    """Return the labels that all of several lines have, so that the legend can leave them out."""
    if len(every) <= 1:
        return set()
    return set.intersection(*(set(labels.items()) for labels in every))


def _distinct(labels: Mapping[str, str], shared: set[tuple[str, str]]) -> str:
    own = {name: value for name, value in labels.items() if (name, value) not in shared}
    return series_name(own or labels)


class _Echo:
    def write(self, text: str) -> str:
        return text


def _rows(scope: OrgScope, found: Asked) -> Iterator[list[str]]:
    yield ["query", "series", "time", "value"]
    for text in found.queries:
        for name, at, value in explore_samples(scope.org, text, found.window):
            yield [text, name, f"{at:.3f}", value]


def _first(rows: Iterator[list[str]]) -> list[list[str]]:
    """Take the head and one row: a bad expression is an error page, not half a file."""
    try:
        return [row for _, row in zip(range(2), rows, strict=False)]
    except (PromqlError, StoreError) as error:
        raise InvalidFieldsError({"q": [str(error)]}) from error


def _lines(first: list[list[str]], rows: Iterator[list[str]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield from (writer.writerow(row) for row in first)
    yield from (writer.writerow(_harmless(row)) for row in rows)


def _harmless(row: list[str]) -> list[str]:
    """Keep spreadsheets from taking text for a formula."""
    return [f"'{cell}" if cell[:1] in "=+@" and len(cell) > 1 else cell for cell in row]
