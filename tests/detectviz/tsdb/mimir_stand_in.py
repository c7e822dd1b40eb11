"""Not Mimir: a stand-in that takes its header, remote write and remote read, over our MemoryStore.

Mimir, Cortex and Thanos can't be had here. This checks what we send, and answers as the protocols
say; how those servers themselves behave it can't show.
"""

from urllib.parse import parse_qs

import cramjam
import numpy as np

from detectviz.promql.memory_store import MemoryStore
from detectviz.promql.nodes import VectorSelector
from detectviz.promql.parser import parse
from detectviz.testing.http_server import Answer, ReceivedRequest, json_answer
from detectviz.tsdb.interface import Matcher, MatchOp, Sample, SeriesSet
from detectviz.tsdb.protobuf import fields, message, signed
from detectviz.tsdb.remote_histograms import encode_histogram
from detectviz.tsdb.remote_read import read_response
from detectviz.tsdb.remote_write import encode_labels, encode_series

OPERATORS = [MatchOp.EQUAL, MatchOp.NOT_EQUAL, MatchOp.REGEX, MatchOp.NOT_REGEX]


class StandIn:
    def __init__(self, *, header: str, write_path: str, api_path: str) -> None:
        self.header, self.write_path = header.lower(), write_path
        self.api_path = f"{api_path}/api/v1"
        self.memory = MemoryStore()

    def __call__(self, request: ReceivedRequest) -> Answer:
        tenant = request.headers.get(self.header)
        if not tenant:
            return Answer(status=401, body=b"no org id")
        if request.path == self.write_path:
            return self.write(tenant, request)
        if request.path == f"{self.api_path}/read":
            return self.read(tenant, request)
        if not request.path.startswith(f"{self.api_path}/"):
            return Answer(status=404)
        return json_answer({"status": "success", "data": self.listed(tenant, request)})

    def write(self, tenant: str, request: ReceivedRequest) -> Answer:
        assert request.headers["content-encoding"] == "snappy"
        assert request.headers["x-prometheus-remote-write-version"] == "0.1.0"
        raw = bytes(cramjam.snappy.decompress_raw(request.body))
        series = read_response(bytes(cramjam.snappy.compress_raw(message(1, raw))))
        for one in series:
            assert list(one.key) == sorted(one.key)
            assert (np.diff(one.timestamps_ms) > 0).all()
            histograms = [None] * len(one.values) if one.histograms is None else one.histograms
            columns = zip(one.timestamps_ms, one.values, histograms, strict=True)
            self.memory.append(
                tenant,
                [
                    Sample(dict(one.key), int(moment), float(value), histogram=histogram)
                    for moment, value, histogram in columns
                ],
            )
        return Answer(status=200)

    def read(self, tenant: str, request: ReceivedRequest) -> Answer:
        raw = bytes(cramjam.snappy.decompress_raw(request.body))
        bounds = {1: 0, 2: 0}
        matchers = []
        for _, first, last in fields(raw):
            for number, low, high in fields(raw, first, last):
                if number in bounds:
                    bounds[number] = signed(low)
                elif number == 3:
                    matchers.append(matcher_of(raw, low, high))
        found = self.memory.select(tenant, matchers, bounds[1], bounds[2])
        answer = message(1, b"".join(series_messages(found)))
        return Answer(body=bytes(cramjam.snappy.compress_raw(answer)))

    def listed(self, tenant: str, request: ReceivedRequest) -> object:
        form = parse_qs(request.body.decode() or request.query)
        selector = parse(form["match[]"][0])
        assert isinstance(selector, VectorSelector)
        span = (round(float(form["start"][0]) * 1000), round(float(form["end"][0]) * 1000))
        kind = request.path.removeprefix(f"{self.api_path}/")
        if kind == "series":
            return list(map(dict, self.memory.series(tenant, selector.matchers, *span)))
        if kind == "labels":
            return self.memory.label_names(tenant, selector.matchers, *span)
        name = kind.removeprefix("label/").removesuffix("/values")
        return self.memory.label_values(tenant, name, selector.matchers, *span)


def matcher_of(raw: bytes, start: int, end: int) -> Matcher:
    kind, name, value = 0, "", ""
    for number, low, high in fields(raw, start, end):
        if number == 1:
            kind = low
        elif number == 2:
            name = raw[low:high].decode()
        else:
            value = raw[low:high].decode()
    return Matcher(name, OPERATORS[kind], value)


def series_messages(found: SeriesSet) -> list[bytes]:
    histograms = [] if found.histograms is None else found.histograms.tolist()
    return encode_series(
        [encode_labels(tuple(sorted(labels.items()))) for labels in found.labels],
        np.diff(found.offsets),
        found.timestamps_ms,
        found.values,
        {
            place: encode_histogram(one, int(found.timestamps_ms[place]))
            for place, one in enumerate(histograms)
            if one is not None
        },
    )
