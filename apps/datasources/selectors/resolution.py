"""From a reference to a datasource's settings, remembered for a moment."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from django.db import models
from django.db.models import Q

from apps.datasources.models import Datasource
from apps.extensions.selectors import plugin_manifest
from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import fill_defaults
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import NotFoundError

KEPT_S: Final = 5.0
MOST_KEPT: Final = 4096
_REFERENCE: Final = re.compile(r"[A-Za-z0-9_-]{1,63}", re.ASCII)  # noqa: TID251 - our own constant


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedDatasource:
    """One datasource as a call needs it. ``plugin`` names a plugin of kind datasources.

    ``row`` is what permissions are asked about; change nothing in it, threads share it.
    """

    plugin: str
    name: str
    uid: str
    title: str
    settings: DatasourceSettings = field(repr=False)
    row: Datasource = field(repr=False)


@dataclass(slots=True)
class _Memory:
    """What this process has resolved. A write raises its org's ``generation``.

    What was read from the database before a write must not be remembered after it: it is kept
    only if the generation it was read under still holds.
    """

    clock: Callable[[], float] = time.monotonic
    lock: threading.Lock = field(default_factory=threading.Lock)
    entries: dict[tuple[int, str], tuple[float, ResolvedDatasource]] = field(default_factory=dict)
    generations: dict[int, int] = field(default_factory=dict)

    def get(self, key: tuple[int, str]) -> tuple[ResolvedDatasource | None, int]:
        with self.lock:
            known = self.entries.get(key)
            generation = self.generations.get(key[0], 0)
        is_fresh = known is not None and known[0] > self.clock()
        return (known[1] if known is not None and is_fresh else None), generation

    def keep(self, key: tuple[int, str], found: ResolvedDatasource, generation: int) -> None:
        with self.lock:
            if self.generations.get(key[0], 0) != generation:
                return
            if len(self.entries) >= MOST_KEPT:
                self.entries.clear()
            self.entries[key] = (self.clock() + KEPT_S, found)

    def forget(self, org_id: int) -> None:
        with self.lock:
            self.generations[org_id] = self.generations.get(org_id, 0) + 1
            for key in [key for key in self.entries if key[0] == org_id]:
                del self.entries[key]


_memory = _Memory()


def datasource_resolve(*, org: models.Model, ref: str) -> ResolvedDatasource:
    """Return the datasource whose uid or name is ``ref``; "" means the org's default.

    Remembered for 5 s; a write in this process is seen at once. Raise NotFoundError.
    """
    key = (org.pk, ref)
    known, generation = _memory.get(key)
    if known is not None:
        return known
    found = resolved_of(_row(org, ref))
    _memory.keep(key, found, generation)
    return found


def is_reference(ref: str) -> bool:
    """Say whether ``ref`` can be a uid or a name at all."""
    return bool(_REFERENCE.fullmatch(ref))


def resolution_forget(org_id: int) -> None:
    """Forget what was resolved for one org."""
    _memory.forget(org_id)


def memory_clear(*, clock: Callable[[], float] = time.monotonic) -> None:
    """Forget everything that was resolved, and tell time by ``clock`` from now on."""
    global _memory  # noqa: PLW0603 - the process's one memory
    _memory = _Memory(clock=clock)


def _row(org: models.Model, ref: str) -> Datasource:
    rows: models.QuerySet[Datasource] = Datasource.objects.for_org(org)
    if not ref:
        row = rows.filter(is_default=True).first()
        if row is None:
            raise NotFoundError(
                "The query names no datasource and this organisation has no default one."
            )
        return row
    # A uid is never another's name, so at most one row is found.
    row = rows.filter(Q(uid=ref) | Q(name=ref)).first() if is_reference(ref) else None
    if row is None:
        raise NotFoundError("There is no such datasource in this organisation.")
    return row


def resolved_of(row: Datasource) -> ResolvedDatasource:
    """Return a row as a call needs it, remembering nothing."""
    return ResolvedDatasource(
        plugin=row.type,
        name=row.name,
        uid=row.uid,
        title=row.title or row.name,
        settings=DatasourceSettings(
            uid=row.uid,
            name=row.name,
            version=row.resource_version,
            url=row.url,
            user=row.user,
            database=row.database,
            basic_auth=row.basic_auth,
            basic_auth_user=row.basic_auth_user,
            json_data=_completed(row),
            secrets=dict(row.secure_json_data),
        ),
        row=row,
    )


def _completed(row: Datasource) -> JsonObject:
    """Fill in the defaults of a plugin that has learnt new fields since the row was written."""
    try:
        manifest = plugin_manifest(PluginKind.DATASOURCE, row.type)
    except PluginHostError:
        return dict(row.json_data)
    return fill_defaults(manifest.config_schema, row.json_data)
