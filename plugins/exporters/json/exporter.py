"""Records as JSON Lines, in a file that the run keeps."""

import json
from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.record_documents import record_document
from detectviz.contracts.records import Record, Signal


class JsonExporter:
    """Writes one object a line."""

    signals = frozenset(Signal)

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError when the run's files are full."""
        lines = [
            json.dumps(record_document(record), ensure_ascii=False, default=dict) + "\n"
            for record in records
        ]
        if lines:
            name = get_text(context.config, "file") or "records.jsonl"
            data = "".join(lines).encode("utf-8", "replace")
            context.outputs.append(name, data, batch_id=context.batch_id)
        return WriteReport(written=len(lines))
