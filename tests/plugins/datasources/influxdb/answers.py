"""Answers as InfluxData's documentation shows them."""

import json
from datetime import UTC, datetime

from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.testing.datasource_fakes import END_MS, http_response

_TIME = "dateTime:RFC3339"
_HEAD = f"""#datatype,string,long,{_TIME},{_TIME},{_TIME},double,string,string,string
#group,false,false,true,true,false,false,true,true,true
#default,_result,,,,,,,,
,result,table,_start,_stop,_time,_value,_field,_measurement,host
"""


def moment(time_ms: int) -> str:
    text = datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def flux_tables() -> str:
    span = f"{moment(END_MS - 3_600_000)},{moment(END_MS)}"
    rows = [
        f",,{table},{span},{moment(END_MS - minute * 60_000)},{minute / 2},used,points,{host}"
        for table, host in enumerate("ab")
        for minute in range(9, -1, -1)
    ]
    return _HEAD + "\n".join(rows) + "\n\n"


NAMES = """#datatype,string,long,string\r
#group,false,false,false\r
#default,_result,,\r
,result,table,name\r
,,0,one\r
"""
FAILED = """#datatype,string,string
#group,true,true
#default,,
,error,reference
,"error in building plan: index out of bounds",897
"""


def flux_answer(request: HttpRequest) -> HttpResponse:
    script = json.loads(request.body)["query"]
    if script == "from(":
        said = {"code": "invalid", "message": "compilation failed: expected comma in list"}
        return http_response(json.dumps(said).encode(), status_code=400)
    body = FAILED if "halfway" in script else NAMES if "names" in script else flux_tables()
    return http_response(body.encode(), content_type="text/csv")


def sql_answer(request: HttpRequest) -> HttpResponse:
    asked = json.loads(request.body)
    assert asked["format"] == "jsonl"
    if "nope" in asked["q"]:
        return http_response(b'{"error": "Schema error: No field named nope"}', status_code=400)
    lines = [
        json.dumps({"time": moment(END_MS - 1000 * n)[:-1], "host": host, "used": n / 2})
        for n in range(10)
        for host in "ab"
    ]
    return http_response("\n".join(lines).encode(), content_type="application/jsonl")
