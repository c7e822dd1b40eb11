"""Manifests are read from files and addresses; others are named, without what they hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.records import ResourceRecord
from detectviz.net.http import SyncHttpClient
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.http_server import Answer, http_server
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from plugins.importers.policies.importer import PoliciesImporter

DOCUMENT = """\
apiVersion: notifications/v1
kind: ContactPoint
metadata: {name: n%d}
spec: {title: "Title"}
"""
DOCUMENTS = "---\n".join(DOCUMENT % number for number in range(6))


class TestConformance(ImporterSuite):
    """Six documents of a file; an address that refuses."""

    name = "policies"

    @pytest.fixture
    def good_context(self, tmp_path: Path) -> ImporterContext:
        (tmp_path / "a.yaml").write_text(DOCUMENTS)
        files = FakeConnector(files={"a.yaml": str(tmp_path / "a.yaml")})
        return make_importer_context("policies", {"path": "a.yaml"}, connector=files)

    @pytest.fixture
    def bad_context(self, http: SyncHttpClient) -> Iterator[ImporterContext]:
        with http_server(lambda _: Answer(status=403, body=self.SECRET.encode())) as server:
            yield make_importer_context(
                "policies", {"url": server.url}, {"token": self.SECRET}, http=http
            )


def test_an_address_is_read_and_another_kind_named(http: SyncHttpClient) -> None:
    foreign = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {password: hidden}\n"
    body = (DOCUMENTS + foreign).encode()
    with http_server(lambda _: Answer(body=body)) as server:
        context = make_importer_context("policies", {"url": f"{server.url}/a.yaml"}, http=http)
        batches = list(PoliciesImporter().read(context))
    records = records_of(batches)
    assert len(records) == 6
    assert isinstance(records[0], ResourceRecord)
    assert records[0].document["kind"] == "ContactPoint"
    (error,) = batches[-1].errors
    assert (error.place, error.sample) == ("document 7", "Pod/p")
    assert "hidden" not in repr(error)
