"""One guarded session with a Redis server, for one call."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ssl import SSLContext, SSLSocket
from typing import Any, Final, TypeAlias

from redis.connection import Connection
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.errors import (
    DeadlineExceededError,
    NetworkError,
    PluginError,
    QueryError,
)
from detectviz.contracts.sql.connections import TlsSettings, split_address, without_secrets
from detectviz.contracts.sql.watch import Watch

PORT: Final = 6379
_LONGEST_CONNECT_S: Final = 10.0
_SIGN_IN: Final = ("WRONGPASS", "NOAUTH", "invalid username-password")

Reply: TypeAlias = Any  # Whatever RESP can say; readers check what they take.
Ask = Callable[..., Reply]


class _TlsConnection(Connection):
    """A connection to an address that speaks TLS with the name of the host."""

    def __init__(self, *, tls: SSLContext, server_name: str, **options: Any) -> None:
        self._tls = tls
        self._server_name = server_name
        super().__init__(**options)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped

    def _connect(self) -> SSLSocket:
        plain = super()._connect()  # type: ignore[no-untyped-call]  # the same
        return self._tls.wrap_socket(plain, server_hostname=self._server_name)


@contextmanager
def session(context: DatasourceContext) -> Iterator[Ask]:
    """Yield what sends one command and returns its reply.

    Raise QueryError for what the server refuses, NetworkError when there is no connection.
    """
    watch = Watch(context)
    watch.check()
    connection = _connection(context, watch)

    def ask(*words: str | int) -> Reply:
        watch.check()
        connection.send_command(*words)
        return connection.read_response(timeout=watch.left_s)

    with watch.cancelling(connection.disconnect):
        try:
            connection.connect()
            yield ask
        except (RedisError, OSError) as error:
            raise _translated(error, context, watch) from None
        finally:
            with suppress(RedisError, OSError):
                connection.disconnect()


def _connection(context: DatasourceContext, watch: Watch) -> Any:
    settings = context.settings
    host, port = split_address(settings.url, PORT)
    tls = TlsSettings.read(settings)
    options: dict[str, Any] = {
        "host": context.connector.address(host, port),
        "port": port,
        "db": int(settings.database or 0),
        "username": settings.user or None,
        "password": settings.secrets.get("password") or None,
        "socket_connect_timeout": min(watch.left_s, _LONGEST_CONNECT_S),
        "socket_timeout": watch.left_s,
        "decode_responses": True,
        "encoding_errors": "replace",
        "protocol": 2,
    }
    if tls.mode not in {"disable", "prefer"}:
        return _TlsConnection(tls=tls.context(host), server_name=host, **options)
    return Connection(**options)  # type: ignore[no-untyped-call]  # redis-py leaves it untyped


def _translated(error: Exception, context: DatasourceContext, watch: Watch) -> PluginError:
    said = without_secrets(str(error), context.settings.secrets)
    if isinstance(error, RedisTimeoutError):
        reason = watch.reason()
        return reason or DeadlineExceededError(f"Redis took too long: {said}", phase="receive")
    if isinstance(error, AuthenticationError) or said.startswith(_SIGN_IN):
        return PluginError(f"Redis refuses to let us in: {said}")
    if isinstance(error, ResponseError):
        return QueryError(f"Redis refuses the command: {said}")
    return NetworkError(f"No connection: {said}", phase="connect")
