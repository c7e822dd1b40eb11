"""Results as HTTP answers: at once when small, in pieces when large."""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from detectviz.queries.encoding.csv_rows import results_csv
from detectviz.queries.encoding.own import results_json, results_lines
from detectviz.queries.model import Results
from detectviz.resources.errors import InvalidFieldsError

PIECE_BYTES = 1 << 16
WHOLE_BYTES = 1 << 20

Writer = Callable[[Results], Iterator[bytes]]
FORMATS: Mapping[str, tuple[str, Writer]] = {
    "json": ("application/json", results_json),
    "ndjson": ("application/x-ndjson", results_lines),
    "csv": ("text/csv; charset=utf-8", results_csv),
}


def format_of(request: HttpRequest) -> str:
    """Return the format asked for: ``?format=``, else by Accept, else JSON."""
    named = request.GET.get("format")
    if named is not None:
        if named not in FORMATS:
            raise InvalidFieldsError({"format": [f"Choose one of {', '.join(FORMATS)}."]})
        return named
    accept = request.headers.get("Accept", "")
    if "application/x-ndjson" in accept:
        return "ndjson"
    return "csv" if "text/csv" in accept else "json"


def pieces_response(
    pieces: Iterator[bytes], content_type: str, *, status: int = 200
) -> HttpResponseBase:
    """Return a plain answer up to 1 MiB, a stream beyond it."""
    begun: list[bytes] = []
    size = 0
    for piece in _joined(pieces):
        begun.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            break
    else:
        return HttpResponse(b"".join(begun), content_type=content_type, status=status)
    rest = chain(begun, _joined(pieces))
    return StreamingHttpResponse(rest, content_type=content_type, status=status)


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
