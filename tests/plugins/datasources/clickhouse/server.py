"""A ClickHouse that answers as its documentation shows, for whatever is asked of it here."""

import json
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from detectviz.contracts.network import HttpRequest, HttpResponse
from detectviz.testing.datasource_fakes import END_MS, HOUR_MS, FakeHttp, http_response

PASSWORD = "reader-secret-71"


def exception(code: int, text: str, status_code: int) -> HttpResponse:
    body = f"Code: {code}. DB::Exception: {text} (version 24.8.1.1)\n".encode()
    return http_response(body, status_code=status_code, content_type="text/plain")


def compact(meta: list[tuple[str, str]], data: list[list[object]]) -> HttpResponse:
    document = {
        "meta": [{"name": name, "type": kind} for name, kind in meta],
        "data": data,
        "rows": len(data),
        "statistics": {"elapsed": 0.001, "rows_read": len(data), "bytes_read": 8},
    }
    return http_response(json.dumps(document).encode())


def _series(request: HttpRequest) -> HttpResponse:
    rows: list[list[object]] = [
        [(END_MS - HOUR_MS) // 1000 + minute * 600, host, minute / 2]
        for minute in range(6)
        for host in "ab"
    ]
    return compact(
        [("time", "UInt32"), ("host", "LowCardinality(String)"), ("used", "Float64")], rows
    )


def _long(request: HttpRequest) -> HttpResponse:
    asked = parse_qs(urlsplit(request.url).query)
    count = min(int(asked["max_result_rows"][0]), 5_000)
    return compact([("n", "UInt64"), ("s", "String")], [[n, "x" * 50] for n in range(count)])


ANSWERS: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "SELECT version()": lambda _: compact(
        [("version()", "String"), ("currentUser()", "String")], [["24.8.1.1", "reader"]]
    ),
    "SHOW GRANTS": lambda _: compact(
        [("GRANTS", "String")], [["GRANT SELECT ON test.* TO reader"]]
    ),
    "SELECT count()": lambda request: compact(
        [("n", "UInt64")], [[120 if "database=test" in request.url else 7]]
    ),
    "SELECT toStart": _series,
    "SELECT number": _long,
    "SELECT no_such": lambda _: exception(47, "Unknown expression identifier 'no_such'", 404),
    "SELECT 1;": lambda _: exception(62, "Syntax error (Multi-statements are not allowed)", 400),
    "SELECT x INTO": lambda _: exception(164, "Cannot execute query in readonly mode", 500),
}


def answer(request: HttpRequest) -> HttpResponse:
    headers = dict(request.headers)
    if headers.get("X-ClickHouse-Key") != PASSWORD:
        return exception(516, "reader: Authentication failed: password is incorrect", 403)
    sql = request.body.decode().strip()
    return next(found(request) for begin, found in ANSWERS.items() if sql.startswith(begin))


def clickhouse() -> FakeHttp:
    return FakeHttp(answer)
