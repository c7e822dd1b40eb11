"""The conformance suite of caches: subclass it with a server and a configuration."""

import logging
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from detectviz.contracts.cache import Cache, CacheConnection, CacheContext
from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.testing.plugins import built_in_plugins, checked_config

THREADS, EACH = 8, 25
SHORT_S, PATIENCE_S = 0.05, 10.0


def make_context(
    name: str, config: JsonObject, *, secrets: Mapping[str, str] | None = None
) -> CacheContext:
    """Return a context with a configuration the plugin's schema accepts."""
    return CacheContext(
        config=checked_config(PluginKind.CACHE, name, config).config,
        secrets=dict(secrets or {}),
        timeout_s=5.0,
        logger=logging.getLogger("conformance"),
    )


class CacheConformance:
    """Every cache passes it. ``name`` is the plugin's, ``config`` a fixture of its server.

    ``is_shared``: two connections with one configuration see the same entries.
    """

    name: str
    is_shared = True

    @pytest.fixture
    def config(self) -> JsonObject:
        """Return the configuration of a running cache."""
        raise NotImplementedError

    @pytest.fixture
    def cache(self, config: JsonObject) -> Iterator[CacheConnection]:
        """Open a connection for one test."""
        with self.opened(config) as connection:
            yield connection

    @contextmanager
    def opened(self, config: JsonObject) -> Iterator[CacheConnection]:
        """Open a further connection."""
        plugin: Cache = built_in_plugins().load(PluginKind.CACHE, self.name)
        connection = plugin.open(make_context(self.name, config))
        yield connection
        connection.close()

    @pytest.fixture
    def key(self) -> str:
        """Return a key of this test's own."""
        return f"test:{uuid.uuid4().hex}"

    def test_what_is_set_comes_back_whole(self, cache: CacheConnection, key: str) -> None:
        value = bytes(range(256)) * 100
        cache.set({key: value, f"{key}:2": b""}, ttl_s=60)
        found = cache.get([key, f"{key}:2", f"{key}:3"])
        assert dict(found) == {key: value, f"{key}:2": b""}

    def test_setting_again_replaces(self, cache: CacheConnection, key: str) -> None:
        cache.set({key: b"old"}, ttl_s=None)
        cache.set({key: b"new"}, ttl_s=60)
        assert cache.get([key]) == {key: b"new"}

    def test_entries_expire_and_their_place_is_free(self, cache: CacheConnection, key: str) -> None:
        cache.set({key: b"short"}, ttl_s=SHORT_S)
        cache.set({f"{key}:long": b"long"}, ttl_s=60)
        self._wait_until_gone(cache, key)
        assert cache.get([key, f"{key}:long"]) == {f"{key}:long": b"long"}
        assert cache.add(key, b"again", ttl_s=60)

    def test_what_lived_no_time_is_not_there(self, cache: CacheConnection, key: str) -> None:
        cache.set({key: b"x"}, ttl_s=60)
        cache.set({key: b"x"}, ttl_s=0)
        assert cache.get([key]) == {}

    def test_add_writes_only_where_nothing_is(self, cache: CacheConnection, key: str) -> None:
        assert cache.add(key, b"first", ttl_s=60)
        assert not cache.add(key, b"second", ttl_s=60)
        assert cache.get([key]) == {key: b"first"}

    def test_delete_counts_what_was_there(self, cache: CacheConnection, key: str) -> None:
        cache.set({key: b"1", f"{key}:2": b"2"}, ttl_s=60)
        assert cache.delete([key, f"{key}:2", f"{key}:3"]) == 2
        assert cache.get([key, f"{key}:2"]) == {}
        assert cache.delete([]) == 0

    def test_numbers_count_from_what_was_set_or_from_nothing(
        self, cache: CacheConnection, key: str
    ) -> None:
        assert cache.incr(key, 5, ttl_s=60) == 5
        assert cache.incr(key, -7) == -2
        assert cache.get([key]) == {key: b"-2"}
        cache.set({key: b"40"}, ttl_s=60)
        assert cache.incr(key, 2) == 42

    def test_counting_keeps_the_time_an_entry_has(self, cache: CacheConnection, key: str) -> None:
        cache.incr(key, 1, ttl_s=SHORT_S)
        cache.incr(key, 1)
        self._wait_until_gone(cache, key)
        assert cache.incr(key, 1, ttl_s=60) == 1

    def test_counting_with_a_time_begins_it_anew(self, cache: CacheConnection, key: str) -> None:
        cache.incr(key, 1, ttl_s=0.2)
        cache.incr(key, 1, ttl_s=60)
        time.sleep(0.3)  # longer than the first time: only the second may count
        assert cache.get([key]) == {key: b"2"}

    def test_what_is_no_number_is_not_counted(self, cache: CacheConnection, key: str) -> None:
        cache.set({key: b"text"}, ttl_s=60)
        with pytest.raises(PluginError):
            cache.incr(key, 1)
        assert cache.get([key]) == {key: b"text"}

    def test_threads_lose_no_count(self, cache: CacheConnection, key: str) -> None:
        self._at_once(lambda: [cache.incr(key, 1, ttl_s=60) for _ in range(EACH)])
        assert cache.get([key]) == {key: str(THREADS * EACH).encode()}

    def test_of_many_who_add_at_once_one_wins(self, cache: CacheConnection, key: str) -> None:
        won: list[bool] = []
        self._at_once(lambda: won.append(cache.add(key, b"x", ttl_s=60)))
        assert won.count(True) == 1

    def test_connections_share_what_they_hold(
        self, cache: CacheConnection, config: JsonObject, key: str
    ) -> None:
        cache.set({key: b"shared"}, ttl_s=60)
        with self.opened(config) as other:
            assert (other.get([key]) == {key: b"shared"}) is self.is_shared

    def test_clearing_leaves_nothing(self, cache: CacheConnection, key: str) -> None:
        cache.set({f"{key}:{number}": b"x" for number in range(50)}, ttl_s=None)
        cache.clear()
        assert cache.get([f"{key}:{number}" for number in range(50)]) == {}

    def _wait_until_gone(self, cache: CacheConnection, key: str) -> None:
        ends_at = time.monotonic() + PATIENCE_S
        while cache.get([key]):
            assert time.monotonic() < ends_at, "the entry did not expire"
            time.sleep(0.01)

    def _at_once(self, work: object) -> None:
        assert callable(work)
        barrier = threading.Barrier(THREADS)

        def run() -> None:
            barrier.wait()
            work()

        threads = [threading.Thread(target=run) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S * 3)
