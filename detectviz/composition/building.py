"""From a composition to what a process runs with: variables, plugins, readiness, its pool."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import orjson

from detectviz.composition.documents import Document
from detectviz.composition.model import Composition, Driver, Health, Pool
from detectviz.composition.problems import CompositionError, CompositionProblem
from detectviz.composition.references import (
    Lookup,
    MissingReferenceError,
    reference_resolve,
    references_resolved,
)
from detectviz.composition.resolving import declared_names, url_complaint, url_fits
from detectviz.contracts.types import JsonObject

EVENTBUS, EVENTBUS_CONFIG = "DETECTVIZ_EVENTBUS_URL", "DETECTVIZ_EVENTBUS_CONFIG"
DATABASE, REDIS, SERIES = "DETECTVIZ_DATABASE_URL", "DETECTVIZ_REDIS_URL", "DETECTVIZ_TSDB_URL"
_PLACE = {DATABASE: "/spec/drivers", REDIS: "/spec/broker", SERIES: "/spec/tsdb"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the settings are made of. ``variables`` stand in for those of the environment."""

    variables: Mapping[str, str] = field(default_factory=dict)
    plugins_on: tuple[str, ...] = ("*",)
    plugins_off: tuple[str, ...] = ()
    plugin_configs: Mapping[str, JsonObject] = field(default_factory=dict, repr=False)
    plugin_needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    pool: Pool = field(default_factory=lambda: Pool(name="", queues=()))
    is_one_process: bool = False


class PluginsOff(Collection[str]):
    """The plugins nobody may use: those named, and those a composition does not declare."""

    def __init__(self, named: Collection[str], deployment: Deployment) -> None:
        self._named = tuple(named)
        self._deployment = deployment

    def __contains__(self, name: object) -> bool:
        text = str(name)
        is_on = any(fnmatchcase(text, pattern) for pattern in self._deployment.plugins_on)
        is_off = any(fnmatchcase(text, pattern) for pattern in self._deployment.plugins_off)
        return text in self._named or is_off or not is_on

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


def deployment_of(
    composition: Composition, document: Document, look_up: Lookup, *, pool: str = ""
) -> Deployment:
    """Return what a process of ``pool`` runs with; raise CompositionError.

    Addresses are read now. A variable of the environment that says something else than the
    composition, or fills a place the composition leaves empty, is a problem: one of them must go.
    """
    problems: list[CompositionProblem] = []
    variables: dict[str, str] = {}
    for variable, driver in _places(composition).items():
        given = look_up(variable) or ""
        declared = _address(driver, document, look_up, problems) if driver else ""
        if given and given != declared and (driver is None or driver.url != {"env": variable}):
            problems.append(
                document.problem(
                    f"/spec/drivers/{driver.name}" if driver else _PLACE[variable],
                    f"{variable} is set and says otherwise than this; unset it, or change this to "
                    f"a driver with url: {{env: {variable}}}.",
                )
            )
        elif declared:
            variables[variable] = declared
    variables.update(_eventbus(composition, document, look_up, problems))
    configs = _configs(composition, document, look_up, problems)
    chosen = _pool(composition, document, pool, problems)
    if problems:
        raise CompositionError(problems)
    return Deployment(
        variables=variables,
        plugins_on=_plugins_on(composition),
        plugins_off=tuple(one.name for one in composition.plugins if not one.is_enabled),
        plugin_configs=configs,
        plugin_needs={
            one.name: tuple(name for name in one.depends_on if _is_plugin(name))
            for one in composition.plugins
            if one.depends_on
        },
        health=composition.health,
        pool=chosen,
        is_one_process=composition.is_one_process,
    )


def _places(composition: Composition) -> Mapping[str, Driver | None]:
    drivers = composition.drivers
    return {
        DATABASE: composition.database,
        REDIS: drivers.get(composition.broker.driver),
        SERIES: drivers.get(composition.tsdb.driver),
    }


def _address(
    driver: Driver, document: Document, look_up: Lookup, problems: list[CompositionProblem]
) -> str:
    if driver.url is None:
        return ""
    here = f"/spec/drivers/{driver.name}/url"
    try:
        address = reference_resolve(driver.url, look_up)
    except MissingReferenceError as error:
        problems.append(document.problem(here, str(error)))
        return ""
    if not url_fits(driver.type, address):
        problems.append(document.problem(here, url_complaint(driver.type)))
    return address


def _plugins_on(composition: Composition) -> tuple[str, ...]:
    """Return what is declared, and the cache that the composition's own words choose."""
    names, cache = declared_names(composition), f"cache/{composition.cache.type}"
    is_named = any(fnmatchcase(cache, pattern) for pattern in names)
    return tuple(names) if is_named else (*names, cache)


def _eventbus(
    composition: Composition,
    document: Document,
    look_up: Lookup,
    problems: list[CompositionProblem],
) -> dict[str, str]:
    """Return the variables of a bus between processes; none for the one in process."""
    bus = composition.eventbus
    if bus.type == "in-process":
        return {}
    given = look_up(EVENTBUS) or ""
    try:
        config = {name: references_resolved(value, look_up) for name, value in bus.config.items()}
    except MissingReferenceError as error:
        problems.append(document.problem("/spec/eventbus/config", str(error)))
        return {}
    driver = composition.drivers.get(bus.driver)
    own_url = str(config.pop("url", ""))
    url = _address(driver, document, look_up, problems) if driver else own_url
    if given and given != url:
        message = f"{EVENTBUS} is set and says otherwise than this; unset it, or change this."
        problems.append(document.problem("/spec/eventbus", message))
    return {EVENTBUS: url, EVENTBUS_CONFIG: orjson.dumps(config).decode() if config else ""}


def _is_plugin(name: str) -> bool:
    return "/" in name and "*" not in name


def _configs(
    composition: Composition,
    document: Document,
    look_up: Lookup,
    problems: list[CompositionProblem],
) -> dict[str, JsonObject]:
    configs: dict[str, JsonObject] = {}
    for index, plugin in enumerate(composition.plugins):
        for name, value in plugin.config.items():
            try:
                resolved = references_resolved(value, look_up)
            except MissingReferenceError as error:
                here = f"/spec/plugins/{index}/config/{name}"
                problems.append(document.problem(here, str(error)))
            else:
                configs[plugin.name] = {**configs.get(plugin.name, {}), name: resolved}
    return configs


def _pool(
    composition: Composition, document: Document, name: str, problems: list[CompositionProblem]
) -> Pool:
    everything = Pool(name="", queues=())
    if not name:
        return everything if not composition.pools else _whole(composition)
    found = next((pool for pool in composition.pools if pool.name == name), None)
    if found is None:
        known = ", ".join(pool.name for pool in composition.pools) or "none"
        message = f"DETECTVIZ_POOL={name} is no pool of this composition; use one of: {known}."
        problems.append(document.problem("/spec/scaling/pools", message))
    return found or everything


def _whole(composition: Composition) -> Pool:
    """Return the pool of a worker that names none: it takes everything, by the same shards."""
    shards = max(pool.shards for pool in composition.pools)
    return Pool(name="", queues=(), shards=shards)
