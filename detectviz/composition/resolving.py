"""What is used is declared and what is declared is used; which plugin comes before which."""

from collections.abc import Iterator, Mapping, Sequence

from detectviz.composition.documents import Document
from detectviz.composition.model import (
    DATABASE_TYPES,
    MAIL_TYPE,
    SERIES_TYPES,
    Choice,
    Composition,
    Driver,
    PluginUse,
)
from detectviz.composition.problems import CompositionProblem, undeclared
from detectviz.composition.selecting import cache_problems, selected_list, selection_problems

Problems = Iterator[CompositionProblem]
TOGETHER = ("web", "worker", "beat", "sys")
NEEDS_SERIES = frozenset({"web", "worker"})
_CYCLE = " → "


def resolving_problems(composition: Composition, document: Document) -> Problems:
    """Yield what does not fit together."""
    yield from _application_problems(composition, document)
    yield from _driver_problems(composition, document)
    yield from _place_problems(composition, document)
    yield from _plugin_problems(composition, document)
    yield from selection_problems(composition, document)


def _application_problems(composition: Composition, document: Document) -> Problems:
    where = "/spec/applications"
    if "agent" in composition.applications:
        message = "The name agent is reserved and there is nothing to run yet; remove it."
        yield document.problem(f"{where}/agent", message)
    missing = [name for name in TOGETHER if name not in composition.applications]
    if composition.broker.type == "memory" and missing:
        yield document.problem(
            where,
            f"With the broker in memory all applications run together; declare {missing[0]} too, "
            "or choose the broker redis.",
        )
    elif set(composition.applications) <= {"cli"}:
        message = "The application cli runs one command and ends; declare one that stays, as web."
        yield document.problem(where, message)
    for application in composition.applications.values():
        for index, name in enumerate(application.drivers):
            if name not in composition.drivers:
                here = f"{where}/{application.name}/drivers/{index}"
                yield document.problem(here, undeclared("driver", name, composition.drivers))
        needed = _needed_drivers(composition, application.name)
        for name, reason in needed.items():
            if name in composition.drivers and name not in application.drivers:
                yield document.problem(
                    f"{where}/{application.name}",
                    f"The application {application.name} uses {name} ({reason}) and does not say "
                    f"so; add {name} to its drivers.",
                )


def _needed_drivers(composition: Composition, application: str) -> Mapping[str, str]:
    """Return which drivers an application can't do without, and for what."""
    needed: dict[str, str] = {}
    if composition.database is not None:
        needed[composition.database.name] = "the database"
    if composition.broker.type == "redis" and application != "cli":
        needed[composition.broker.driver] = "the broker"
    if composition.tsdb.type == "remote" and application in NEEDS_SERIES:
        needed[composition.tsdb.driver] = "the series store"
    return needed


def _driver_problems(composition: Composition, document: Document) -> Problems:
    where = "/spec/drivers"
    databases = [one for one in composition.drivers.values() if one.type in DATABASE_TYPES]
    if not databases:
        message = "There is no database; declare a driver of type sqlite or postgresql."
        yield document.problem(where, message)
    mails = [one for one in composition.drivers.values() if one.type == MAIL_TYPE]
    for what, sole in (("database", databases), ("mail server", mails)):
        for extra in sole[1:]:
            message = f"{sole[0].name} is the {what} already; remove one of the two."
            yield document.problem(f"{where}/{extra.name}", message)
    users = {name for one in composition.applications.values() for name in one.drivers}
    for driver in composition.drivers.values():
        here = f"{where}/{driver.name}"
        if driver.name not in users:
            yield document.problem(
                here,
                f"No application uses the driver {driver.name}; add it to the drivers of one, or "
                "remove it.",
            )
        elif driver not in [*databases, *mails] and driver.name not in _placed(composition):
            yield document.problem(
                here,
                f"Nothing goes through the driver {driver.name}; name it in broker, cache, tsdb, "
                "eventbus or depends_on of a plugin, or remove it.",
            )
        yield from _url_problems(driver, here, document)


def _url_problems(driver: Driver, here: str, document: Document) -> Problems:
    if driver.config and not driver.is_plugin:
        message = f"A driver of type {driver.type} has an address alone; remove config."
        yield document.problem(f"{here}/config", message)
    if driver.url is None:
        if driver.type in _SCHEMES and driver.type != "sqlite":
            message = f"A driver of type {driver.type} needs an address; set url."
            yield document.problem(here, message)
    elif isinstance(driver.url, str) and not url_fits(driver.type, driver.url):
        yield document.problem(f"{here}/url", url_complaint(driver.type))


def url_fits(type_: str, url: str) -> bool:
    """Return whether an address is one of a driver's type."""
    return type_ not in _SCHEMES or url.partition("://")[0] in _SCHEMES[type_]


def url_complaint(type_: str) -> str:
    """Return what to write as the address of a driver."""
    return f"This is no address of type {type_}; begin it with {_SCHEMES[type_][0]}://."


_SCHEMES: Mapping[str, tuple[str, ...]] = {
    "sqlite": ("sqlite",),
    "postgresql": ("postgresql", "postgres"),
    "redis": ("redis", "rediss", "unix"),
    MAIL_TYPE: ("smtp", "smtps"),
    **{name: (f"{name}+http", f"{name}+https") for name in sorted(SERIES_TYPES)},
}


def _placed(composition: Composition) -> set[str]:
    places = (composition.broker, composition.cache, composition.tsdb, composition.eventbus)
    needed = {name for plugin in composition.plugins for name in plugin.depends_on}
    return {place.driver for place in places} | needed


def _place_problems(composition: Composition, document: Document) -> Problems:
    redis = frozenset({"redis"})
    yield from _choice_problems(composition, document, "broker", composition.broker, redis)
    yield from _choice_problems(composition, document, "tsdb", composition.tsdb, SERIES_TYPES)
    bus = composition.eventbus
    if bus.driver or bus.type == "in-process":
        yield from _choice_problems(composition, document, "eventbus", bus, frozenset())
    if bus.type != "in-process" and not any(
        plugin.is_enabled and plugin.covers(f"eventbus/{bus.type}")
        for plugin in composition.plugins
    ):
        yield document.problem(
            "/spec/eventbus/type",
            f"The event bus {bus.type} is the plugin eventbus/{bus.type}, which is not declared; "
            "add it to plugins, or choose in-process.",
        )
    elif bus.type != "in-process" and bool(bus.driver) == ("url" in bus.config):
        yield document.problem(
            "/spec/eventbus",
            f"The event bus {bus.type} needs one address; name a driver, or set url in config.",
        )
    yield from cache_problems(composition, document)
    broker = composition.broker
    database = composition.database
    if broker.type == "redis" and database is not None and database.type == "sqlite":
        yield document.problem(
            f"/spec/drivers/{database.name}/type",
            "With the broker redis processes run on their own, which SQLite can't serve; choose "
            "postgresql.",
        )


def _choice_problems(
    composition: Composition,
    document: Document,
    place: str,
    choice: Choice,
    types: frozenset[str],
) -> Problems:
    """Yield what is wrong with the driver of one place; no ``types``: any type will do."""
    here = f"/spec/{place}"
    is_own = choice.type in {"memory", "embedded", "in-process"}
    if is_own and choice.driver:
        message = f"{choice.type} goes through no driver; remove driver, or choose another type."
        yield document.problem(f"{here}/driver", message)
    elif not is_own and not choice.driver:
        message = f"{choice.type} goes through a driver; name one in driver."
        yield document.problem(here, message)
    elif not is_own and choice.driver not in composition.drivers:
        message = undeclared("driver", choice.driver, composition.drivers)
        yield document.problem(f"{here}/driver", message)
    elif not is_own and types and composition.drivers[choice.driver].type not in types:
        yield document.problem(
            f"{here}/driver",
            f"{choice.driver} is of type {composition.drivers[choice.driver].type}; name a driver "
            f"of type {' or '.join(sorted(types))}.",
        )


def _plugin_problems(composition: Composition, document: Document) -> Problems:
    wanted = [
        (f"/spec/applications/{one.name}/plugins/{index}", pattern)
        for one in composition.applications.values()
        for index, pattern in enumerate(one.plugins)
    ]
    declared = [plugin.name for plugin in composition.plugins if plugin.is_enabled]
    for here, pattern in wanted:
        if any(one.is_enabled and one.covers(pattern) for one in composition.plugins):
            continue
        is_off = any(one.covers(pattern) for one in composition.plugins)
        message = (
            f"The plugin {pattern} is declared and switched off; enable it, or remove it here."
            if is_off
            else undeclared("plugin", pattern, declared)
        )
        yield document.problem(here, message)
    patterns = [pattern for _, pattern in wanted]
    if composition.eventbus.type != "in-process":
        patterns.append(f"eventbus/{composition.eventbus.type}")
    patterns += [one.plugin for one in selected_list(composition)]
    yield from _use_problems(composition, patterns, document)
    yield from _cycle_problems(composition.plugins, document)


def _use_problems(composition: Composition, wanted: Sequence[str], document: Document) -> Problems:
    declared = [plugin.name for plugin in composition.plugins if plugin.is_enabled]
    seen: dict[str, int] = {}
    for index, plugin in enumerate(composition.plugins):
        here = f"/spec/plugins/{index}"
        if plugin.name in seen:
            message = (
                f"{plugin.name} is declared already at plugins/{seen[plugin.name]}; remove it."
            )
            yield document.problem(here, message)
        elif plugin.is_enabled and not any(plugin.covers(pattern) for pattern in wanted):
            yield document.problem(
                here,
                f"No application uses the plugin {plugin.name}; add it to the plugins of one, or "
                "remove it.",
            )
        seen.setdefault(plugin.name, index)
        for at, name in enumerate(plugin.depends_on):
            if name not in declared and name not in composition.drivers:
                yield document.problem(
                    f"{here}/depends_on/{at}", undeclared("plugin or driver", name, declared)
                )


def _cycle_problems(plugins: Sequence[PluginUse], document: Document) -> Problems:
    found = _find_cycle(plugins)
    if found:
        index = next(at for at, plugin in enumerate(plugins) if plugin.name == found[0])
        yield document.problem(
            f"/spec/plugins/{index}/depends_on",
            f"These plugins depend on each other in a circle: {_CYCLE.join(found)}; take one of "
            "these dependencies out.",
        )


def _find_cycle(plugins: Sequence[PluginUse]) -> list[str]:
    try:
        plugin_order(plugins)
    except CycleError as error:
        return error.names
    return []


class CycleError(ValueError):
    """Plugins depend on each other in a circle; ``names`` begins and ends with the same."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(_CYCLE.join(names))
        self.names = names


def plugin_order(plugins: Sequence[PluginUse]) -> tuple[PluginUse, ...]:
    """Return plugins so that each comes after those it depends on; raise CycleError."""
    by_name = {plugin.name: plugin for plugin in plugins}
    ordered: dict[str, PluginUse] = {}

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            raise CycleError([*path[path.index(name) :], name])
        if name in ordered or name not in by_name:
            return
        for needed in by_name[name].depends_on:
            visit(needed, [*path, name])
        ordered[name] = by_name[name]

    for name in by_name:
        visit(name, [])
    return tuple(ordered.values())


def declared_names(composition: Composition) -> list[str]:
    """Return the names and patterns of the plugins that are on, in the order they start."""
    return [plugin.name for plugin in plugin_order(composition.plugins) if plugin.is_enabled]
