"""Entries of streams, hashes and lists of Redis."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.errors import PluginError
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import Part, part_batches, row_part
from detectviz.contracts.record_documents import document_record
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.row_records import Row, RowError, RowReader, row_mapping
from detectviz.contracts.types import JsonObject
from plugins.importers.redis.session import session

_PAGE: Final = 1_000


class RedisImporter:
    """Reads page by page and changes nothing."""

    signals = frozenset(Signal)

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield what comes after what is stored; raise PluginError for what cannot be read."""
        mapping: RowReader = row_mapping(context.config, now=context.now())
        source = get_text(context.config, "source", "stream")
        if source == "stream" and get_text(context.config, "layout") == "records":
            mapping = _Records()
        with session(context) as client:
            yield from part_batches(
                _SOURCES[source](client, mapping, context),
                batch_size=context.batch_size,
                is_cancelled=context.is_cancelled,
            )


class _Records:
    """The mapping of entries as the Redis exporter writes them."""

    def records(self, row: Row) -> Iterator[Record]:
        """Yield the record; raise RowError for an entry that is none."""
        try:
            yield document_record(json.loads(str(row.get("record", ""))))
        except (ValueError, RecursionError, AttributeError) as error:
            raise RowError("The field record is no JSON of a record.") from error
        except PluginError as error:
            raise RowError(error.message) from error


def _stream(client: Any, mapping: RowReader, context: ImporterContext) -> Iterator[Part]:
    key = get_text(context.config, "key")
    after = get_text(context.cursor, "id")
    # What is added during the run is left to the next one.
    last = get_text(context.cursor, "until") or _last(client, key)
    while last:
        found = client.xrange(key, min=f"({after}" if after else "-", max=last, count=_PAGE)
        for number, fields in found:
            after = _text(number)
            row = {**_texts(fields), "_id": after, "_time_ms": int(after.partition("-")[0])}
            cursor = {"id": after, "until": last}
            yield row_part(row, mapping, place=f"entry {after}", cursor=cursor)
        if len(found) < _PAGE:
            return


def _last(client: Any, key: str) -> str:
    found = client.xrevrange(key, count=1)
    return _text(found[0][0]) if found else ""


def _hashes(client: Any, mapping: RowReader, context: ImporterContext) -> Iterator[Part]:
    for key in _keys(client, "HASH", context):
        name = _text(key)
        if name > get_text(context.cursor, "key"):
            fields = client.hgetall(key)
            row = {**_texts(fields), "_key": name}
            yield row_part(row, mapping, place=name, cursor={"key": name})


def _lists(client: Any, mapping: RowReader, context: ImporterContext) -> Iterator[Part]:
    stored, index = get_text(context.cursor, "key"), get_int(context.cursor, "index", -1)
    for key in _keys(client, "LIST", context):
        name = _text(key)
        if name < stored:
            continue
        place = index + 1 if name == stored else 0
        while found := client.lrange(key, place, place + _PAGE - 1):
            for number, value in enumerate(found, place):
                row = {**_members(_text(value)), "_key": name, "_index": number}
                where: JsonObject = {"key": name, "index": number}
                yield row_part(row, mapping, place=f"{name} {number}", cursor=where)
            place += len(found)


_SOURCES: Final = {"stream": _stream, "hashes": _hashes, "lists": _lists}


def _keys(client: Any, kind: str, context: ImporterContext) -> list[bytes]:
    """Return the keys of a kind that match, in the order of their names."""
    most = get_int(context.config, "most_keys", 10_000)
    found: set[bytes] = set()
    for key in client.scan_iter(match=get_text(context.config, "key"), count=_PAGE, _type=kind):
        found.add(key)
        if len(found) > most:
            message = f"More than {most} keys match; choose a narrower pattern."
            raise PluginError(message, permanent=True)
    return sorted(found, key=_text)


def _members(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {"value": text}


def _texts(fields: Mapping[bytes, bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
