"""Redis, for the deployments that have one: its client loads when it is first asked for.

Loading takes 0.2 s and 8 MB, for it brings the SDK of OpenTelemetry along, which every
command and process of the embedded size would pay for nothing.
"""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    import redis


def redis_client(*, timeout_s: float) -> "redis.Redis":
    """Return this process's client of ``DETECTVIZ_REDIS_URL`` that waits so long for an answer.

    All threads share it: it keeps its connections, and makes new ones after a fork and where
    the server has left. Close what is opened on it, not the client itself.
    """
    return _client(settings.REDIS_URL, timeout_s)


def redis_error() -> type[Exception]:
    """Return the family of what a client raises."""
    family: type[Exception] = import_module("redis").RedisError
    return family


@cache
def _client(url: str, timeout_s: float) -> "redis.Redis":
    client: redis.Redis = import_module("redis").Redis.from_url(url, socket_timeout=timeout_s)
    return client
