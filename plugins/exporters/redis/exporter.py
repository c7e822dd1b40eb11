"""Records in streams and hashes of Redis."""

import json
from collections.abc import Sequence
from typing import Any, Final

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_duration_s, get_int, get_text
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.record_documents import record_document, signal_of
from detectviz.contracts.records import Record, Signal
from plugins.exporters.redis.session import session

_DAY_S: Final = 86_400


class RedisExporter:
    """Writes a batch in one transaction."""

    signals = frozenset(Signal)

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError when Redis cannot take it."""
        is_hash = get_text(context.config, "mode", "stream") == "hash"
        if records:
            with session(context) as client:
                (_write_hash if is_hash else _write_stream)(client, records, context)
        return WriteReport(written=len(records))


def _write_hash(client: Any, records: Sequence[Record], context: ExporterContext) -> None:
    pipeline = client.pipeline(transaction=True)
    for number, record in enumerate(records, 1):
        pipeline.hset(_key(record, context), f"{context.batch_id}:{number}", _document(record))
    pipeline.execute()


def _write_stream(client: Any, records: Sequence[Record], context: ExporterContext) -> None:
    mark = f"{get_text(context.config, 'key') or 'detectviz'}:batch:{context.batch_id}"
    if client.exists(mark):
        return
    lasting_s = get_duration_s(context.config, "remember") or _DAY_S
    most = get_int(context.config, "max_length", 100_000)
    pipeline = client.pipeline(transaction=True)
    pipeline.set(mark, 1, ex=max(1, round(lasting_s)))
    for record in records:
        fields = {"signal": signal_of(record).value, "record": _document(record)}
        pipeline.xadd(_key(record, context), fields, maxlen=most, approximate=True)
    pipeline.execute()


def _key(record: Record, context: ExporterContext) -> str:
    return get_text(context.config, "key") or f"detectviz:{signal_of(record)}"


def _document(record: Record) -> bytes:
    text = json.dumps(record_document(record), ensure_ascii=False, default=dict)
    return text.encode("utf-8", "replace")
