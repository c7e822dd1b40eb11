"""A connection to Redis, for one run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.errors import NetworkError, PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets

_PORT: Final = 6379
_MODES: Final = {"require": "require", "verify": "verify-full"}
_PASSING: Final = (redis.exceptions.BusyLoadingError, redis.exceptions.ReadOnlyError)


class _TlsConnection(redis.Connection):
    """A connection that verifies the configured name, whatever address is connected to."""

    def __init__(self, *, tls: TlsSettings, server_name: str, **options: Any) -> None:
        self._tls, self._server_name = tls, server_name
        super().__init__(**options)  # type: ignore[no-untyped-call]  # the driver is untyped

    def _connect(self) -> Any:
        context = self._tls.context(self._server_name)
        plain = super()._connect()  # type: ignore[no-untyped-call]  # the driver is untyped
        return context.wrap_socket(plain, server_hostname=self._server_name)


@contextmanager
def session(context: ImporterContext) -> Iterator["redis.Redis"]:
    """Yield a client that answers bytes; what it raises comes out as our errors."""
    config = context.config
    host, port = split_address(get_text(config, "address"), _PORT)
    options: dict[str, Any] = {
        "host": context.connector.address(host, port),
        "port": port,
        "db": get_int(config, "database"),
        "username": get_text(config, "user") or None,
        "password": context.secrets.get("password") or None,
        "socket_timeout": context.timeout_s,
        "socket_connect_timeout": context.timeout_s,
        "client_name": "detectviz",
        # The host decides what is tried again.
        "retry": Retry(NoBackoff(), 0),
    }
    mode = _MODES.get(get_text(config, "tls", "off"))
    if mode:
        tls = TlsSettings(mode=mode, ca=get_text(config, "tls_ca"))
        options |= {"connection_class": _TlsConnection, "tls": tls, "server_name": host}
    pool = redis.ConnectionPool(**options)
    try:
        with redis.Redis(connection_pool=pool) as client:
            yield client
    except (redis.ConnectionError, redis.TimeoutError, OSError) as error:
        raise _translated(error, context) from None
    except redis.RedisError as error:
        said = without_secrets(str(error), context.secrets)
        is_full = isinstance(error, redis.exceptions.OutOfMemoryError)
        raise PluginError(f"Redis refuses: {said}", permanent=not is_full) from None
    finally:
        pool.disconnect()


def _translated(error: Exception, context: ImporterContext) -> PluginError:
    said = without_secrets(str(error), context.secrets)
    if isinstance(error, redis.AuthenticationError):
        return PluginError(f"Redis refuses to let us in: {said}", permanent=True)
    if isinstance(error, _PASSING):
        return PluginError(f"Redis cannot answer now: {said}")
    return NetworkError(f"No connection to Redis: {said}", phase="connect")
