from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.contracts.errors import ConfigurationError, NetworkError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.cache import CacheConformance, make_context
from detectviz.testing.databases import postgresql_server
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import free_port


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql_server() as address:
        yield address


class TestSqlite(CacheConformance):
    name = "database"

    @pytest.fixture
    def config(self, tmp_path: Path) -> JsonObject:
        return {"url": f"sqlite://{tmp_path}/cache.sqlite"}


@pytest.mark.services("postgres")
class TestPostgresql(CacheConformance):
    name = "database"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url}


def test_a_file_that_cannot_be_made_is_a_wrong_configuration(tmp_path: Path) -> None:
    context = make_context("database", {"url": f"sqlite://{tmp_path}/no/such/cache.sqlite"})
    with pytest.raises(ConfigurationError):
        built_in_plugins().load(PluginKind.CACHE, "database").open(context)


def test_a_server_nobody_answers_at_may_come_later() -> None:
    context = make_context("database", {"url": f"postgresql://x@127.0.0.1:{free_port()}/x"})
    with pytest.raises(NetworkError):
        built_in_plugins().load(PluginKind.CACHE, "database").open(context)
