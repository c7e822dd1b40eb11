"""Results as our own JSON, whole or in lines (NDJSON). Both come in pieces, never in one text."""

from collections.abc import Iterator

from detectviz.contracts.frames import Field, Frame
from detectviz.queries.encoding.cells import json_bytes, values_json
from detectviz.queries.model import Outcome, Results

_ROWS = 2_000


def results_json(results: Results) -> Iterator[bytes]:
    """Yield ``{"results": {"A": {"status": 200, "frames": […]}}}``."""
    yield b'{"results":{'
    for place, outcome in enumerate(results.shown()):
        comma = b"," if place else b""
        yield comma + json_bytes(outcome.ref_id) + b":{" + _inside(_head(outcome))
        yield b',"frames":['
        for number, frame in enumerate(outcome.frames):
            yield (b"," if number else b"") + b"{" + _inside(_frame_head(frame)) + b',"fields":['
            for column, each in enumerate(frame.fields):
                yield b"," if column else b""
                yield from _field(each)
            yield b"]}"
        yield b"]}"
    yield b"}}"


def results_lines(results: Results) -> Iterator[bytes]:
    """Yield lines: ``frame``, then ``rows`` of its columns; ``end`` after each query."""
    for outcome in results.shown():
        for number, frame in enumerate(outcome.frames):
            where = {"ref_id": outcome.ref_id, "frame": number}
            fields = [_field_head(each) for each in frame.fields]
            yield json_bytes({"type": "frame", **where, **_frame_head(frame), "fields": fields})
            yield b"\n"
            for start in range(0, frame.rows, _ROWS):
                columns = b",".join(
                    values_json(each, start, start + _ROWS) for each in frame.fields
                )
                head = _inside({"type": "rows", **where})
                yield b"{" + head + b',"values":[' + columns + b"]}\n"
        yield json_bytes({"type": "end", "ref_id": outcome.ref_id, **_head(outcome)}) + b"\n"


def _head(outcome: Outcome) -> dict[str, object]:
    head: dict[str, object] = {
        "status": outcome.status,
        "took_ms": round(outcome.took_s * 1000, 3),
    }
    if outcome.error is not None:
        head["error"] = {"reason": outcome.error.reason, "message": outcome.error.message}
    return head


def _frame_head(frame: Frame) -> dict[str, object]:
    return {
        "name": frame.name,
        "ref_id": frame.ref_id,
        "shape": frame.shape,
        "rows": frame.rows,
        "notices": [{"severity": each.severity, "text": each.text} for each in frame.notices],
        "executed_query": frame.executed_query,
        "meta": frame.meta,
    }


def _field_head(each: Field) -> dict[str, object]:
    return {
        "name": each.name,
        "type": each.type.value,
        "labels": dict(each.labels),
        "unit": each.unit,
    }


def _field(each: Field) -> Iterator[bytes]:
    yield b"{" + _inside(_field_head(each)) + b',"values":['
    count = len(each.values)
    for start in range(0, count, _ROWS):
        yield (b"," if start else b"") + values_json(each, start, start + _ROWS)[1:-1]
    yield b"]}"


def _inside(value: dict[str, object]) -> bytes:
    return json_bytes(value)[1:-1]
