"""One connection to Redis, kept to be asked."""

from dataclasses import dataclass
from typing import Any

import redis

from detectviz.contracts.driver import DriverContext, DriverHandle
from detectviz.contracts.errors import ConfigurationError, NetworkError


class RedisDriver:
    """Reaches a Redis server."""

    def open(self, context: DriverContext) -> DriverHandle:
        """Connect once."""
        try:
            client: redis.Redis = redis.Redis.from_url(
                str(context.config["url"]),
                socket_timeout=context.timeout_s,
                socket_connect_timeout=context.timeout_s,
            )
        except ValueError as error:
            raise ConfigurationError(f"The address is wrong: {error}", field="/url") from error
        handle = _Handle(client)
        handle.check()
        return handle


@dataclass(slots=True)
class _Handle:
    client: Any

    def check(self) -> str:
        try:
            self.client.ping()
            found = self.client.info("server")
        except redis.AuthenticationError as error:
            message = f"Redis refuses the credentials: {error}"
            raise ConfigurationError(message, field="/url") from error
        except (redis.RedisError, OSError) as error:
            raise NetworkError(str(error), phase="connect") from error
        return f"Redis {found.get('redis_version', '')}".strip()

    def close(self) -> None:
        self.client.close()
