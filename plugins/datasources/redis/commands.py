"""Commands that read, in pages, and what becomes of their replies."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from detectviz.contracts.config import get_int, get_text
from detectviz.contracts.datasource import DataQuery, DatasourceContext
from detectviz.contracts.errors import QueryError
from detectviz.contracts.frames import FieldType, Frame, Notice
from detectviz.contracts.point_frames import PointFrames, moment
from detectviz.contracts.sql.tables import Column
from detectviz.contracts.table_frames import table_frames
from detectviz.contracts.types import JsonObject
from plugins.datasources.redis.session import Ask, Reply

_PAGE: Final = 500
Rows = Iterator[Sequence[object]]


def read(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    """Return the frames of one query."""
    command = get_text(query.model, "command", "info")
    if command not in _KEYLESS and not get_text(query.model, "key"):
        raise QueryError("Write the key to read.")
    return _READERS[command](query, context, ask)


def read_info(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield section, name and value of each line of INFO."""
    section = ""
    for line in text.splitlines():
        if line.startswith("#"):
            section = line.strip("# ").lower()
        elif ":" in line:
            name, _, value = line.partition(":")
            yield section, name, value


def ts_points(reply: Reply) -> tuple[list[int], list[float | None]]:
    """Return times and values of a reply of TS.RANGE."""
    return [int(each[0]) for each in reply], [number(each[1]) for each in reply]


def number(value: object) -> float | None:
    """Return a number, None for what is none."""
    try:
        return float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError):
        return None


def _get(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    key = get_text(query.model, "key")
    if ask("STRLEN", key) > context.max_bytes:
        raise QueryError(f"The value of {key} is larger than allowed.", status=413)
    value = ask("GET", key)
    plain = number(value)
    rows = iter([[value if plain is None else plain]]) if value is not None else iter([])
    return _table(["value"], rows, query, context)


def _hash(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    pairs = _scanned(ask, "HSCAN", get_text(query.model, "key"))
    named = ((flat[place], flat[place + 1]) for flat in pairs for place in range(0, len(flat), 2))
    if get_text(query.model, "format") == "numbers":
        return _numbers(((name, value, {}) for name, value in named), query, context)
    return _table(["field", "value"], named, query, context)


def _list(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    key, (first, last) = get_text(query.model, "key"), _span(query, ask, "LLEN")
    pages = (
        ask("LRANGE", key, begin, min(begin + _PAGE - 1, last))
        for begin in range(first, last + 1, _PAGE)
    )
    return _table(["value"], ([value] for page in pages for value in page), query, context)


def _sorted_set(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    key, (first, last) = get_text(query.model, "key"), _span(query, ask, "ZCARD")
    pages = (
        ask("ZRANGE", key, begin, min(begin + _PAGE - 1, last), "WITHSCORES")
        for begin in range(first, last + 1, _PAGE)
    )
    rows = (
        [page[place], number(page[place + 1])] for page in pages for place in range(0, len(page), 2)
    )
    return _table(["member", "score"], rows, query, context)


def _set(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    pages = _scanned(ask, "SSCAN", get_text(query.model, "key"))
    return _table(["member"], ([each] for page in pages for each in page), query, context)


def _stream(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    entries: list[tuple[str, dict[str, str]]] = []
    begin, end = str(query.range.start_ms), str(query.range.end_ms)
    key = get_text(query.model, "key")
    while len(entries) <= context.max_rows:
        page = ask("XRANGE", key, begin, end, "COUNT", _PAGE)
        for entry, flat in page:
            entries.append((entry, dict(zip(flat[::2], flat[1::2], strict=True))))
        if len(page) < _PAGE:
            break
        begin = f"({page[-1][0]}"
    names = list(dict.fromkeys(name for _, values in entries for name in values))
    numeric = {
        name
        for name in names
        if all(number(values[name]) is not None for _, values in entries if name in values)
    }
    columns = [Column(name="time", type=FieldType.TIME), Column(name="id")]
    is_series = get_text(query.model, "format") == "time_series"
    if is_series:
        columns.pop()  # an id of its own for each point would make each a series
    rows = (
        [
            moment(int(entry.partition("-")[0])),
            *([] if is_series else [entry]),
            *(number(v.get(name)) if name in numeric else v.get(name) for name in names),
        ]
        for entry, v in entries
    )
    return table_frames(
        [*columns, *(Column(name=_distinct(name)) for name in names)],
        rows,
        query=query,
        context=context,
        executed_query=_shown(query.model),
        shape="time_series" if is_series and names else "table",
    )


def _distinct(name: str) -> str:
    return f"{name} field" if name in {"time", "id"} else name


def _ts_range(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    key, how = get_text(query.model, "key"), get_text(query.model, "aggregation")
    words: list[str | int] = [query.range.start_ms, query.range.end_ms, "COUNT"]
    words.append(context.max_rows + 1)
    if how:
        words += ["AGGREGATION", how, max(query.interval_ms, 1)]
    times, values = ts_points(ask("TS.RANGE", key, *words))
    frames = PointFrames(context, _shown(query.model))
    frames.add_series({"key": key}, times, values, name=key)
    return frames.frames()


def _scan(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    limit = get_int(query.model, "limit", 1000)
    match = get_text(query.model, "match", "*")
    keys: dict[str, None] = {}
    cursor = "0"
    while True:
        cursor, found = ask("SCAN", cursor, "MATCH", match, "COUNT", _PAGE)
        keys |= dict.fromkeys(found)
        if cursor == "0" or len(keys) >= limit:
            break
    notices = []
    if cursor != "0" or len(keys) > limit:
        text = f"Listed are the first {limit} keys that were found."
        notices.append(Notice(severity="warning", text=text))
    rows = ([key, ask("TYPE", key), ask("PTTL", key)] for key in list(keys)[:limit])
    return _table(["key", "type", "ttl_ms"], rows, query, context, notices)


def _info(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    section = get_text(query.model, "section")
    lines = read_info(str(ask(*(["INFO", section] if section else ["INFO"]))))
    if get_text(query.model, "format") == "numbers":
        found = ((name, value, {"section": section}) for section, name, value in lines)
        return _numbers(found, query, context)
    return _table(["section", "name", "value"], lines, query, context)


def _dbsize(query: DataQuery, context: DatasourceContext, ask: Ask) -> list[Frame]:
    frames = PointFrames(context, "DBSIZE")
    frames.add_number({}, ask("DBSIZE"), name="keys")
    return frames.frames()


def _scanned(ask: Ask, command: str, key: str) -> Iterator[Sequence[str]]:
    """Yield what a hash or a set holds, in pages."""
    cursor = "0"
    while True:
        cursor, page = ask(command, key, cursor, "COUNT", _PAGE)
        yield page
        if cursor == "0":
            return


def _span(query: DataQuery, ask: Ask, measure: str) -> tuple[int, int]:
    """Return the first and the last element, both counted from 0."""
    length = ask(measure, get_text(query.model, "key"))
    ends = (get_int(query.model, "start"), get_int(query.model, "stop", -1))
    first, last = (max(end + length, 0) if end < 0 else end for end in ends)
    return first, min(last, length - 1)


def _numbers(
    found: Iterator[tuple[str, str, dict[str, str]]],
    query: DataQuery,
    context: DatasourceContext,
) -> list[Frame]:
    frames = PointFrames(context, _shown(query.model))
    for name, value, labels in found:
        plain = number(value)
        if plain is not None:
            frames.add_number(labels, plain, name=name)
    return frames.frames()


def _table(
    names: Sequence[str],
    rows: Iterator[Sequence[object]],
    query: DataQuery,
    context: DatasourceContext,
    notices: Sequence[Notice] = (),
) -> list[Frame]:
    return table_frames(
        [Column(name=name) for name in names],
        rows,
        query=query,
        context=context,
        executed_query=_shown(query.model),
        notices=notices,
    )


def _shown(model: JsonObject) -> str:
    command = get_text(model, "command", "info").replace("ts_", "ts.").upper()
    return f"{command} {get_text(model, 'key')}".strip()


_KEYLESS: Final = frozenset({"info", "scan", "dbsize"})
_READERS: Final[Mapping[str, Callable[[DataQuery, DatasourceContext, Ask], list[Frame]]]] = {
    "get": _get,
    "hgetall": _hash,
    "lrange": _list,
    "smembers": _set,
    "zrange": _sorted_set,
    "xrange": _stream,
    "ts_range": _ts_range,
    "scan": _scan,
    "info": _info,
    "dbsize": _dbsize,
}
