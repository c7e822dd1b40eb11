"""What pipelines reach of their own org, and with whose rights."""

from dataclasses import replace

import pytest

from apps.operations.models import Pipeline
from apps.operations.services.platform import OrgPlatform
from apps.orgs.models import Org
from detectviz.clock import utc_now
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.records import ResourceRecord, Signal
from detectviz.contracts.types import JsonObject
from tests.factories.accounts import make_member
from tests.factories.orgs import make_org
from tests.factories.pipelines import write_pipeline

pytestmark = pytest.mark.django_db
FOLDER: JsonObject = {
    "apiVersion": "core/v1",
    "kind": "Folder",
    "metadata": {"name": "web"},
    "spec": {"title": "Web"},
}


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def platform_of(pipeline: Pipeline) -> OrgPlatform:
    both = frozenset({"read", "write"})
    return OrgPlatform(pipeline=pipeline, granted=both, clock=utc_now)


def test_resources_are_applied_and_wrong_ones_named(acme: Org) -> None:
    platform = platform_of(write_pipeline(acme))
    wrong: JsonObject = {**FOLDER, "kind": "Nothing"}
    records = [ResourceRecord(document=FOLDER), ResourceRecord(document=wrong)]
    report = platform.write(records, batch_id="1")
    assert (report.written, [error.place for error in report.errors]) == (1, ["Nothing/web"])
    selection: JsonObject = {"kinds": ["Folder"]}
    (batch,) = platform.read(Signal.RESOURCES, selection, cursor={}, batch_size=10)
    assert [each.document["kind"] for each in batch.records] == ["Folder"]  # type: ignore[union-attr]  # resources


def test_it_has_the_rights_of_its_owner_and_no_more(acme: Org) -> None:
    viewer = make_member(acme, "eve", "viewer")
    platform = platform_of(write_pipeline(acme, viewer))
    report = platform.write([ResourceRecord(document=FOLDER)], batch_id="1")
    assert report.written == 0
    with pytest.raises(PluginError, match="lacks audit:read"):
        list(platform.read(Signal.EVENTS, {}, cursor={}, batch_size=10))
    viewer.delete()
    platform.pipeline.refresh_from_db()
    with pytest.raises(PluginError, match="owner of the pipeline is gone"):
        list(platform.read(Signal.EVENTS, {}, cursor={}, batch_size=10))


def test_audit_events_are_read_from_the_cursor_on(acme: Org) -> None:
    platform = platform_of(write_pipeline(acme))
    (batch,) = platform.read(Signal.EVENTS, {}, cursor={}, batch_size=10)
    assert [each.type for each in batch.records] == ["pipeline.create"]  # type: ignore[union-attr]  # events
    assert not list(platform.read(Signal.EVENTS, {}, cursor=batch.cursor, batch_size=10))


def test_what_the_manifest_does_not_ask_for_is_refused(acme: Org) -> None:
    platform = replace(platform_of(write_pipeline(acme)), granted=frozenset())
    with pytest.raises(PluginError, match=r"permissions\.platform"):
        list(platform.read(Signal.EVENTS, {}, cursor={}, batch_size=10))
    with pytest.raises(PluginError, match=r"permissions\.platform"):
        platform.write([], batch_id="1")


def test_there_are_no_logs_to_read(acme: Org) -> None:
    with pytest.raises(QueryError, match="no logs"):
        list(platform_of(write_pipeline(acme)).read(Signal.LOGS, {}, cursor={}, batch_size=1))
