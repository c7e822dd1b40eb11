"""Django's cache on a plugin of kind cache, and parts of it for plugins."""

import logging
import os
import pickle
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from detectviz.contracts.cache import Cache, CacheConnection, CacheContext
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import PluginKind
from detectviz.runtime.chosen import config_object, plugin_chosen

SCHEMES: Final = {
    "memory": "memory",
    "redis": "redis",
    "rediss": "redis",
    "unix": "redis",
    "postgres": "database",
    "postgresql": "database",
    "sqlite": "database",
}
TIMEOUT_S: Final = 5.0
SETTING: Final = "DETECTVIZ_CACHE_URL"

logger = logging.getLogger(__name__)
_lock = threading.Lock()
_opened: dict[tuple[int, str, str], CacheConnection] = {}


def cache_plugin_name() -> str:
    """Return the cache plugin: what the composition chose, else what the address begins with."""
    if settings.DEPLOYMENT.cache_plugin:
        return settings.DEPLOYMENT.cache_plugin
    scheme = urlsplit(settings.CACHE_URL).scheme
    return SCHEMES.get(scheme, scheme)


def cache_connection() -> CacheConnection:
    """Return this process's connection, opened at the first call.

    Raise ConfigurationError naming the setting, or NetworkError while the cache does not answer.
    """
    key = (os.getpid(), settings.CACHE_URL, settings.CACHE_CONFIG)
    found = _opened.get(key)
    if found is not None:
        return found
    with _lock:
        if key not in _opened:
            _opened[key] = _open()
        return _opened[key]


def _open() -> CacheConnection:
    given = config_object(settings.CACHE_CONFIG, setting="DETECTVIZ_CACHE_CONFIG")
    chosen = plugin_chosen(
        PluginKind.CACHE,
        cache_plugin_name(),
        setting=SETTING,
        given={**given, "url": settings.CACHE_URL},
    )
    plugin: Cache = chosen.instance
    return plugin.open(
        CacheContext(
            config=chosen.config, secrets=chosen.secrets, timeout_s=TIMEOUT_S, logger=logger
        )
    )


class PluginCache(BaseCache):
    """Django's cache API. Whole numbers are kept as digits, so that ``incr`` is atomic."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(params)

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        """Return a value."""
        name = self.make_and_validate_key(key, version=version)
        found = cache_connection().get([name])
        return _loaded(found[name]) if name in found else default

    def get_many(self, keys: Iterable[str], version: int | None = None) -> dict[str, Any]:
        """Return the values that are there."""
        names = {self.make_and_validate_key(key, version=version): key for key in keys}
        found = cache_connection().get(list(names))
        return {names[name]: _loaded(value) for name, value in found.items()}

    def set(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> None:
        """Write a value."""
        name = self.make_and_validate_key(key, version=version)
        cache_connection().set({name: _dumped(value)}, ttl_s=self._ttl_s(timeout))

    def set_many(
        self,
        data: Mapping[str, Any],
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> list[str]:
        """Write values; none fails alone."""
        entries = {
            self.make_and_validate_key(key, version=version): _dumped(value)
            for key, value in data.items()
        }
        cache_connection().set(entries, ttl_s=self._ttl_s(timeout))
        return []

    def add(
        self,
        key: str,
        value: Any,
        timeout: Any = DEFAULT_TIMEOUT,
        version: int | None = None,
    ) -> bool:
        """Write a value unless there is one."""
        name = self.make_and_validate_key(key, version=version)
        return cache_connection().add(name, _dumped(value), ttl_s=self._ttl_s(timeout))

    def touch(self, key: str, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Give a value a new time."""
        name = self.make_and_validate_key(key, version=version)
        found = cache_connection().get([name])
        if found:
            cache_connection().set(found, ttl_s=self._ttl_s(timeout))
        return bool(found)

    def delete(self, key: str, version: int | None = None) -> bool:
        """Remove a value."""
        return bool(cache_connection().delete([self.make_and_validate_key(key, version=version)]))

    def delete_many(self, keys: Iterable[str], version: int | None = None) -> None:
        """Remove values."""
        names = [self.make_and_validate_key(key, version=version) for key in keys]
        cache_connection().delete(names)

    def incr(self, key: str, delta: int = 1, version: int | None = None) -> int:
        """Add to a whole number; raise ValueError when there is none."""
        name = self.make_and_validate_key(key, version=version)
        connection = cache_connection()
        if not connection.get([name]):
            raise ValueError(f"Key {key!r} not found.")
        try:
            return connection.incr(name, delta)
        except PluginError as error:
            raise ValueError(error.message) from error

    def clear(self) -> None:
        """Remove everything."""
        cache_connection().clear()

    def _ttl_s(self, timeout: Any) -> float | None:
        chosen = self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout
        return None if chosen is None else float(chosen)


@dataclass(frozen=True, slots=True)
class PrefixedCache:
    """The part of the process's cache whose keys begin with ``prefix``."""

    prefix: str

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        """As the contract says."""
        found = cache_connection().get([self.prefix + key for key in keys])
        return {key.removeprefix(self.prefix): value for key, value in found.items()}

    def set(self, entries: Mapping[str, bytes], *, ttl_s: float | None) -> None:
        """As the contract says."""
        named = {self.prefix + key: value for key, value in entries.items()}
        cache_connection().set(named, ttl_s=ttl_s)

    def add(self, key: str, value: bytes, *, ttl_s: float | None) -> bool:
        """As the contract says."""
        return cache_connection().add(self.prefix + key, value, ttl_s=ttl_s)

    def delete(self, keys: Sequence[str]) -> int:
        """As the contract says."""
        return cache_connection().delete([self.prefix + key for key in keys])

    def incr(self, key: str, delta: int, *, ttl_s: float | None = None) -> int:
        """As the contract says."""
        return cache_connection().incr(self.prefix + key, delta, ttl_s=ttl_s)

    def clear(self) -> None:
        """Refuse: the entries of others stand beside these."""
        raise PluginError("A part of the cache cannot be cleared; delete by key.", permanent=True)

    def close(self) -> None:
        """Do nothing: the connection is the process's."""


def _dumped(value: Any) -> bytes:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value).encode()
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def _loaded(value: bytes) -> Any:
    try:
        return int(value)
    except ValueError:
        return pickle.loads(value)  # noqa: S301 - what this product wrote, as in Django's own caches
