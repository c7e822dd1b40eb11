"""An org's samples and alerts in pipelines: read by the importer, written by the exporter."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.alerting.services.groups import groups_evaluate_due
from apps.operations.enums import RunState, RunTrigger
from apps.operations.models import PipelineRun
from apps.operations.services.execution import run_execute
from apps.operations.services.outputs import output_path
from apps.operations.services.platform import OrgPlatform
from apps.operations.services.runs import run_start
from apps.orgs.models import Org
from apps.series.selectors import series_store_use
from detectviz.clock import to_ms
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.records import MetricRecord, Signal
from detectviz.contracts.types import JsonObject
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Matcher, MatchOp, StoreError
from tests.factories.accounts import make_member
from tests.factories.alerting import START, make_rulegroup, put, seconds
from tests.factories.orgs import make_org
from tests.factories.pipelines import write_pipeline, write_rows

pytestmark = pytest.mark.django_db(transaction=True)
TO_FILE = [{"exporter": "json", "config": {"file": "out.json"}}]
TO_ORG = [{"exporter": "detectviz"}]
SOLD = Matcher("__name__", MatchOp.EQUAL, "sold")


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Any) -> None:
    settings.DATASOURCE_FILES_DIR = tmp_path / "files"
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    memory = MemoryStore()
    series_store_use(memory)
    yield memory
    series_store_use(None)


@pytest.fixture
def acme(store: MemoryStore) -> Org:
    return make_org("acme")


def clock() -> datetime:
    return START


def run_of(org: Org, config: JsonObject, destinations: Any, actor: Any = None) -> PipelineRun:
    """Run what reads the org's own data now, to its end."""
    source = {"importer": "detectviz", "config": config}
    row = write_pipeline(org, actor, "own", source=source, destinations=destinations)
    return ended(org, row)


def ended(org: Org, row: Any) -> PipelineRun:
    run = run_start(pipeline=row, actor=None, trigger=RunTrigger.MANUAL, now=START)
    assert run_execute(run_id=run.pk, clock=clock)
    run.refresh_from_db()
    return run


def lines_of(org: Org, run: PipelineRun) -> list[dict[str, Any]]:
    path = output_path(tenant=org.uid, run=run.uid, name="out.json")
    return [json.loads(line) for line in path.read_text().splitlines()]


def platform_of(org: Org, actor: Any = None) -> OrgPlatform:
    both = frozenset({"read", "write"})
    return OrgPlatform(pipeline=write_pipeline(org, actor), granted=both, clock=clock)


def sample(number: int, **labels: str) -> MetricRecord:
    named = {"__name__": "sold", **labels}
    return MetricRecord(labels=named, timestamp_ms=number, value=float(number))


def test_the_orgs_samples_of_a_selector_and_range_go_into_a_file(
    acme: Org, store: MemoryStore
) -> None:
    for minutes in (1, 50, 90, 200):
        put(store, acme, START - timedelta(minutes=minutes), minutes, job="web")
    put(store, acme, START, 7, job="mail")
    put(store, make_org("other"), START, 8, job="web")
    run = run_of(acme, {"selector": 'up{job="web"}', "range": "2h"}, TO_FILE)
    assert (run.state, run.read, run.written) == (RunState.DONE, 3, 3)
    lines = lines_of(acme, run)
    assert sorted(each["value"] for each in lines) == [1.0, 50.0, 90.0]
    assert all(each["labels"]["job"] == "web" for each in lines)


def test_samples_of_a_file_go_into_the_orgs_series_and_come_out_again(
    acme: Org, store: MemoryStore
) -> None:
    write_rows(acme, 3)
    config = {"path": "rows.csv", "value_columns": ["value"], "label_columns": ["site"]}
    source = {"importer": "csv", "config": {**config, "as": "metrics"}}
    row = write_pipeline(acme, None, "rows", source=source, destinations=TO_ORG)
    run = ended(acme, row)
    assert (run.state, run.written) == (RunState.DONE, 3)
    again = run_of(acme, {"selector": '{site="web"}'}, TO_FILE)
    assert again.state == RunState.DONE
    assert {each["labels"]["site"] for each in lines_of(acme, again)} == {"web"}


def test_reading_goes_on_at_any_cursor_without_gap_or_repetition(
    acme: Org, store: MemoryStore
) -> None:
    for number in range(9):
        put(store, acme, START - timedelta(minutes=20 * number), number, instance=str(number % 2))
    platform = platform_of(acme)
    selection: JsonObject = {"selector": "up", "range": "4h"}
    seen: list[float] = []
    cursor: JsonObject = {}
    while True:
        batches = platform.read(Signal.METRICS, selection, cursor=cursor, batch_size=2)
        batch = next(batches, None)
        if batch is None or batch.cursor == cursor:
            break
        seen += [each.value for each in batch.records if isinstance(each, MetricRecord)]
        cursor = batch.cursor
    assert sorted(seen) == [float(number) for number in range(9)]


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"selector": "sum(up)"}, "no series selector"),
        ({"selector": "up{"}, "no series selector"),
        ({"selector": "up", "start": "yesterday"}, "no time as RFC 3339"),
        ({"selector": "up", "range": "soon"}, "soon"),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(
    acme: Org, selection: JsonObject, message: str
) -> None:
    with pytest.raises(QueryError, match=message):
        list(platform_of(acme).read(Signal.METRICS, selection, cursor={}, batch_size=5))


def test_alerts_of_the_states_asked_for_go_into_a_file(acme: Org, store: MemoryStore) -> None:
    make_rulegroup(acme, "fast", rules=[{"alert": "Down", "expr": "up == 0"}])
    make_rulegroup(acme, "slow", rules=[{"alert": "Slow", "expr": "up == 0", "for": "5m"}])
    for name in ("a", "b"):
        put(store, acme, START, 0, instance=name)
    groups_evaluate_due(owner="test", clock=lambda: START + seconds(16))
    run = run_of(acme, {"signal": "alerts"}, TO_FILE)
    assert (run.state, run.written) == (RunState.DONE, 2)
    lines = lines_of(acme, run)
    assert {each["labels"]["instance"] for each in lines} == {"a", "b"}
    assert {(each["status"], each["labels"]["alertname"]) for each in lines} == {("firing", "Down")}

    platform = platform_of(acme)
    selection: JsonObject = {"states": ["pending", "firing"]}
    first, *rest = platform.read(Signal.ALERTS, selection, cursor={}, batch_size=3)
    assert [len(first.records), *(len(each.records) for each in rest)] == [3, 1]
    after = platform.read(Signal.ALERTS, selection, cursor=first.cursor, batch_size=3)
    assert [len(each.records) for each in after] == [1]


def test_a_wrong_sample_is_named_and_the_others_are_stored(acme: Org, tmp_path: Path) -> None:
    with closing(EmbeddedStore(tmp_path / "series.sqlite")) as embedded:
        series_store_use(embedded)
        wrong = MetricRecord(labels={"job": "no name"}, timestamp_ms=to_ms(START), value=1.0)
        good = [sample(to_ms(START) + number) for number in range(2)]
        report = platform_of(acme).write([good[0], wrong, good[1]], batch_id="1")
        found = embedded.select(acme.uid, [SOLD], 0, to_ms(START) + 10)
    assert report.written == 2
    assert [each.place for each in report.errors] == ["sample"]
    assert len(found.values) == 2


def test_a_batch_that_is_written_again_changes_nothing(acme: Org, store: MemoryStore) -> None:
    platform = platform_of(acme)
    for _ in range(2):
        assert platform.write([sample(1), sample(2)], batch_id="1").written == 2
    assert store.select(acme.uid, [SOLD], 0, 10).values.tolist() == [1.0, 2.0]


def test_a_store_that_does_not_answer_lets_the_batch_be_tried_again(
    acme: Org, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(store, "append_columns", fail)
    monkeypatch.setattr(store, "select", fail)
    platform = platform_of(acme)
    with pytest.raises(PluginError, match="disk is full") as refused:
        platform.write([sample(1)], batch_id="1")
    assert not refused.value.permanent
    with pytest.raises(PluginError, match="disk is full"):
        list(platform.read(Signal.METRICS, {"selector": "up"}, cursor={}, batch_size=5))


def test_samples_are_written_with_the_rights_of_the_owner(acme: Org, store: MemoryStore) -> None:
    put(store, acme, START, 1, job="web")
    viewer = make_member(acme, "eve", "viewer")
    run = run_of(acme, {"selector": "up"}, TO_ORG, viewer)
    assert run.state == RunState.FAILED
    assert "lacks series:create" in run.reason
    run = run_of(acme, {"selector": "up"}, TO_FILE, viewer)
    assert (run.state, run.written) == (RunState.DONE, 1)
