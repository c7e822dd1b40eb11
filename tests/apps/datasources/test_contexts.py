"""What the host lends a plugin for one call."""

from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from apps.datasources.selectors import datasource_resolve
from apps.datasources.services.contexts import datasource_context
from apps.datasources.services.datasources import datasource_delete
from apps.datasources.services.instances import instance_pool
from apps.orgs.models import Org
from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.errors import EgressDeniedError, NetworkError, PluginError
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


@pytest.fixture
def org() -> Org:
    return make_org("acme")


@pytest.fixture
def context(org: Org, settings: Settings, tmp_path: Path) -> DatasourceContext:
    settings.DATASOURCE_FILES_DIR = tmp_path
    (tmp_path / "acme").mkdir()
    make_datasource(org)
    return datasource_context(
        org=org,
        resolved=datasource_resolve(org=org, ref="warehouse"),
        timeout_s=5,
        is_cancelled=lambda: False,
    )


def test_the_context_has_what_the_manifest_asks_for(context: DatasourceContext) -> None:
    assert context.org == "acme"
    assert context.settings.secrets == {"password": "hush"}
    assert context.series is not None
    assert context.max_rows > 0


def test_an_address_passes_the_egress_policy(context: DatasourceContext) -> None:
    assert context.connector.address("127.0.0.1", 5432) == "127.0.0.1"
    with pytest.raises(EgressDeniedError, match="link-local"):
        context.connector.address("169.254.169.254", 80)
    with pytest.raises(NetworkError, match="resolve"):
        context.connector.address("nothing.invalid", 80)


def test_only_files_of_the_orgs_own_folder_are_read(
    context: DatasourceContext, tmp_path: Path
) -> None:
    (tmp_path / "acme" / "stock.csv").write_text("a,b", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "secret.csv").write_text("a,b", encoding="utf-8")
    (tmp_path / "acme" / "link.csv").symlink_to(tmp_path / "other" / "secret.csv")

    assert context.connector.file("stock.csv") == str(tmp_path / "acme" / "stock.csv")
    assert context.connector.file(str(tmp_path / "acme" / "stock.csv")).endswith("stock.csv")
    for path in ("../other/secret.csv", "link.csv", "/etc/passwd", "", "nothing", "a\x00b"):
        with pytest.raises(PluginError, match="DETECTVIZ_DATASOURCE_FILES_DIR"):
            context.connector.file(path)


def test_what_a_call_keeps_is_closed_when_the_datasource_goes(
    org: Org, context: DatasourceContext, django_capture_on_commit_callbacks: Any
) -> None:
    closed: list[str] = []
    context.instances.get(lambda: "pool", closed.append)
    row = datasource_resolve(org=org, ref="warehouse").row
    with django_capture_on_commit_callbacks(execute=True):
        datasource_delete(datasource=row)
    assert len(instance_pool()) == 0
