"""Entries in Redis, whose keys begin with a prefix."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import redis

from detectviz.contracts.cache import CacheConnection, CacheContext
from detectviz.contracts.errors import ConfigurationError, NetworkError, PluginError

T = TypeVar("T")
_BATCH = 500


def asked(ask: Callable[[], T]) -> T:
    """Return what Redis answers; turn its errors into ours."""
    try:
        return ask()
    except redis.AuthenticationError as error:
        raise ConfigurationError(f"Redis refuses the credentials: {error}", field="/url") from error
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise NetworkError(f"Redis does not answer: {error}", phase="connect") from error
    except redis.RedisError as error:
        raise PluginError(f"Redis refuses: {error}") from error


class RedisCache:
    """Opens connections to one Redis."""

    def open(self, context: CacheContext) -> CacheConnection:
        """Connect and ask for a sign of life."""
        options: dict[str, Any] = {
            "socket_timeout": context.timeout_s,
            "socket_connect_timeout": context.timeout_s,
        }
        if context.secrets.get("password"):
            options["password"] = context.secrets["password"]
        try:
            client: redis.Redis = redis.Redis.from_url(str(context.config["url"]), **options)
        except ValueError as error:
            raise ConfigurationError(f"The address is wrong: {error}", field="/url") from error
        asked(client.ping)
        return _Connection(client, str(context.config["prefix"]))


@dataclass(slots=True)
class _Connection:
    client: Any
    prefix: str

    def get(self, keys: Sequence[str]) -> Mapping[str, bytes]:
        if not keys:
            return {}
        values = asked(lambda: self.client.mget([self.prefix + key for key in keys]))
        found = zip(keys, values, strict=True)
        return {key: bytes(value) for key, value in found if value is not None}

    def set(self, entries: Mapping[str, bytes], *, ttl_s: float | None) -> None:
        if _is_over(ttl_s):
            self.delete(list(entries))
            return
        pipeline = self.client.pipeline(transaction=False)
        for key, value in entries.items():
            pipeline.set(self.prefix + key, value, px=_milliseconds(ttl_s))
        asked(pipeline.execute)

    def add(self, key: str, value: bytes, *, ttl_s: float | None) -> bool:
        if _is_over(ttl_s):
            return not self.get([key])
        name, lives_ms = self.prefix + key, _milliseconds(ttl_s)
        return bool(asked(lambda: self.client.set(name, value, px=lives_ms, nx=True)))

    def delete(self, keys: Sequence[str]) -> int:
        if not keys:
            return 0
        return int(asked(lambda: self.client.delete(*(self.prefix + key for key in keys))))

    def incr(self, key: str, delta: int, *, ttl_s: float | None = None) -> int:
        pipeline = self.client.pipeline(transaction=True)
        pipeline.incrby(self.prefix + key, delta)
        if ttl_s is not None:
            pipeline.pexpire(self.prefix + key, _milliseconds(ttl_s))
        return int(asked(pipeline.execute)[0])

    def clear(self) -> None:
        pattern = f"{self.prefix}*"
        names = asked(lambda: list(self.client.scan_iter(match=pattern, count=_BATCH)))
        for start in range(0, len(names), _BATCH):
            self._unlink(names[start : start + _BATCH])

    def _unlink(self, names: Sequence[bytes]) -> None:
        asked(lambda: self.client.unlink(*names))

    def close(self) -> None:
        self.client.close()


def _is_over(ttl_s: float | None) -> bool:
    return ttl_s is not None and ttl_s <= 0


def _milliseconds(ttl_s: float | None) -> int | None:
    return None if ttl_s is None else max(round(ttl_s * 1000), 1)
