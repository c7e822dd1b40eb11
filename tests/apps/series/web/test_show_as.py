"""Explore hands answers to the visualizers of the org; which one stands in the address."""

import html
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.management import call_command

from apps.datasources.selectors import resolution_forget
from apps.datasources.services.queries import query_executor_forget
from apps.extensions.selectors import plugin_client, policy_holder
from apps.extensions.services.following import plugins_refresh
from apps.orgs.models import Org
from apps.series.selectors import series_store_use
from detectviz.clock import to_ms
from detectviz.contracts.drawings import Bar, Drawing
from detectviz.contracts.types import PluginKind
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import Sample
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
OWN, SOURCE = "/o/acme/explore", "/o/acme/explore/d/made-up"
END = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)
ASKED = (("q", "jobs_total"), ("range", "15m"), ("until", "2026-03-01T12:10"))
TILE = r'tile ([a-z-]*)"><span[^>]*>[^<]*</span><span class="tile-value">(\d+)'
WALK = (("run", "1"), ("A/scenario", "random_walk"), ("A/series_count", "2"))


@pytest.fixture
def acme() -> Iterator[Org]:
    store = MemoryStore()
    series_store_use(store)
    org = make_org("acme")
    for site, factor in (("north", 1.0), ("south", 2.0)):
        labels = {"__name__": "jobs_total", "site": site}
        moments = [to_ms(END - timedelta(minutes=minute)) for minute in range(9, -1, -1)]
        store.append(
            org.uid,
            [Sample(labels, at, factor * place) for place, at in enumerate(moments, start=1)],
        )
    query_executor_forget()
    make_datasource(org, name="made-up", type="testdata", json_data={}, secure_json_data={})
    resolution_forget(org.pk)
    yield org
    series_store_use(None)
    resolution_forget(org.pk)


@pytest.fixture
def policy() -> Iterator[None]:
    yield
    policy_holder().forget()


def read(org: Org, address: str, *pairs: tuple[str, str], **headers: Any) -> str:
    answer = make_browser(org, "operator").get(f"{address}?{urlencode(pairs)}", **headers)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("visualizers/bar", '<ol class="drawing-bars">'),
        ("visualizers/stat", '<span class="tile-value">20</span>'),
        ("visualizers/heatmap", '<rect class="drawing-cell"'),
        ("visualizers/table", '<td class="is-end num">20</td>'),
    ],
)
def test_every_visualizer_draws_series(acme: Org, view: str, shown: str) -> None:
    page = read(acme, OWN, *ASKED, ("view", view))
    assert shown in page
    assert f'<option value="{view}" selected>' in page
    assert "south" in page.partition('class="drawing"')[2]


@pytest.mark.parametrize("view", ["bar", "stat", "heatmap", "table"])
def test_every_visualizer_draws_what_a_datasource_answers(acme: Org, view: str) -> None:
    page = read(acme, SOURCE, *WALK, ("view", f"visualizers/{view}"))
    assert '<section class="drawing">' in page
    assert f'name="view" value="visualizers/{view}"' in page  # kept when it is run again


def test_options_stand_in_the_address(acme: Org) -> None:
    chosen = ("view", "visualizers/stat")
    page = read(acme, OWN, *ASKED, chosen, ("stat/value", "min"), ("stat/alarm_above", "1.5"))
    assert re.findall(TILE, page) == [("is-up", "1"), ("is-down", "2")]
    assert '<input type="hidden" name="stat/value" value="min" form="explore">' in page


def test_an_option_the_schema_refuses_is_named(acme: Org) -> None:
    page = read(acme, OWN, *ASKED, ("view", "visualizers/stat"), ("stat/alarm_above", "high"))
    assert "This can't be shown so." in html.unescape(page)
    assert "Degraded above" in page
    assert '<details class="fold" open><summary>Options' in page


def test_what_cannot_be_answered_is_said_beside_what_can(acme: Org) -> None:
    page = read(acme, OWN, *ASKED, ("q", "broken("), ("view", "visualizers/bar"))
    assert "B can't be answered." in html.unescape(page)
    assert "drawing-bars" in page


def test_nothing_is_something_to_say(acme: Org) -> None:
    page = read(acme, OWN, ("q", "nothing_at_all"), ("view", "visualizers/bar"))
    assert "There is nothing to show." in page


def test_htmx_gets_the_answers_alone(acme: Org) -> None:
    page = read(acme, OWN, *ASKED, ("view", "visualizers/bar"), headers=HTMX)
    assert "drawing-bars" in page
    assert "<html" not in page


def test_an_unknown_visualizer_is_the_chart(acme: Org) -> None:
    page = read(acme, OWN, *ASKED, ("view", "visualizers/nothing"))
    assert "data-chart" in page
    assert '<option value="chart" selected>' in page


@pytest.mark.usefixtures("policy")
def test_a_visualizer_the_org_switched_off_is_neither_offered_nor_used(acme: Org) -> None:
    call_command("plugins", "disable", "visualizers/bar", "--org", "acme", stdout=StringIO())
    plugins_refresh()
    page = read(acme, OWN, *ASKED, ("view", "visualizers/bar"))
    assert "visualizers/bar" not in page
    assert "data-chart" in page


@pytest.mark.parametrize("breaks", [True, False])
def test_a_visualizer_that_breaks_leaves_the_page_whole(
    acme: Org, breaks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = plugin_client().instance(PluginKind.VISUALIZER, "bar")

    def visualize(*_: object) -> Drawing:
        if breaks:
            raise RuntimeError("no idea")
        return Drawing(bars=tuple(Bar(label="x", value=1.0) for _ in range(2000)))

    monkeypatch.setattr(plugin, "visualize", visualize, raising=False)
    page = read(acme, OWN, *ASKED, ("view", "visualizers/bar"))
    assert ("no idea" if breaks else "too many stats or bars") in page


def test_a_visualizer_of_a_foreign_link_asks_no_database(acme: Org) -> None:
    page = read(
        acme, SOURCE, *WALK, ("view", "visualizers/bar"), headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert "Nothing was asked yet." in page
    assert "drawing-bars" not in page
