"""Streams, hashes and lists of a real Redis are read and left as they are."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_documents import record_document
from detectviz.contracts.records import RowRecord, Signal
from detectviz.contracts.types import JsonObject
from detectviz.testing.importers import ImporterSuite, make_importer_context, records_of
from detectviz.testing.records import RECORDS
from plugins.importers.redis.importer import RedisImporter

pytestmark = pytest.mark.services("redis-server")


@pytest.fixture
def client(redis_url: str) -> Iterator[Any]:
    with redis.Redis.from_url(redis_url) as found:
        found.flushall()
        yield found


def context(redis_url: str, **config: object) -> ImporterContext:
    options: JsonObject = {"address": redis_url.removesuffix("/0"), **config}  # type: ignore[dict-item]  # tests pass JSON
    return make_importer_context("redis", options)


def read(redis_url: str, **config: object) -> list[Any]:
    records = records_of(list(RedisImporter().read(context(redis_url, **config))))
    return [record.values if isinstance(record, RowRecord) else record for record in records]


class TestStream(ImporterSuite):
    """A stream of records as the exporter writes them."""

    name = "redis"

    @pytest.fixture
    def good_context(self, client: Any, redis_url: str) -> ImporterContext:
        for signal in Signal:
            client.xadd("s", {"record": json.dumps(record_document(RECORDS[signal](1)))})
        return context(redis_url, key="s", layout="records")

    @pytest.fixture
    def bad_context(self, client: Any, redis_url: str) -> ImporterContext:
        options: JsonObject = {
            "address": redis_url.removesuffix("/0"),
            "key": "s",
            "user": "nobody",
        }
        return make_importer_context("redis", options, {"password": self.SECRET})


class TestLists(TestStream):
    """Three lists of two entries."""

    @pytest.fixture
    def good_context(self, client: Any, redis_url: str) -> ImporterContext:
        for name in ("l:b", "l:a", "l:c"):
            client.rpush(name, '{"a": 1}', "text")
        return context(redis_url, key="l:*", source="lists")


class TestHashes(TestStream):
    """Six hashes."""

    @pytest.fixture
    def good_context(self, client: Any, redis_url: str) -> ImporterContext:
        for number in range(6):
            client.hset(f"h:{number}", mapping={"n": number})
        return context(redis_url, key="h:*", source="hashes")


def test_entries_of_a_stream_have_id_and_time(client: Any, redis_url: str) -> None:
    client.xadd("s", {"a": "1"}, id="1769848200000-5")
    assert read(redis_url, key="s") == [
        {"a": "1", "_id": "1769848200000-5", "_time_ms": 1_769_848_200_000}
    ]


def test_only_keys_of_the_kind_are_read(client: Any, redis_url: str) -> None:
    client.set("x:1", "text")
    client.hset("x:2", mapping={"a": "1"})
    client.rpush("x:3", '{"a": 1}', "text")
    assert read(redis_url, key="x:*", source="hashes") == [{"a": "1", "_key": "x:2"}]
    assert read(redis_url, key="x:*", source="lists") == [
        {"a": 1, "_key": "x:3", "_index": 0},
        {"value": "text", "_key": "x:3", "_index": 1},
    ]


def test_too_many_keys_are_refused(client: Any, redis_url: str) -> None:
    for number in range(3):
        client.hset(f"h:{number}", mapping={"n": number})
    with pytest.raises(PluginError, match="More than 2 keys"):
        read(redis_url, key="h:*", source="hashes", most_keys=2)


def test_an_entry_that_is_no_record_is_named(client: Any, redis_url: str) -> None:
    for text in ("{", "[1]", '{"signal": "smoke"}'):
        client.xadd("s", {"record": text})
    (batch,) = RedisImporter().read(context(redis_url, key="s", layout="records"))
    assert (len(batch.records), len(batch.errors)) == (0, 3)
