"""OTLP's messages, in protobuf and in JSON.

They are the OpenTelemetry project's own (``opentelemetry-proto`` over Google's C decoder): it costs
2.7 MB and 30 ms, once and only where somebody sends OTLP, and reads a data point in half a
microsecond; a decoder of our own would be slower and one more thing to keep true.
"""

import base64
from typing import Any

import orjson

from detectviz.ingest.errors import MalformedError
from detectviz.ingest.raw_labels import raw_varint

_DEEPEST = 64
_CODE_TAG, _MESSAGE_TAG = b"\x08", b"\x12"


def decode(data: bytes, *, is_json: bool) -> Any:
    """Return an ExportMetricsServiceRequest; raise MalformedError."""
    from google.protobuf import json_format, message  # noqa: PLC0415 - see above
    from opentelemetry.proto.collector.metrics.v1 import (  # noqa: PLC0415 - see above
        metrics_service_pb2,
    )

    request = metrics_service_pb2.ExportMetricsServiceRequest()
    try:
        if is_json:
            content = orjson.loads(data)
            if not isinstance(content, dict):
                raise MalformedError("the body is no JSON object")
            json_format.ParseDict(
                content, request, ignore_unknown_fields=True, max_recursion_depth=_DEEPEST
            )
        else:
            request.ParseFromString(data)
    except (message.DecodeError, json_format.ParseError, orjson.JSONDecodeError) as error:
        raise MalformedError(f"the body is no ExportMetricsServiceRequest: {error}") from error
    except (RecursionError, ValueError, TypeError, AttributeError) as error:  # of json_format
        raise MalformedError("the body is no ExportMetricsServiceRequest") from error
    return request


def identifier(raw: bytes, *, is_json: bool) -> str:
    """Return a trace or span id in hexadecimal.

    OTLP's JSON writes ids in hexadecimal, which a protobuf decoder takes for base64: undo that.
    """
    return base64.b64encode(raw).decode().lower() if is_json else raw.hex()


def encode_answer(rejected: int, message: str, *, is_json: bool) -> bytes:
    """Return an ExportMetricsServiceResponse; the message of a full success is empty."""
    if is_json:
        partial = {"rejectedDataPoints": str(rejected), "errorMessage": message}
        return orjson.dumps({"partialSuccess": partial} if message else {})
    content = b"\x08" + raw_varint(rejected) if rejected else b""
    if message:
        text = message.encode()
        content += _MESSAGE_TAG + raw_varint(len(text)) + text
    return b"\x0a" + raw_varint(len(content)) + content if content else b""


def encode_status(code: int, message: str, *, is_json: bool) -> bytes:
    """Return a ``google.rpc.Status``."""
    if is_json:
        return orjson.dumps({"code": code, "message": message})
    text = message.encode()
    return _CODE_TAG + raw_varint(code) + _MESSAGE_TAG + raw_varint(len(text)) + text
