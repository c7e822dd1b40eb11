"""Frames as JSON of ours and of Grafana's, as NDJSON and as CSV."""

import math
from collections.abc import Iterator

import numpy as np
import orjson

from detectviz.contracts.frames import Field, FieldType, Frame, Notice
from detectviz.queries.encoding.csv_rows import results_csv
from detectviz.queries.encoding.grafana import grafana_frame, grafana_json
from detectviz.queries.encoding.own import results_json, results_lines
from detectviz.queries.errors import RefusedQueryError
from detectviz.queries.model import Outcome, Results

NAN, INF = math.nan, math.inf
SERIES = Frame(
    name="cpu",
    ref_id="A",
    shape="time-series",
    executed_query="select 1",
    notices=(Notice(severity="warning", text="cut"),),
    meta={"custom": 1},
    fields=(
        Field(name="time", type=FieldType.TIME, values=[1000, 2000, 3000, 4000]),
        Field(
            name="value", type=FieldType.NUMBER, values=[1.5, NAN, None, -INF],
            labels={"host": "x"}, unit="percent",
        ),
    ),
)  # fmt: skip
RESULTS = Results(
    {
        "A": Outcome(ref_id="A", frames=(SERIES,), took_s=0.01),
        "B": Outcome(ref_id="B", error=RefusedQueryError("no")),
        "C": Outcome(ref_id="C", frames=(SERIES,), is_hidden=True),
    }
)


def joined(pieces: Iterator[bytes]) -> bytes:
    return b"".join(pieces)


def test_our_json_names_numbers_json_has_no_word_for() -> None:
    found = orjson.loads(joined(results_json(RESULTS)))["results"]
    assert list(found) == ["A", "B"]
    assert found["A"]["status"] == 200
    (frame,) = found["A"]["frames"]
    assert frame["fields"][1]["values"] == [1.5, "NaN", None, "-Inf"]
    assert frame["fields"][1]["labels"] == {"host": "x"}
    assert (frame["shape"], frame["rows"], frame["meta"]) == ("time-series", 4, {"custom": 1})
    assert frame["notices"] == [{"severity": "warning", "text": "cut"}]
    assert found["B"] == {
        "status": 400, "took_ms": 0, "frames": [],
        "error": {"reason": "bad_query", "message": "no"},
    }  # fmt: skip


def test_large_columns_come_in_pieces() -> None:
    column = Field(name="n", type=FieldType.NUMBER, values=np.arange(100_000))  # type: ignore[arg-type]  # arrays are allowed
    large = Results({"A": Outcome(ref_id="A", frames=(Frame(fields=(column,)),))})
    pieces = list(results_json(large))
    assert max(map(len, pieces)) < 20_000
    (frame,) = orjson.loads(b"".join(pieces))["results"]["A"]["frames"]
    assert frame["fields"][0]["values"] == list(range(100_000))
    lines = [orjson.loads(line) for line in joined(results_lines(large)).splitlines()]
    assert lines[0]["type"] == "frame"
    rows = [value for line in lines if line["type"] == "rows" for value in line["values"][0]]
    assert rows == list(range(100_000))
    assert lines[-1] == {"type": "end", "ref_id": "A", "status": 200, "took_ms": 0}


def test_arrays_with_nan_are_written_too() -> None:
    column = Field(name="n", type=FieldType.NUMBER, values=np.array([1.0, NAN, INF]))  # type: ignore[arg-type]  # arrays are allowed
    results = Results({"A": Outcome(ref_id="A", frames=(Frame(fields=(column,)),))})
    (frame,) = orjson.loads(joined(results_json(results)))["results"]["A"]["frames"]
    assert frame["fields"][0]["values"] == [1, "NaN", "+Inf"]
    assert grafana_frame(Frame(fields=(column,)))["data"] == {
        "values": [[1.0, None, None]],
        "entities": [{"NaN": [1], "Inf": [2]}],
    }


def test_grafanas_frames() -> None:
    assert grafana_frame(SERIES) == {
        "schema": {
            "name": "cpu",
            "refId": "A",
            "meta": {
                "type": "timeseries-multi",
                "typeVersion": [0, 1],
                "executedQueryString": "select 1",
                "notices": [{"severity": "warning", "text": "cut"}],
                "custom": {"custom": 1},
            },
            "fields": [
                {
                    "name": "time",
                    "type": "time",
                    "typeInfo": {"frame": "time.Time", "nullable": True},
                },
                {
                    "name": "value",
                    "type": "number",
                    "typeInfo": {"frame": "float64", "nullable": True},
                    "labels": {"host": "x"},
                    "config": {"unit": "percent"},
                },
            ],
        },
        "data": {
            "values": [[1000, 2000, 3000, 4000], [1.5, None, None, None]],
            "entities": [None, {"NaN": [1], "NegInf": [3]}],
        },
    }
    found = orjson.loads(joined(grafana_json(RESULTS)))["results"]
    assert found["B"] == {"status": 400, "error": "no", "errorSource": "downstream", "frames": []}


def test_parts_of_milliseconds_are_nanos() -> None:
    times = Field(name="time", type=FieldType.TIME, values=[1000.25, 2000])
    assert grafana_frame(Frame(fields=(times,)))["data"] == {
        "values": [[1000, 2000]],
        "nanos": [[250_000, 0]],
    }


def test_csv_writes_times_and_disarms_formulas() -> None:
    table = Frame(
        fields=(
            Field(name="t", type=FieldType.TIME, values=[0, None]),
            Field(name="v", type=FieldType.NUMBER, values=[-1.5, NAN], labels={"h": "x"}),
            Field(name="s", type=FieldType.STRING, values=['=cmd|"x"', "a,b"]),
            Field(name="b", type=FieldType.BOOLEAN, values=[True, False]),
            Field(name="o", type=FieldType.OTHER, values=[{"a": 1}, [1]]),
        )
    )
    text = joined(results_csv(Results({"A": Outcome(ref_id="A", frames=(table, SERIES))}))).decode()
    lines = text.split("\r\n")
    assert lines[0] == 't,"v{h=""x""}",s,b,o'
    assert lines[1] == '1970-01-01T00:00:00.000Z,-1.5,"\'=cmd|""x""",true,"{""a"":1}"'
    assert lines[2] == ',NaN,"a,b",false,[1]'
    assert lines[3] == ""
    assert lines[4].startswith("time,")
