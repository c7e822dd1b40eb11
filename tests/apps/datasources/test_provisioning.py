"""Datasources from files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from apps.datasources.models import Datasource
from apps.datasources.services.grafana_files import name_of
from apps.datasources.services.provisioning import (
    ProvisioningError,
    ProvisioningReport,
    datasources_provision,
)
from apps.orgs.models import Org
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("database")
Provision = Callable[..., ProvisioningReport]
GRAFANA = """\
apiVersion: 1
prune: true
deleteDatasources:
  - {name: Old Shelf, orgId: 1}
datasources:
  - name: My Shelf (eu)
    type: shelf
    uid: shelf_uid
    access: proxy
    orgId: 1
    url: http://$SHELF_HOST:${SHELF_PORT}
    user: reader
    isDefault: true
    jsonData: {database: stock, depth: 7, somethingElse: 1, via: "$$x"}
    secureJsonData: {password: "$__file{SECRET_PATH}", tlsKey: x}
    version: 1
    editable: false
"""
OURS = """\
apiVersion: datasources/v1
kind: Datasource
metadata: {name: ours, labels: {team: web}}
spec: {type: shelf, url: "db:1", secure_json_data: {password: hush}}
---
apiVersion: datasources/v1
kind: Datasource
metadata: {name: theirs, org: acme}
spec: {type: shelf, url: "db:2", read_only: false}
"""


@pytest.fixture
def main() -> Org:
    make_org("acme")
    return make_org("default")


@pytest.fixture
def provision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Provision:
    secret = tmp_path / "secret"
    secret.write_text("from-file\n", encoding="utf-8")
    monkeypatch.setenv("SHELF_HOST", "db.example.org")
    monkeypatch.setenv("SHELF_PORT", "5432")
    folder = tmp_path / "datasources"
    folder.mkdir()

    def run(
        *, is_pruning: bool = False, is_dry_run: bool = False, **files: str
    ) -> ProvisioningReport:
        for path in folder.iterdir():
            path.unlink()
        for name, text in files.items():
            (folder / f"{name}.yaml").write_text(
                text.replace("SECRET_PATH", str(secret)), encoding="utf-8"
            )
        return datasources_provision(folder=folder, is_pruning=is_pruning, is_dry_run=is_dry_run)

    return run


def names(org: Org) -> list[str]:
    return sorted(Datasource.objects.for_org(org).values_list("name", flat=True))


def test_a_file_of_grafana_is_read_as_grafana_does(main: Org, provision: Provision) -> None:
    make_datasource(main, name="old-shelf")

    report = provision(shelf=GRAFANA)

    row = Datasource.objects.for_org(main).get()
    assert (row.name, row.title, row.uid) == ("my-shelf-eu", "My Shelf (eu)", "shelf_uid")
    assert (row.url, row.user, row.database) == ("http://db.example.org:5432", "reader", "stock")
    assert row.json_data == {"depth": 7, "via": "$x"}
    assert dict(row.secure_json_data) == {"password": "from-file"}
    assert (row.is_default, row.read_only, row.is_prunable) == (True, True, True)
    assert row.provisioned_from == "shelf.yaml"
    assert report.deleted == ["default/old-shelf"]
    assert [each.split(": ")[2].split(" ")[0] for each in report.warnings] == [
        "jsonData.somethingElse",
        "secureJsonData.tlsKey",
    ]


def test_a_second_run_changes_nothing(main: Org, provision: Provision) -> None:
    provision(shelf=GRAFANA, ours=OURS)

    report = provision(shelf=GRAFANA, ours=OURS)

    assert sorted(report.unchanged) == ["acme/theirs", "default/my-shelf-eu", "default/ours"]
    assert not report.created + report.updated + report.deleted


def test_our_manifests_are_read_only_unless_they_say_otherwise(
    main: Org, provision: Provision
) -> None:
    provision(ours=OURS)

    ours = Datasource.objects.for_org(main).get()
    theirs = Datasource.objects.for_org(Org.objects.get(name="acme")).get()
    assert (ours.read_only, ours.labels) == (True, {"team": "web"})
    assert not theirs.read_only


def test_what_no_file_names_any_more_goes_where_the_file_said_prune(
    main: Org, provision: Provision
) -> None:
    make_datasource(main, name="by-hand")
    provision(shelf=GRAFANA, ours=OURS)

    assert provision().deleted == ["default/my-shelf-eu"]
    assert names(main) == ["by-hand", "ours"]
    assert provision(is_pruning=True).deleted == ["acme/theirs", "default/ours"]
    assert names(main) == ["by-hand"]


def test_a_dry_run_only_tells(main: Org, provision: Provision) -> None:
    report = provision(ours=OURS, is_dry_run=True)

    assert report.created == ["default/ours", "acme/theirs"]
    assert names(main) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "Not valid YAML"),
        ("apiVersion: 1\ndatasource: []", "datasource"),
        ("apiVersion: 1\ndatasources: {}", "Must be a list"),
        ("apiVersion: 1\ndatasources: [{type: shelf}]", "datasources[0].name"),
        ("apiVersion: 1\ndatasources: [{name: x}]", "datasources[0].type"),
        ("apiVersion: 1\ndatasources: [{name: x, type: nothing}]", "no plugin 'nothing'"),
        ("apiVersion: 1\ndatasources: [{name: x, type: shelf, orgId: 7, url: a}]", "orgName"),
        ("apiVersion: 1\ndatasources: [{name: x, type: shelf, urll: a}]", "urll"),
        ("apiVersion: 1\ndatasources: [{name: x, type: shelf, url: [a]}]", "url"),
        ("apiVersion: 1\ndatasources: [{name: x, type: shelf, url: $NOT_SET_AT_ALL}]", "NOT_SET"),
        ("apiVersion: 1\ndatasources: [{name: x, type: shelf}]", "spec.url"),
        ("apiVersion: 1\ndatasources: [{name: x, type: shelf, url: a, orgName: no}]", "'no'"),
        ("apiVersion: core/v1\nkind: Folder\nmetadata: {name: a}\nspec: {}", "Only datasources"),
        ("- 1", "object"),
    ],
)
def test_one_wrong_file_leaves_everything_as_it_was(
    main: Org, provision: Provision, text: str, words: str
) -> None:
    with pytest.raises(ProvisioningError) as refusal:
        provision(a=OURS, b=text)

    assert refusal.value.message.startswith("b.yaml: ")
    assert words in refusal.value.message
    assert names(main) == []


def test_two_defaults_are_refused(main: Org, provision: Provision) -> None:
    second = GRAFANA.replace("My Shelf (eu)", "Other").replace("shelf_uid", "other")

    with pytest.raises(ProvisioningError, match="there can be one"):
        provision(a=GRAFANA, b=second)


def test_the_default_moves_between_files(main: Org, provision: Provision) -> None:
    provision(a=GRAFANA)
    second = GRAFANA.replace("My Shelf (eu)", "Other").replace("shelf_uid", "other")
    provision(a=GRAFANA.replace("isDefault: true", "isDefault: false"), b=second)

    assert Datasource.objects.for_org(main).get(is_default=True).name == "other"


def test_names_are_made_of_titles() -> None:
    assert name_of("My Shelf (eu)") == "my-shelf-eu"
    assert name_of("-".join("ab" * 60)) == "-".join("ab" * 60)[:63].strip("-")


def test_the_command_line_provisions_and_tests(
    main: Org, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ours.yaml").write_text(OURS.partition("---")[0], encoding="utf-8")

    call_command("datasources", "provision", str(tmp_path), "-o", "json")
    assert json.loads(capsys.readouterr().out)["created"] == ["default/ours"]
    Datasource.objects.for_org(main).update(database="fine")
    call_command("datasources", "test", "ours")
    assert capsys.readouterr().out == "ours: ok: fine is ok\n"
    Datasource.objects.for_org(main).update(database="bad")
    with pytest.raises(SystemExit):
        call_command("datasources", "test", "ours", "-o", "json")
