"""What a start does with the operator's files."""

from pathlib import Path

import pytest

from apps.datasources.models import Datasource
from apps.operations.services.startup import provisioning_prepare
from apps.orgs.models import Org
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db
GOOD = "apiVersion: 1\ndatasources: [{name: Made up, type: testdata, jsonData: {tls: true}}]\n"


@pytest.fixture
def main() -> Org:
    return make_org("default")


def test_files_are_provisioned_and_what_was_left_out_is_said(main: Org, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    said: list[str] = []

    provisioning_prepare(folder=tmp_path, say=said.append)

    assert Datasource.objects.for_org(main).get().name == "made-up"
    assert "jsonData.tls" in said[0]
    assert "1 created" in said[1]


def test_a_wrong_file_is_told_and_stops_nothing(main: Org, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "b.yaml").write_text("apiVersion: 1\ndatasources: 7\n", encoding="utf-8")
    said: list[str] = []

    provisioning_prepare(folder=tmp_path, say=said.append)

    assert len(said) == 1
    assert "b.yaml: datasources" in said[0]
    assert not Datasource.objects.for_org(main).exists()


def test_no_folder_is_no_mistake(tmp_path: Path) -> None:
    said: list[str] = []

    provisioning_prepare(folder=tmp_path / "nothing", say=said.append)

    assert said == []
