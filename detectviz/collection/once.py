"""One check now, judged as the engine judges: for "run once", the command line and tests."""

import asyncio
import logging
import time
from datetime import UTC, datetime

from detectviz.collection.checks import (
    ClosableNetwork,
    CollectorRegistry,
    CommandsFor,
    ScheduledCheck,
)
from detectviz.collection.discovery import DiscoveryHost
from detectviz.collection.memories import discoverer_of
from detectviz.collection.verdict import from_answer, from_exception, timed_out
from detectviz.contracts.collector import CheckResult, CollectorContext
from detectviz.pluginhost.scope import calling_for

GRACE_S = 0.25


async def run_check(
    check: ScheduledCheck,
    *,
    registry: CollectorRegistry,
    network: ClosableNetwork,
    discovery: DiscoveryHost | None = None,
    commands: CommandsFor | None = None,
) -> CheckResult:
    """Run ``check`` in the current loop; never raises for what the plugin does."""
    memory: dict[str, object] = {}
    context = CollectorContext(
        monitor=check.name,
        config=check.config,
        secrets=check.secrets,
        timeout_s=check.timeout_s,
        network=network,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        logger=logging.getLogger(f"detectviz.collectors.{check.collector}"),
        heartbeat=check.heartbeat,
        labels=check.labels,
        discoverer=discoverer_of(check, discovery, network, memory),
        memory=memory,
        commands=commands(check.org) if commands else None,
    )
    try:
        async with asyncio.timeout(check.timeout_s + GRACE_S) as deadline:
            with calling_for(check.org):
                answer = await registry.get(check.collector, check.org).check(context)
    except TimeoutError as error:
        return timed_out(check) if deadline.expired() else from_exception(error, check)
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises is a result
        return from_exception(error, check)
    return from_answer(answer, check)


def run_once(
    check: ScheduledCheck,
    *,
    registry: CollectorRegistry,
    network: ClosableNetwork,
    discovery: DiscoveryHost | None = None,
    commands: CommandsFor | None = None,
) -> CheckResult:
    """Run ``check`` in a loop of its own, close ``network`` and return the result; blocking."""

    async def run() -> CheckResult:
        try:
            return await run_check(
                check, registry=registry, network=network, discovery=discovery, commands=commands
            )
        finally:
            await network.aclose()

    return asyncio.run(run())
