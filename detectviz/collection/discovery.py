"""Asking discovery plugins for collectors: when it is time, and keeping the last answer."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from detectviz.contracts.config import get_duration_s
from detectviz.contracts.discovery import (
    Discovered,
    Discovery,
    DiscoveryContext,
    FoundFile,
    TargetGroup,
)
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.network import Network
from detectviz.contracts.types import JsonObject

LARGEST_FILE_BYTES: Final = 16_777_216
MOST_FILES: Final = 1_000
MOST_TARGETS: Final = 20_000
_MEMORY: Final = "detectviz.discovery"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryChoice:
    """The discovery a monitor's configuration chose, with that plugin's own options."""

    name: str
    config: JsonObject
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class DiscoveryRegistry(Protocol):
    """Where discovery plugins are found."""

    def get(self, name: str, org: str) -> Discovery:
        """Return the plugin called ``name`` for a check of ``org``.

        Raise any exception when there is none to use.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryHost:
    """What discovery needs of its process: the plugins, and a folder with one folder per org."""

    registry: DiscoveryRegistry
    folder: Path
    monotonic: Callable[[], float] = time.monotonic

    def discoverer(
        self,
        choice: DiscoveryChoice,
        *,
        org: str,
        network: Network,
        timeout_s: float,
        memory: MutableMapping[str, object],
    ) -> "MonitorDiscoverer":
        """Return the discoverer of one check; what it learns stays in ``memory``."""
        context = DiscoveryContext(
            config=choice.config,
            secrets=choice.secrets,
            timeout_s=timeout_s,
            network=network,
            files=OrgFiles(self.folder / (org or "-")),
            now=lambda: datetime.now(UTC),
            monotonic=self.monotonic,
            logger=logging.getLogger(f"detectviz.discovery.{choice.name}"),
        )
        return MonitorDiscoverer(self.registry, choice, context, memory, org=org)


@dataclass(slots=True, kw_only=True)
class _Answer:
    discovered: Discovered
    asked_at: float


class MonitorDiscoverer:
    """The Discoverer of one monitor."""

    def __init__(
        self,
        registry: DiscoveryRegistry,
        choice: DiscoveryChoice,
        context: DiscoveryContext,
        memory: MutableMapping[str, object],
        *,
        org: str = "",
    ) -> None:
        self._registry = registry
        self._choice = choice
        self._context = context
        self._memory = memory
        self._org = org

    def _plugin(self) -> Discovery:
        return self._registry.get(self._choice.name, self._org)

    async def discover(self) -> Discovered:
        """Return the groups: new ones if it is time, the last good ones if asking fails."""
        last = self._memory.get(_MEMORY)
        last = last if isinstance(last, _Answer) else None
        refresh_s = get_duration_s(self._context.config, "refresh_interval") or 0.0
        moment = self._context.monotonic()
        if last is not None and moment - last.asked_at < refresh_s:
            return last.discovered
        try:
            groups = _checked(await self._plugin().discover(self._context))
        except PluginError as error:
            if last is None:
                raise
            kept = Discovered(groups=last.discovered.groups, error=error.message)
            self._memory[_MEMORY] = _Answer(discovered=kept, asked_at=moment)
            return kept
        found = Discovered(groups=groups)
        self._memory[_MEMORY] = _Answer(discovered=found, asked_at=moment)
        return found


def _checked(groups: Sequence[TargetGroup]) -> tuple[TargetGroup, ...]:
    count = sum(len(group.targets) for group in groups)
    if count > MOST_TARGETS:
        raise PluginError(
            f"{count} targets were found, {MOST_TARGETS} is the most of one monitor; narrow the "
            "discovery or divide the monitor."
        )
    return tuple(groups)


class OrgFiles:
    """contracts' Files below one folder; nothing outside of it can be named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, pattern: str) -> Sequence[FoundFile]:
        """Return the files that match ``pattern``, by name; raise PluginError."""
        return await asyncio.to_thread(self._read, pattern)

    def _read(self, pattern: str) -> tuple[FoundFile, ...]:
        parts = PurePosixPath(pattern).parts
        if not parts or pattern.startswith("/") or ".." in parts:
            raise ConfigurationError(
                f"Write a path below {self._folder}, without .. and without a leading slash."
            )
        root = self._folder.resolve()
        parent = root.joinpath(*parts[:-1]).resolve()
        if not parent.is_relative_to(root):
            raise ConfigurationError(f"{pattern} leads out of {self._folder}.")
        if not parent.is_dir():
            return ()
        names = sorted(each.name for each in parent.iterdir() if fnmatchcase(each.name, parts[-1]))
        if len(names) > MOST_FILES:
            raise PluginError(f"{pattern} matches {len(names)} files, {MOST_FILES} is the most.")
        found = []
        for name in names:
            path = (parent / name).resolve()
            if path.is_file() and path.is_relative_to(root):
                found.append(FoundFile(name=str(path.relative_to(root)), content=_content(path)))
        return tuple(found)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise PluginError(f"{path.name} cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise PluginError(f"{path.name} is larger than {LARGEST_FILE_BYTES} bytes.")
    return content
