"""The Explore page and the metrics browser, as a browser sees them."""

import csv
import html
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from apps.orgs.models import Org
from apps.series.selectors import series_store_use
from apps.series.selectors.metadata import MetricDescription
from apps.series.services.metadata import metadata_record
from detectviz.clock import to_ms
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.interface import Sample
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/explore"
UNTIL = "2026-03-01T12:10"
END = datetime(2026, 3, 1, 12, 10, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    opened = MemoryStore()
    series_store_use(opened)
    yield opened
    series_store_use(None)


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


@pytest.fixture
def browser(acme: Org, store: MemoryStore) -> Client:
    fill(store, acme, END)
    return make_browser(acme, "viewer")


def fill(store: MemoryStore, org: Org, end: datetime) -> None:
    """Write two series of ten minutes, a sample a minute."""
    store.append(
        org.uid,
        [
            Sample(
                {"__name__": "jobs_total", "site": site, "team": "web"},
                to_ms(end - timedelta(minutes=minute)),
                float(600 - 60 * minute) * factor,
            )
            for minute in range(10)
            for site, factor in (("=north", 1), ("south", 2))
        ],
    )


def ask(browser: Client, *queries: str, **more: str) -> str:
    pairs = [("q", text) for text in queries] + [("range", "5m"), ("until", UNTIL)]
    answer = browser.get(f"{PAGE}?{urlencode(pairs + list(more.items()))}")
    assert answer.status_code == 200
    return answer.content.decode()


def drawn(text: str) -> dict[str, object]:
    """Return the chart of a page."""
    found = re.search(r'data-inline="([^"]+)"', text)
    assert found is not None
    chart: dict[str, object] = json.loads(html.unescape(found[1]))
    return chart


def test_an_empty_page_says_where_to_begin(browser: Client) -> None:
    text = browser.get(PAGE).content.decode()
    assert "Ask something" in text
    assert 'data-url="/orgs/acme/prometheus"' in text


def test_lines_are_drawn_over_the_window_and_labels_they_share_are_left_out(
    browser: Client,
) -> None:
    chart = drawn(ask(browser, "jobs_total", step="1m"))
    times = [END.timestamp() - 60 * minute for minute in range(5, -1, -1)]
    assert chart["times"] == times
    assert chart["series"] == [
        {"label": '{site="=north"}', "values": [300 + 60.0 * n for n in range(6)], "state": ""},
        {"label": '{site="south"}', "values": [600 + 120.0 * n for n in range(6)], "state": ""},
    ]


def test_several_queries_share_one_picture_under_their_letters(browser: Client) -> None:
    text = ask(browser, 'jobs_total{site="south"}', "sum(rate(jobs_total[2m]))")
    labels = [line["label"] for line in drawn(text)["series"]]  # type: ignore[attr-defined]  # JSON
    assert labels == ['A jobs_total{site="south",team="web"}', "B {}"]
    hidden = text.count('type="hidden" name="q"')
    assert text.count('name="q"') - hidden == 3  # two and the template of the next


def test_a_broken_query_says_where_and_the_others_are_answered(browser: Client) -> None:
    text = ask(browser, "sum(", "jobs_total")
    assert "A can't be answered" in text
    assert "1:5: parse error: unclosed left parenthesis" in text
    assert "B: 2 series" in text


def test_warnings_of_the_engine_are_shown(browser: Client) -> None:
    assert "quantile value should be between 0 and 1" in ask(browser, "quantile(2, jobs_total)")


def test_the_table_shows_values_at_the_end_and_strings_scalars_and_raw_samples(
    browser: Client,
) -> None:
    text = ask(browser, "jobs_total", "1 + 1", '"word"', "jobs_total[90s]", view="table")
    values = re.findall(r'<td class="is-end num text-lines">([^<]*)</td>', text)
    assert values[:4] == ["600", "1200", "2", "word"]
    assert values[4] == f"540 @{END.timestamp() - 60:.3f}\n600 @{END.timestamp():.3f}"
    assert "A: 2 series" in text


def test_the_window_falls_back_where_the_address_makes_no_sense(browser: Client) -> None:
    answer = browser.get(f"{PAGE}?q=up&range=soon&until=never&step=1ms")
    text = answer.content.decode()
    assert answer.status_code == 200
    for name in ("Range:", "Until:", "Step:"):
        assert name in text


def test_htmx_gets_only_the_answers(browser: Client) -> None:
    text = browser.get(f"{PAGE}?q=jobs_total&until={UNTIL}", headers=HTMX).content.decode()
    assert 'id="answers"' in text
    assert "<html" not in text


def test_the_numbers_come_as_csv_and_no_cell_is_a_formula(browser: Client) -> None:
    query = urlencode(
        {"q": 'jobs_total{site="=north"}', "range": "1m", "until": UNTIL, "step": "1m"}
    )
    answer = browser.get(f"{PAGE}.csv?{query}")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))  # type: ignore[attr-defined]  # a stream
    assert rows[0] == ["query", "series", "time", "value"]
    assert [row[3] for row in rows[1:]] == ["540", "600"]
    assert rows[1][2] == f"{END.timestamp() - 60:.3f}"


def test_csv_of_a_broken_query_is_an_error_page(browser: Client) -> None:
    answer = browser.get(f"{PAGE}.csv?q=sum(")
    assert answer.status_code == 422
    assert b"unclosed left parenthesis" in answer.content


def test_the_editor_may_bring_its_style_sheet_and_nobody_else(browser: Client) -> None:
    policy = browser.get(PAGE)["Content-Security-Policy"]
    assert re.search(r"style-src [^;]*'nonce-[^']+'", policy)
    assert "unsafe-inline" not in policy
    assert "nonce" not in browser.get("/o/acme/metrics")["Content-Security-Policy"]


def test_metrics_are_listed_searched_and_described(
    browser: Client, acme: Org, store: MemoryStore
) -> None:
    fill(store, acme, timezone.now())
    said = MetricDescription(metric="jobs_total", type="counter", help="Jobs done.")
    metadata_record(org=acme, said=[said], now=timezone.now())
    text = browser.get("/o/acme/metrics?search=JOBS").content.decode()
    assert "Jobs done." in text
    assert "Choose a metric" in text
    assert "Nothing matches" in browser.get("/o/acme/metrics?search=zebra").content.decode()


def test_a_metric_is_taken_apart_by_label_and_narrowed_down(
    browser: Client, acme: Org, store: MemoryStore
) -> None:
    fill(store, acme, timezone.now())
    text = browser.get("/o/acme/metrics?metric=jobs_total").content.decode()
    assert '<span class="num">2</span> series' in text
    assert "label=site%3D%3Dnorth" in text
    text = browser.get("/o/acme/metrics?metric=jobs_total&label=site%3D%3Dnorth").content.decode()
    assert '<span class="num">1</span> series' in text
    assert "site==north" in text
    expression = 'rate(jobs_total{site="=north"}[5m])'
    assert urlencode({"q": expression}) in html.unescape(text)


def test_another_orgs_series_are_not_there(acme: Org, store: MemoryStore) -> None:
    fill(store, make_org("globex"), timezone.now())
    browser = make_browser(acme, "viewer")
    assert "No metrics yet" in browser.get("/o/acme/metrics").content.decode()
    assert "A: 0 series" in ask(browser, "jobs_total")
