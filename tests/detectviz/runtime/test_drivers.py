"""Drivers wait for what they drive, and say what does not answer."""

import threading
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from detectviz.runtime.applications import ROLES, modules_of
from detectviz.runtime.drivers import driver_modules
from detectviz.runtime.driving import DriverModule
from detectviz.runtime.modules import ModuleError, start_order
from detectviz.runtime.plugin_drivers import plugin_driver_modules
from detectviz.testing.redis import redis_server
from detectviz.testing.services import free_port

SECRET = "hush-4711"
ADDRESS = f"redis://:{SECRET}@127.0.0.1:6379/0"


class Clock:
    """Time that passes by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def _driver(answers: Iterator[Exception | None], clock: Clock) -> DriverModule:
    def ask() -> None:
        answer = next(answers)
        if answer is not None:
            raise answer

    return DriverModule(
        name="broker",
        variable="DETECTVIZ_REDIS_URL",
        address=ADDRESS,
        ask=ask,
        clock=clock,
        sleep=clock.sleep,
    )


def test_a_driver_waits_for_what_comes_late() -> None:
    clock = Clock()
    answers: list[Exception | None] = [ConnectionError("refused")] * 20

    _driver(iter([*answers, None]), clock).start()

    assert clock.now == 10.0


def test_after_thirty_seconds_it_names_the_variable_and_no_password() -> None:
    clock = Clock()

    def refused() -> Iterator[Exception]:
        while True:
            yield ConnectionError(f"cannot connect to {ADDRESS}\nand more")

    with pytest.raises(ModuleError) as caught:
        _driver(refused(), clock).start()

    assert clock.now == 30.0
    assert "broker" in str(caught.value)
    assert "does not answer" in str(caught.value)
    assert "DETECTVIZ_REDIS_URL" in str(caught.value)
    assert "127.0.0.1:6379" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_what_waiting_cannot_mend_is_told_at_once() -> None:
    class WrongAddressError(Exception):
        retryable = False

    clock = Clock()
    with pytest.raises(ModuleError):
        _driver(iter([WrongAddressError("no such store")]), clock).start()

    assert clock.now == 0.0


@pytest.mark.parametrize("role", sorted(ROLES))
@pytest.mark.parametrize("is_embedded", [True, False])
def test_drivers_start_before_every_service(
    settings: Settings, role: str, *, is_embedded: bool
) -> None:
    settings.IS_EMBEDDED = is_embedded
    drivers = [module.name for module in driver_modules(role)]

    names = [module.name for module in start_order(modules_of(role))]

    assert names[: len(drivers)] == drivers
    assert drivers[-1] == "drivers"
    assert ("driver:redis" in drivers) is not is_embedded


@pytest.mark.services("redis-server")
def test_a_redis_that_comes_up_late_is_waited_for(settings: Settings) -> None:
    port = free_port()
    settings.REDIS_URL, settings.IS_EMBEDDED = f"redis://127.0.0.1:{port}/0", False
    driver = plugin_driver_modules(["web"])[-1].driver
    asked = threading.Event()

    def note(seconds: float) -> None:
        asked.set()
        threading.Event().wait(0.02)

    driver.sleep = note
    starting = threading.Thread(target=driver.start)
    starting.start()
    assert asked.wait(10), "there was no Redis yet, so it had to wait"
    with redis_server(port):
        starting.join(10)
        assert not starting.is_alive()
    driver.stop(1.0)
