"""Objects of JSON answers, page by page."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode, urljoin, urlsplit

import jsonpath

from detectviz.contracts.batches import Batch
from detectviz.contracts.config import get_int, get_text, get_text_map
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.http_endpoint import HttpEndpoint
from detectviz.contracts.importer import ImporterContext
from detectviz.contracts.record_batches import Part, part_batches, row_part
from detectviz.contracts.records import RecordError, Signal
from detectviz.contracts.row_records import row_mapping
from detectviz.contracts.types import JsonObject
from plugins.importers.api.links import next_link

_COUNTED: Final = ("page", "offset")


class ApiImporter:
    """Follows pages as configured."""

    signals = frozenset({Signal.ROWS, Signal.METRICS, Signal.LOGS})

    def read(self, context: ImporterContext) -> Iterator[Batch]:
        """Yield the objects after those stored; raise PluginError for what cannot be read."""
        yield from part_batches(
            _parts(context), batch_size=context.batch_size, is_cancelled=context.is_cancelled
        )


def _parts(context: ImporterContext) -> Iterator[Part]:
    mapping = row_mapping(context.config, now=context.now())
    pages = _Pages(context)
    place, done = context.cursor.get("page", pages.first), get_int(context.cursor, "done")
    number = get_int(context.cursor, "row")
    seen: set[str] = set()
    while place is not None and not context.is_cancelled():
        if str(place) in seen or len(seen) >= get_int(context.config, "most_pages", 10_000):
            raise PluginError("The pages do not come to an end; check how they are asked for.")
        seen.add(str(place))
        rows, following = pages.read(place)
        for index, row in enumerate(rows[done:], done + 1):
            number += 1
            cursor: JsonObject = {"page": cast("str | int", place), "done": index, "row": number}
            if isinstance(row, Mapping):
                yield row_part(row, mapping, place=f"object {number}", cursor=cursor)
            else:
                wrong = RecordError(place=f"object {number}", message="It is no object.")
                yield Part(records=(), cursor=cursor, errors=(wrong,))
        place, done = following, 0


class _Pages:
    """The pages of one address: a place is a number, a cursor or an address."""

    def __init__(self, context: ImporterContext) -> None:
        config = context.config
        self._endpoint = HttpEndpoint(context, name="The API")
        self._kind = get_text(config, "pages", "none")
        self._parameter = get_text(config, "page_parameter", "page")
        self._headers = list(get_text_map(config, "headers").items())
        self._records = _compiled(get_text(config, "records", "$[*]"), "/records")
        self._next = _compiled(get_text(config, "next_path", "$.next"), "/next_path")
        self.first: str | int = ""
        if self._kind in _COUNTED:
            self.first = get_int(config, "first_page", 1) if self._kind == "page" else 0

    def read(self, place: object) -> tuple[list[Any], str | int | None]:
        """Return the objects of a page, and where the next one is."""
        url = self._url(place)
        response = self._endpoint.fetch(url, headers=self._headers)
        document: Any = self._endpoint.read(response)
        try:
            rows = list(self._records.findall(document))
            following = self._following(place, document, len(rows))
        except (jsonpath.JSONPathError, RecursionError) as error:
            raise PluginError(f"A JSONPath cannot be followed: {error}.", permanent=True) from error
        if self._kind == "link":
            following = next_link(response.header("Link") or "") or None
        if following is not None and self._kind in {"next", "link"}:
            following = self._same_origin(urljoin(url, str(following)))
        return rows, following

    def _following(self, place: object, document: Any, count: int) -> str | int | None:
        if self._kind in _COUNTED:
            step = 1 if self._kind == "page" else count
            return int(str(place)) + step if count else None
        if self._kind not in {"cursor", "next"}:
            return None
        found = self._next.findall(document)
        value = found[0] if found else None
        return value if isinstance(value, (str, int)) and value not in {"", False} else None

    def _url(self, place: object) -> str:
        url = self._endpoint.address("")
        if self._kind in {"next", "link"}:
            return self._same_origin(str(place)) if place else url
        if self._kind == "none" or place == "":
            return url
        separator = "&" if "?" in url else "?"
        return f"{url}{separator}{urlencode([(self._parameter, str(place))])}"

    def _same_origin(self, url: str) -> str:
        """Return ``url``; refuse one that would take the credentials elsewhere."""
        ours, theirs = urlsplit(self._endpoint.address("")), urlsplit(url)
        if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
            message = f"The next page is on another server, {theirs.hostname}; it is not followed."
            raise PluginError(message, permanent=True)
        return url


def _compiled(path: str, field: str) -> jsonpath.CompoundJSONPath | jsonpath.JSONPath:
    try:
        return jsonpath.compile(path)
    except (jsonpath.JSONPathError, RecursionError) as error:
        message = f"This is no JSONPath: {str(error)[:200]}."
        raise ConfigurationError(message, field=field) from error
