"""Prometheus' remote write messages, made with Google's protobuf from the public definitions.

An encoder of other people's, so that our decoder is not tested against our own idea of the format.
"""

from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_KINDS = {
    "double": 1,
    "int64": 3,
    "uint64": 4,
    "uint32": 13,
    "sint32": 17,
    "sint64": 18,
    "string": 9,
}
_HISTOGRAM = (
    "count_int=1:uint64 count_float=2:double sum=3:double schema=4:sint32 zero_threshold=5:double "
    "zero_count_int=6:uint64 zero_count_float=7:double *negative_spans=8:BucketSpan "
    "*negative_deltas=9:sint64 *negative_counts=10:double *positive_spans=11:BucketSpan "
    "*positive_deltas=12:sint64 *positive_counts=13:double reset_hint=14:uint32 "
    "timestamp=15:int64 *custom_values=16:double start_timestamp=17:int64"
)
_FILES = {
    "prometheus": {
        "WriteRequest": "*timeseries=1:TimeSeries *metadata=3:MetricMetadata",
        "MetricMetadata": "type=1:uint32 metric_family_name=2:string help=4:string unit=5:string",
        "TimeSeries": (
            "*labels=1:Label *samples=2:Sample *exemplars=3:Exemplar *histograms=4:Histogram"
        ),
        "Label": "name=1:string value=2:string",
        "Sample": "value=1:double timestamp=2:int64",
        "Exemplar": "*labels=1:Label value=2:double timestamp=3:int64",
        "Histogram": _HISTOGRAM,
        "BucketSpan": "offset=1:sint32 length=2:uint32",
    },
    "io.prometheus.write.v2": {
        "Request": "*symbols=4:string *timeseries=5:TimeSeries",
        "TimeSeries": (
            "*labels_refs=1:uint32 *samples=2:Sample *histograms=3:Histogram "
            "*exemplars=4:Exemplar metadata=5:Metadata created_timestamp=6:int64"
        ),
        "Exemplar": "*labels_refs=1:uint32 value=2:double timestamp=3:int64",
        "Sample": "value=1:double timestamp=2:int64 start_timestamp=3:int64",
        "Metadata": "type=1:uint32 help_ref=3:uint32 unit_ref=4:uint32",
        "Histogram": _HISTOGRAM,
        "BucketSpan": "offset=1:sint32 length=2:uint32",
    },
}


def _classes(package: str) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{package}.test.proto", package=package, syntax="proto3"
    )
    for name, fields in _FILES[package].items():
        message = file.message_type.add(name=name)
        for field in fields.split():
            called, _, rest = field.lstrip("*").partition("=")
            number, _, kind = rest.partition(":")
            row = message.field.add(
                name=called, number=int(number), label=3 if field[0] == "*" else 1
            )
            row.type = _KINDS.get(kind, 11)
            if kind not in _KINDS:
                row.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name in _FILES[package]
    }


V1 = _classes("prometheus")
V2 = _classes("io.prometheus.write.v2")


def labels_v1(**labels: str) -> list[Any]:
    """Return labels sorted by name; ``name`` stands for ``__name__``."""
    pairs = {("__name__" if key == "name" else key): text for key, text in labels.items()}
    return [V1["Label"](name=name, value=pairs[name]) for name in sorted(pairs)]


class RequestV2:
    """A remote write 2.0 request with its table of symbols."""

    def __init__(self) -> None:
        self._symbols = {"": 0}
        self.message = V2["Request"]()

    def ref(self, text: str) -> int:
        """Return the reference of a text."""
        return self._symbols.setdefault(text, len(self._symbols))

    def refs(self, **labels: str) -> list[int]:
        """Return references of labels sorted by name; ``name`` stands for ``__name__``."""
        pairs = {("__name__" if key == "name" else key): text for key, text in labels.items()}
        return [self.ref(text) for name in sorted(pairs) for text in (name, pairs[name])]

    def add(self, **fields: Any) -> Any:
        """Add a series message."""
        return self.message.timeseries.add(**fields)

    def encoded(self) -> bytes:
        """Return the message."""
        del self.message.symbols[:]
        self.message.symbols.extend(self._symbols)
        return bytes(self.message.SerializeToString())


def snappy(data: bytes) -> bytes:
    """Compress as remote write does."""
    return bytes(cramjam.snappy.compress_raw(data))
