"""From a composition to what a process runs with: variables, plugins, readiness, its pool."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from detectviz.composition.documents import Document
from detectviz.composition.model import Composition, Health, Pool
from detectviz.composition.places import place_variables
from detectviz.composition.problems import CompositionError
from detectviz.composition.reading import Reading
from detectviz.composition.references import Lookup
from detectviz.composition.resolving import declared_names
from detectviz.composition.selecting import selected_list
from detectviz.contracts.types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverUse:
    """An outside system that a driver plugin reaches, and which applications want it.

    ``config`` has its address and is resolved; no ``applications``: all of them.
    """

    name: str
    type: str
    config: JsonObject = field(repr=False)
    applications: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """What the settings are made of. ``variables`` stand in for those of the environment.

    ``cache_plugin`` is empty where the address of the cache says which it is.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    drivers: tuple[DriverUse, ...] = ()
    cache_plugin: str = ""
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
    reading = Reading(composition=composition, document=document, look_up=look_up)
    variables = place_variables(reading)
    drivers = _drivers(reading)
    configs = _configs(reading)
    chosen = _pool(reading, pool)
    if reading.problems:
        raise CompositionError(reading.problems)
    return Deployment(
        variables=variables,
        drivers=drivers,
        cache_plugin="" if composition.cache.type == "memory" else composition.cache.type,
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


def _drivers(reading: Reading) -> tuple[DriverUse, ...]:
    """Return what driver plugins reach, with addresses and configurations resolved."""
    found: list[DriverUse] = []
    for driver in reading.composition.drivers.values():
        if not driver.is_plugin:
            continue
        config = reading.resolved(driver.config, f"/spec/drivers/{driver.name}/config")
        if driver.url is not None:
            config = {**config, "url": reading.address(driver)}
        applications = reading.composition.applications.values()
        wanted = frozenset(one.name for one in applications if driver.name in one.drivers)
        use = DriverUse(name=driver.name, type=driver.type, config=config, applications=wanted)
        found.append(use)
    return tuple(found)


def _plugins_on(composition: Composition) -> tuple[str, ...]:
    """Return what is declared, and what the composition's own words choose."""
    names = declared_names(composition)
    chosen = dict.fromkeys(one.plugin for one in selected_list(composition))
    more = [one for one in chosen if not any(fnmatchcase(one, pattern) for pattern in names)]
    return (*names, *more)


def _is_plugin(name: str) -> bool:
    return "/" in name and "*" not in name


def _configs(reading: Reading) -> dict[str, JsonObject]:
    """Return what is said of single plugins, where they are declared or where they are chosen."""
    composition = reading.composition
    places = [
        (plugin.name, f"/spec/plugins/{index}/config", plugin.config)
        for index, plugin in enumerate(composition.plugins)
    ]
    for kind, parts in (("auth", composition.auth), ("middleware", composition.middleware)):
        places += [
            (f"{kind}/{part.name}", f"/spec/{kind}/{index}/config", part.config)
            for index, part in enumerate(parts)
        ]
    configs: dict[str, JsonObject] = {}
    for name, where, config in places:
        resolved = reading.resolved(config, where)
        if resolved:
            configs[name] = {**configs.get(name, {}), **resolved}
    return configs


def _pool(reading: Reading, name: str) -> Pool:
    pools = reading.composition.pools
    everything = Pool(name="", queues=())
    if not name:
        return everything if not pools else _whole(reading.composition)
    found = next((pool for pool in pools if pool.name == name), None)
    if found is None:
        known = ", ".join(pool.name for pool in pools) or "none"
        message = f"DETECTVIZ_POOL={name} is no pool of this composition; use one of: {known}."
        reading.complain("/spec/scaling/pools", message)
    return found or everything


def _whole(composition: Composition) -> Pool:
    """Return the pool of a worker that names none: it takes everything, by the same shards."""
    shards = max(pool.shards for pool in composition.pools)
    return Pool(name="", queues=(), shards=shards)
