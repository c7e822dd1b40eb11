"""Outside systems are reached by driver plugins before services start."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from detectviz.composition.building import Deployment, DriverUse
from detectviz.runtime.driving import DriverModule, WatchedDriverModule
from detectviz.runtime.modules import ModuleError, ModuleState, Runner
from detectviz.runtime.plugin_drivers import driver_uses, is_database, plugin_driver_modules
from detectviz.testing.databases import postgresql_server
from detectviz.testing.redis import redis_server
from detectviz.testing.services import free_port

SECRET = "hush-4711"


def one(settings: Settings, type_: str, url: str) -> WatchedDriverModule:
    settings.COMPOSITION = "acme.yaml"
    use = DriverUse(name="it", type=type_, config={"url": url}, applications=frozenset({"web"}))
    settings.DEPLOYMENT = Deployment(drivers=(use,))
    (module,) = plugin_driver_modules(["web"])
    module.driver.timeout_s = 0.0
    return module


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with postgresql_server() as address:
        yield address


def test_a_process_reaches_what_its_application_declares(settings: Settings) -> None:
    settings.COMPOSITION = "acme.yaml"
    settings.DEPLOYMENT = Deployment(
        drivers=tuple(
            DriverUse(name=name, type="redis", config={}, applications=frozenset(wanted))
            for name, wanted in (("a", {"web"}), ("b", {"worker"}), ("c", {"beat"}))
        )
    )
    assert [use.name for use in driver_uses(["web", "sys"])] == ["a"]
    assert [use.name for use in driver_uses(["heavy"])] == ["a"]
    assert [use.name for use in driver_uses(["collector"])] == ["b"]
    assert [use.name for use in driver_uses(["control"])] == ["b", "c"]
    assert [use.name for use in driver_uses([])] == ["a", "b", "c"]


def test_without_a_composition_the_variables_name_them(settings: Settings) -> None:
    settings.COMPOSITION, settings.IS_EMBEDDED = "", False
    settings.DATABASE_URL, settings.REDIS_URL = "postgresql://h/d", "redis://h"
    modules = plugin_driver_modules(["beat"])
    assert [module.name for module in modules] == ["driver:database", "driver:redis"]
    assert [is_database(module) for module in modules] == [True, False]


@pytest.mark.services("postgres")
def test_a_database_is_reached_and_says_what_it_is(settings: Settings, postgresql: str) -> None:
    module = one(settings, "postgresql", postgresql)
    runner = Runner([module])
    runner.start()
    (status,) = runner.statuses()
    assert (status.name, status.state) == ("driver:it", ModuleState.RUNNING)
    assert status.reason.startswith("PostgreSQL 1")
    assert runner.stop()


@pytest.mark.services("postgres")
def test_a_wrong_database_is_told_at_once_with_where_to_look(
    settings: Settings, postgresql: str
) -> None:
    module = one(settings, "postgresql", postgresql.replace("/test", "/nowhere"))
    module.driver.timeout_s = 3600.0
    with pytest.raises(ModuleError, match=r"does not exist.*Look at spec\.drivers\.it of the"):
        module.start()


def test_a_database_that_does_not_answer_is_told_with_its_reason(settings: Settings) -> None:
    url = f"postgresql://u:{SECRET}@127.0.0.1:{free_port()}/x"
    with pytest.raises(ModuleError) as told:
        one(settings, "postgresql", url).start()
    for words in ("driver:it (postgresql://", "refused", "Look at spec.drivers.it"):
        assert words in str(told.value)
    assert SECRET not in str(told.value)


def test_a_driver_without_a_plugin_is_told(settings: Settings) -> None:
    with pytest.raises(ModuleError, match="no plugin 'oracle' among the drivers"):
        one(settings, "oracle", "oracle://x").start()


def test_a_wrong_config_is_told(settings: Settings) -> None:
    with pytest.raises(ModuleError, match="drivers/redis: /url"):
        one(settings, "redis", "http://x").start()


@pytest.mark.services("redis-server")
def test_one_that_goes_away_is_shown_and_stops_nobody(settings: Settings) -> None:
    port = free_port()
    module = one(settings, "redis", f"redis://127.0.0.1:{port}/0")
    database = DriverModule(name="database", variable="X", address="", ask=lambda: None)
    runner = Runner([database, module])
    with redis_server(port):
        runner.start()
        module.look()
        assert runner.statuses()[1].reason.startswith("Redis ")
    module.look()
    (_, status) = runner.statuses()
    assert status.state is ModuleState.DEGRADED
    assert "does not answer" in status.reason
    with redis_server(port):
        module.look()
        assert runner.statuses()[1].state is ModuleState.RUNNING
    assert runner.stop()


def test_a_thread_looks_by_itself_and_ends_with_the_module() -> None:
    asked: list[int] = []
    driver = DriverModule(name="x", variable="X", address="", ask=lambda: asked.append(1))
    module = WatchedDriverModule(driver=driver, says=lambda: "it", every_s=0.001)
    module.start()
    while len(asked) < 3:
        pass
    module.stop(5.0)
    assert module.remark().is_well
