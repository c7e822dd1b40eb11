"""Explore for datasources other than the org's own series."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.datasources.models import Datasource
from apps.datasources.selectors import resolution_forget
from apps.datasources.services.queries import query_executor_forget
from apps.extensions.selectors import plugin_host_use
from apps.orgs.models import Org
from apps.series.web.views.frames import frame_logs, frame_table, frames_chart
from detectviz.contracts.frames import Field, FieldType, Frame
from detectviz.pluginhost.host import PluginHost
from detectviz.pluginhost.pipeline import scan
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/explore/d/made-up"


@pytest.fixture
def acme() -> Iterator[Org]:
    root = Path(__file__).parents[4] / "plugins"
    plugin_host_use(PluginHost(scan([root])))
    query_executor_forget()
    org = make_org("acme")
    resolution_forget(org.pk)
    make_datasource(
        org, name="made-up", title="Made up", type="testdata", json_data={}, secure_json_data={}
    )
    yield org
    plugin_host_use(None)
    resolution_forget(org.pk)


def read(org: Org, *pairs: tuple[str, str], role: str = "operator") -> str:
    answer = make_browser(org, role).get(f"{PAGE}?{urlencode(pairs)}")
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_editor_is_made_from_the_query_schema(acme: Org) -> None:
    page = read(acme)

    assert 'name="A/scenario"' in page
    assert "Random walk" in page
    assert "data-chart" not in page  # nothing runs before it is asked


def test_a_query_is_drawn(acme: Org) -> None:
    page = read(acme, ("run", "1"), ("A/scenario", "random_walk"), ("A/series_count", "2"))

    chart = json.loads(html.unescape(re.findall(r'data-inline="([^"]*)"', page)[0]))
    assert len(chart["series"]) == 2
    assert len(chart["times"]) == len(chart["series"][0]["values"])


def test_queries_and_expressions_are_answered_each_for_itself(acme: Org) -> None:
    expressions = '[{"ref_id": "X", "type": "reduce", "expression": "A", "reducer": "mean"}]'
    page = read(
        acme,
        ("run", "1"),
        ("rows", "2"),
        ("view", "table"),
        ("A/scenario", "random_walk"),
        ("B/scenario", "query_error"),
        ("B/message", "no such thing"),
        ("expressions", expressions),
    )

    assert "B can&#x27;t be answered" in page or "B can't be answered" in page
    assert "no such thing" in page
    assert "X: 1 frame" in page


def test_log_lines_are_shown_as_such(acme: Org) -> None:
    page = read(acme, ("run", "1"), ("view", "logs"), ("A/scenario", "logs"), ("A/lines", "3"))
    assert page.count('class="num is-tight is-wide"') == 3


def test_queries_are_added_and_removed(acme: Org) -> None:
    more = read(acme, ("rows", "1"), ("change", "add"))
    fewer = read(acme, ("rows", "2"), ("change", "remove"), role="admin")
    assert 'name="B/scenario"' in more
    assert 'name="B/scenario"' not in fewer


@pytest.mark.parametrize("text", ["{", '{"a": 1}', "[1]"])
def test_what_cannot_be_read_is_named(acme: Org, text: str) -> None:
    page = read(acme, ("run", "1"), ("expressions", text))
    assert "expressions" in page
    assert "This can&#x27;t be asked." in page or "This can't be asked." in page


def test_a_link_on_another_site_asks_nothing(acme: Org) -> None:
    browser = make_browser(acme)
    url = f"{PAGE}?run=1&A/scenario=random_walk"
    page = browser.get(url, headers={"Sec-Fetch-Site": "cross-site"}).content.decode()
    assert "Nothing was asked yet." in page
    assert "data-chart" not in page


def test_csv_has_the_rows_or_a_reason(acme: Org) -> None:
    browser = make_browser(acme)
    asked = {"run": "1", "A/scenario": "csv_metric_values", "A/values": "1,2,3"}

    answer = browser.get(f"{PAGE}/csv?{urlencode(asked)}")
    assert b"".join(answer.streaming_content).count(b"\r\n") == 4  # type: ignore[attr-defined]  # it streams

    refused = browser.get(f"{PAGE}/csv?{urlencode({'run': '1', 'A/scenario': 'query_error'})}")
    assert refused.status_code == 422


def test_asking_needs_its_permission_and_the_chooser_offers_no_more(acme: Org) -> None:
    viewer = make_browser(acme, "viewer")
    assert viewer.get(PAGE).status_code == 403
    assert PAGE not in viewer.get("/o/acme/explore").content.decode()
    assert PAGE in make_browser(acme).get("/o/acme/explore").content.decode()


def test_other_orgs_datasources_are_not_found(acme: Org) -> None:
    rival = make_org("rival")
    answer = make_browser(rival, username="spy").get("/o/rival/explore/d/made-up")
    assert answer.status_code == 404


def test_the_page_has_a_query_budget(
    acme: Org, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make_datasource(acme, name=f"other-{number}")
    browser = make_browser(acme)
    with django_assert_max_num_queries(14):
        browser.get(PAGE)


def test_a_datasource_whose_plugin_is_gone_is_not_found(acme: Org) -> None:
    Datasource.objects.for_org(acme).update(type="vanished")
    assert make_browser(acme).get(PAGE).status_code == 404


def test_lines_of_several_frames_share_their_times() -> None:
    def frame(ref_id: str, *points: tuple[int, float]) -> Frame:
        times, values = [at for at, _ in points], [value for _, value in points]
        return Frame(
            ref_id=ref_id,
            fields=(
                Field(name="time", type=FieldType.TIME, values=times),
                Field(name="v", type=FieldType.NUMBER, values=values, labels={"a": "b"}),
            ),
        )

    chart = json.loads(frames_chart([frame("A", (1000, 1.0)), frame("B", (2000, float("nan")))]))

    assert chart["times"] == [1, 2]
    assert [each["values"] for each in chart["series"]] == [[1, None], [None, None]]
    assert chart["series"][0]["label"] == "A v {a=b}"


def test_values_are_text_in_tables_and_long_ones_are_cut() -> None:
    shown = frame_table(
        Frame(
            fields=(
                Field(name="at", type=FieldType.TIME, values=[0, 10**18]),
                Field(name="n", type=FieldType.NUMBER, values=[1.5, None]),
                Field(name="is", type=FieldType.BOOLEAN, values=[True, None]),
                Field(name="all", type=FieldType.OTHER, values=[{"a": 1}, "x" * 600]),
            )
        )
    )
    assert shown.rows[0] == ("1970-01-01 00:00:00.000", "1.5", "true", '{"a": 1}')
    assert shown.rows[1][:3] == (str(10**18), "", "")
    assert len(shown.rows[1][3]) == 501


def test_frames_without_time_or_text_are_no_log() -> None:
    assert frame_logs(Frame(fields=(Field(name="n", type=FieldType.NUMBER, values=[1]),))) == []
