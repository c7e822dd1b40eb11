"""Values that are looked up when somebody scrapes."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest

from detectviz.observability.scrape import (
    KEPT_S,
    MOST_SERIES,
    QUEUE_DEPTH,
    Read,
    Reading,
    ScrapedCollector,
    ScrapedMetric,
    ScrapeSource,
    age_s,
)

TOTAL = ScrapedMetric(name="detectviz_things_total", help="Things.", kind="unknown")


def _source(name: str, read: Read) -> ScrapeSource:
    return ScrapeSource(name=name, metrics=(QUEUE_DEPTH,), read=read)


def _text(*sources: ScrapeSource) -> str:
    registry = CollectorRegistry()
    registry.register(ScrapedCollector(asked=lambda: sources))
    return generate_latest(registry).decode()


def test_sources_share_a_family_and_name_their_own_labels() -> None:
    text = _text(
        _source("monitors", lambda: [(QUEUE_DEPTH, ("checks",), 3.0)]),
        _source("notifications", lambda: [(QUEUE_DEPTH, ("deliveries",), 5.0), (TOTAL, (), 2.0)]),
    )

    assert text.count("# TYPE detectviz_queue_depth gauge") == 1
    assert 'detectviz_queue_depth{queue="checks"} 3.0' in text
    assert 'detectviz_queue_depth{queue="deliveries"} 5.0' in text
    assert "# TYPE detectviz_things_total untyped\ndetectviz_things_total 2.0" in text


def test_a_source_that_fails_is_shown_as_down_and_stops_no_other() -> None:
    def broken() -> Iterator[Reading]:
        yield QUEUE_DEPTH, ("half",), 1.0
        raise RuntimeError("no database")

    text = _text(_source("broken", broken), _source("fine", lambda: [(TOTAL, (), 1.0)]))

    assert 'detectviz_scrape_source_up{source="broken"} 0.0' in text
    assert 'detectviz_scrape_source_up{source="fine"} 1.0' in text
    assert "half" not in text
    assert "detectviz_things_total 1.0" in text


def test_however_often_it_is_scraped_sources_are_asked_every_five_seconds() -> None:
    asked: list[bool] = []
    moments = iter((100.0, 100.0, 100.0 + KEPT_S - 0.1, 100.0 + KEPT_S, 100.0 + KEPT_S))

    def read() -> list[Reading]:
        asked.append(True)
        return [(TOTAL, (), float(len(asked)))]

    collector = ScrapedCollector(asked=lambda: [_source("one", read)], clock=lambda: next(moments))
    asked_after = []
    for _ in range(3):
        list(collector.collect())
        asked_after.append(len(asked))

    assert asked_after == [1, 1, 2]


def test_a_source_with_too_many_labels_is_cut() -> None:
    rows = [(QUEUE_DEPTH, (str(number),), 1.0) for number in range(MOST_SERIES + 50)]

    assert _text(_source("wild", lambda: rows)).count("detectviz_queue_depth{") == MOST_SERIES


def test_an_empty_queue_and_one_of_the_future_have_no_age() -> None:
    assert age_s(None, 100.0) == 0.0
    assert age_s(130.0, 100.0) == 0.0
    assert age_s(90.0, 100.0) == 10.0
