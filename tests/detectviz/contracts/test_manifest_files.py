"""Manifests of strangers are bounded, read as where they are applied, and never shown."""

import json
from pathlib import Path

import pytest

from detectviz.contracts.batches import Batch
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.manifest_files import manifest_batches
from detectviz.contracts.records import ResourceRecord
from detectviz.contracts.types import JsonObject
from detectviz.testing.datasource_fakes import FakeConnector
from detectviz.testing.importers import make_importer_context

GOOD: JsonObject = {"apiVersion": "core/v1", "kind": "Team", "metadata": {"name": "a"}, "spec": {}}


def read(tmp_path: Path, text: str) -> list[Batch]:
    (tmp_path / "f").write_text(text)
    files = FakeConnector(files={"f": str(tmp_path / "f")})
    context = make_importer_context("users", {"path": "f"}, connector=files)
    return list(manifest_batches(context, {"Team": "core/v1"}))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(GOOD),
        json.dumps([GOOD]),
        json.dumps({"kind": "List", "items": [GOOD]}),
        f"---\n---\n{json.dumps(GOOD)}",
    ],
)
def test_documents_lists_and_lists_of_items_are_read(tmp_path: Path, text: str) -> None:
    (batch,) = read(tmp_path, text)
    assert (batch.records, batch.total) == ([ResourceRecord(document=GOOD)], 1)


def test_only_true_and_false_are_truth_values_and_times_stay_text(tmp_path: Path) -> None:
    text = "spec: {a: on, b: true, c: 2026-01-31, d: 5}\n"
    text += "apiVersion: core/v1\nkind: Team\nmetadata: {name: a}\n"
    (batch,) = read(tmp_path, text)
    (record,) = batch.records
    assert isinstance(record, ResourceRecord)
    assert record.document["spec"] == {"a": "on", "b": True, "c": "2026-01-31", "d": 5}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "Pod"}, "none of Team"),
        ({"apiVersion": "core/v2"}, "is core/v1"),
        ({"metadata": {}}, "metadata.name"),
        ({"spec": "hidden"}, "spec is no object"),
        ({"metadata": "hidden"}, "metadata.name"),
    ],
)
def test_another_shape_is_named_without_what_it_holds(
    tmp_path: Path, change: dict[str, object], reason: str
) -> None:
    (batch,) = read(tmp_path, json.dumps([{**GOOD, **change}, 7]))
    assert [error.place for error in batch.errors] == ["document 1", "document 2"]
    assert reason in batch.errors[0].message
    assert "hidden" not in repr(batch.errors)


@pytest.mark.parametrize(
    "text",
    [
        "password: hidden: x",
        "a: &a [1]\nb: *a",
        "!!python/object/apply:os.system [hidden]",
        "[" * 50,
        "a: [" + "[" * 100_000,
        "\x00",
        "a: 1\n" * 1_000_000,
    ],
)
def test_what_is_no_plain_yaml_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    with pytest.raises(PluginError) as refused:
        read(tmp_path, text)
    assert refused.value.permanent
    assert "hidden" not in repr(refused.value)


def test_a_file_or_an_address_must_be_given(tmp_path: Path) -> None:
    for config in ({}, {"path": "f", "url": "http://a.example.org"}):
        with pytest.raises(ConfigurationError):
            list(manifest_batches(make_importer_context("users", config), {}))
