"""Records posted as JSON."""

import json
from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text, get_text_map
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.http_endpoint import JSON, HttpEndpoint
from detectviz.contracts.record_documents import record_document
from detectviz.contracts.records import Record, Signal


class ApiExporter:
    """Sends a batch in one request that can be told by its key."""

    signals = frozenset(Signal)

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the receiver refuses."""
        endpoint = HttpEndpoint(context, name="The API")
        layout = get_text(context.config, "layout", "batch")
        if records:
            endpoint.fetch(
                endpoint.address(""),
                method=get_text(context.config, "method", "POST"),
                body=_body(records, context.batch_id, layout),
                headers=[
                    *get_text_map(context.config, "headers").items(),
                    ("Content-Type", "application/x-ndjson" if layout == "lines" else JSON),
                    ("Idempotency-Key", context.batch_id),
                ],
            )
        return WriteReport(written=len(records))


def _body(records: Sequence[Record], batch_id: str, layout: str) -> bytes:
    documents = [record_document(record) for record in records]
    if layout == "lines":
        text = "".join(f"{_json(document)}\n" for document in documents)
    else:
        text = _json(
            documents if layout == "list" else {"batch_id": batch_id, "records": documents}
        )
    return text.encode("utf-8", "replace")


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=dict)
