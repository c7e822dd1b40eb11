"""The plugins a composition chooses by its own words: drivers, cache, sign-in, middlewares."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from detectviz.composition.documents import Document
from detectviz.composition.model import DATABASE_TYPES, Composition, Driver, Part
from detectviz.composition.problems import CompositionProblem, undeclared
from detectviz.contracts.types import JsonObject

Problems = Iterator[CompositionProblem]
_CACHE_DRIVERS: Mapping[str, frozenset[str]] = {
    "redis": frozenset({"redis"}),
    "database": DATABASE_TYPES,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """One chosen plugin (``auth/jwt``). ``name_at`` and ``config_at`` are JSON pointers."""

    plugin: str
    name_at: str
    config_at: str
    config: JsonObject = field(repr=False)
    url_at: str = ""

    def place_of(self, pointer: str) -> str:
        """Return where a value of the plugin's configuration stands in the document."""
        is_url = self.url_at and pointer in {"/url", ""}
        return self.url_at if is_url else f"{self.config_at}{pointer}"


def selected_list(composition: Composition) -> tuple[Selected, ...]:
    """Return what is chosen, in the order of the document's parts."""
    drivers = [_driver(one) for one in composition.drivers.values() if one.is_plugin]
    cache = Selected(
        plugin=f"cache/{composition.cache.type}",
        name_at="/spec/cache/type",
        config_at="/spec/cache/config",
        config=_cache_config(composition),
        url_at="/spec/cache" if composition.cache.driver else "",
    )
    return (
        *drivers,
        cache,
        *_parts("auth", composition.auth),
        *_parts("middleware", composition.middleware),
    )


def _driver(driver: Driver) -> Selected:
    here = f"/spec/drivers/{driver.name}"
    url: JsonObject = {} if driver.url is None else {"url": driver.url}
    return Selected(
        plugin=f"drivers/{driver.type}",
        name_at=f"{here}/type",
        config_at=f"{here}/config",
        config={**driver.config, **url},
        url_at=here if driver.url is None else f"{here}/url",
    )


def _cache_config(composition: Composition) -> JsonObject:
    """Return the cache's configuration with the address of its driver."""
    cache = composition.cache
    driver = composition.drivers.get(cache.driver)
    address = {} if driver is None or driver.url is None else {"url": driver.url}
    return {**cache.config, **address}


def _parts(kind: str, parts: Sequence[Part]) -> Iterator[Selected]:
    for index, part in enumerate(parts):
        here = f"/spec/{kind}/{index}"
        yield Selected(
            plugin=f"{kind}/{part.name}",
            name_at=f"{here}/name",
            config_at=f"{here}/config",
            config=part.config,
        )


def selection_problems(composition: Composition, document: Document) -> Problems:
    """Yield what is wrong with the choice itself."""
    for kind, parts in (("auth", composition.auth), ("middleware", composition.middleware)):
        if parts and "web" not in composition.applications:
            message = f"Only the application web has {kind}; declare it, or remove this."
            yield document.problem(f"/spec/{kind}", message)
        names = [part.name for part in parts]
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"{name} is named already at {kind}/{names.index(name)}; remove it."
                yield document.problem(f"/spec/{kind}/{index}/name", message)
    for one in selected_list(composition):
        yield from _contradictions(one, composition, document)


def _contradictions(one: Selected, composition: Composition, document: Document) -> Problems:
    for index, use in enumerate(composition.plugins):
        if not use.is_enabled and fnmatchcase(one.plugin, use.name):
            yield document.problem(
                one.name_at,
                f"The plugin {one.plugin} is switched off at plugins/{index}; enable it, or choose "
                "another here.",
            )
        elif use.config and use.name == one.plugin and not one.plugin.startswith("cache/"):
            yield document.problem(
                f"/spec/plugins/{index}/config",
                f"{one.plugin} is configured where it is chosen, at {one.config_at}; move this "
                "there.",
            )


def cache_problems(composition: Composition, document: Document) -> Problems:
    """Yield what is wrong with the cache."""
    cache, broker = composition.cache, composition.broker
    types = _CACHE_DRIVERS.get(cache.type)
    driver = composition.drivers.get(cache.driver)
    if cache.type == "memory":
        if cache.driver:
            message = "memory goes through no driver; remove driver, or choose another type."
            yield document.problem("/spec/cache/driver", message)
        if broker.type == "redis":
            message = "Processes of their own share one cache; choose the type redis or database."
            yield document.problem("/spec/cache", message)
    elif types is not None and not cache.driver:
        message = f"{cache.type} goes through a driver; name one in driver."
        yield document.problem("/spec/cache", message)
    elif cache.driver and driver is None:
        message = undeclared("driver", cache.driver, composition.drivers)
        yield document.problem("/spec/cache/driver", message)
    elif driver is not None and types is not None and driver.type not in types:
        message = (
            f"{driver.name} is of type {driver.type}; name a driver of type "
            f"{' or '.join(sorted(types))}."
        )
        yield document.problem("/spec/cache/driver", message)
    elif driver is not None and driver.url is None:
        message = (
            f"The cache needs the address of {driver.name}; set its url, such as "
            "sqlite:////absolute/path."
        )
        yield document.problem("/spec/cache/driver", message)
