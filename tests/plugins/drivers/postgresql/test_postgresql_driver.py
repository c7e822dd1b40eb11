from collections.abc import Iterator

import pytest

from detectviz.contracts.driver import Driver
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import JsonObject
from detectviz.testing.databases import postgresql_server
from detectviz.testing.drivers import DriverConformance, make_context
from detectviz.testing.services import free_port

pytestmark = pytest.mark.services("postgres")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql_server() as address:
        yield address


class TestPostgresql(DriverConformance):
    name = "postgresql"

    @pytest.fixture
    def config(self, url: str) -> JsonObject:
        return {"url": url}

    @pytest.fixture
    def nobody(self) -> JsonObject:
        return {"url": f"postgresql://x@127.0.0.1:{free_port()}/x"}

    def test_a_database_that_is_not_there_is_not_waited_for(self, driver: Driver, url: str) -> None:
        with pytest.raises(ConfigurationError, match="does not exist"):
            driver.open(make_context(self.name, {"url": url.replace("/test", "/nowhere")}))
