"""The conformance suite of drivers: subclass it with a server and a configuration."""

import logging

import pytest

from detectviz.contracts.driver import Driver, DriverContext
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config


def make_context(name: str, config: JsonObject) -> DriverContext:
    """Return a context with a configuration the plugin's schema accepts."""
    return DriverContext(
        config=checked_config(PluginKind.DRIVER, name, config).config,
        secrets={},
        timeout_s=3.0,
        logger=logging.getLogger("conformance"),
    )


class DriverConformance:
    """Every driver passes it. ``nobody`` is an address of its form where nobody answers."""

    name: str

    @pytest.fixture
    def config(self) -> JsonObject:
        """Return the configuration of a running system."""
        raise NotImplementedError

    @pytest.fixture
    def nobody(self) -> JsonObject:
        """Return a configuration that leads nowhere."""
        raise NotImplementedError

    @pytest.fixture
    def driver(self) -> Driver:
        """Return the plugin's instance."""
        loaded: Driver = built_in_plugins().load(PluginKind.DRIVER, self.name)
        return loaded

    def test_what_answers_says_what_it_is(self, driver: Driver, config: JsonObject) -> None:
        handle = driver.open(make_context(self.name, config))
        assert handle.check()
        assert handle.check()
        handle.close()

    def test_closing_twice_does_no_harm(self, driver: Driver, config: JsonObject) -> None:
        handle = driver.open(make_context(self.name, config))
        handle.close()
        handle.close()

    def test_two_are_open_at_once(self, driver: Driver, config: JsonObject) -> None:
        first = driver.open(make_context(self.name, config))
        second = driver.open(make_context(self.name, config))
        first.close()
        assert second.check()
        second.close()

    def test_who_does_not_answer_may_come_later(self, driver: Driver, nobody: JsonObject) -> None:
        with pytest.raises(NetworkError) as told:
            driver.open(make_context(self.name, nobody))
        assert not told.value.permanent

    def test_the_address_is_demanded(self) -> None:
        schema = built_in_plugins().manifest(PluginKind.DRIVER, self.name).config_schema
        assert schema["required"] == ["url"]
