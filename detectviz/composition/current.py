"""What this process runs by, and how the modules of all living processes are doing."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from urllib.parse import urlsplit

from django.conf import settings

from detectviz.clock import utc_now
from detectviz.composition.loading import DEFAULT, DEFAULT_WITH_REDIS, composition_load
from detectviz.composition.model import DATABASE_TYPES, Choice, Composition, Driver
from detectviz.runtime.modules import ModuleState
from detectviz.runtime.processes import heartbeat_list


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentComposition:
    """The composition in force. ``path`` is its file; a chosen one is exactly as written there.

    Without a choice it is the built-in one of this size, its drivers as the variables of the
    environment name them (``is_chosen`` is False).
    """

    composition: Composition
    path: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleNode:
    """One module of one living process. ``key`` is unique; ``since`` is when its state began."""

    key: str
    process: str
    role: str
    name: str
    state: ModuleState
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleGraph:
    """The modules of all living processes. An edge (from, to): from runs on to."""

    nodes: tuple[ModuleNode, ...]
    edges: tuple[tuple[str, str], ...]


@cache
def composition_current() -> CurrentComposition:
    """Return what this process runs by; read once."""
    if settings.COMPOSITION:
        composition, document = composition_load(settings.COMPOSITION)
        return CurrentComposition(composition=composition, path=document.path, is_chosen=True)
    name = DEFAULT if settings.IS_EMBEDDED else DEFAULT_WITH_REDIS
    composition, document = composition_load(name)
    return CurrentComposition(
        composition=_with_drivers_in_use(composition), path=document.path, is_chosen=False
    )


def _with_drivers_in_use(composition: Composition) -> Composition:
    """Return the composition with the database and the series store that the settings name."""
    engine = str(settings.DATABASES["default"]["ENGINE"])
    is_sqlite = "sqlite" in engine
    drivers = {
        name: one
        for name, one in composition.drivers.items()
        if one.type not in DATABASE_TYPES and name != composition.tsdb.driver
    }
    drivers["database"] = Driver(name="database", type="sqlite" if is_sqlite else "postgresql")
    tsdb = Choice(type="embedded")
    if settings.TSDB_URL:
        kind = urlsplit(settings.TSDB_URL).scheme.partition("+")[0]
        drivers["series"] = Driver(name="series", type=kind)
        tsdb = Choice(type="remote", driver="series")
    return replace(composition, drivers=drivers, tsdb=tsdb)


def module_graph() -> ModuleGraph:
    """Return the modules of all living processes as their last heartbeats told (3 s at most)."""
    nodes: list[ModuleNode] = []
    edges: list[tuple[str, str]] = []
    for process in heartbeat_list(utc_now()):
        for row in process.modules or ():
            key = f"{process.owner}/{row['name']}"
            nodes.append(
                ModuleNode(
                    key=key,
                    process=process.owner,
                    role=process.role,
                    name=row["name"],
                    state=ModuleState(row["state"]),
                    since=datetime.fromtimestamp(row["since"], UTC),
                    reason=row["reason"],
                )
            )
            edges += [(key, f"{process.owner}/{needed}") for needed in row["depends_on"]]
    return ModuleGraph(nodes=tuple(nodes), edges=tuple(edges))
