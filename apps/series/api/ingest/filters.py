"""What the doors read from a request before its body is parsed."""

import base64
from typing import Any

from django.http import HttpRequest
from rest_framework.request import Request

from detectviz.ingest.bodies import unpack
from detectviz.ingest.errors import MalformedError, TooLargeError


def body_of(request: Request, *, limit: int, encodings: frozenset[str]) -> bytes:
    """Return the unpacked body; raise IngestError when it is too large or not readable.

    ``limit`` bounds the bytes on the wire and what they unpack to. A body without a length
    (chunked, as Telegraf sends it) is read from the server's own stream, since Django takes it for
    an empty one.
    """
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isdecimal() and int(announced) > limit:
        raise TooLargeError(f"the body has {announced} bytes, more than {limit}")
    stream: Any = request
    if not announced and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        stream = request.META["wsgi.input"]
    data: bytes = stream.read(limit + 1)
    if len(data) > limit:
        raise TooLargeError(f"the body has more than {limit} bytes; send smaller batches")
    if announced.isdecimal() and len(data) < int(announced):
        raise MalformedError("the body ended before its announced length")
    return unpack(
        data, request.META.get("HTTP_CONTENT_ENCODING", ""), limit=limit, allowed=encodings
    )


def content_type_of(request: Request) -> tuple[str, dict[str, str]]:
    """Return media type and parameters, in lower case but for the parameters' values."""
    media, *rest = request.META.get("CONTENT_TYPE", "").split(";")
    parameters = {}
    for piece in rest:
        name, _, value = piece.partition("=")
        parameters[name.strip().lower()] = value.strip().strip('"')
    return media.strip().lower(), parameters


_INFLUX_SCHEME = "token "
_SECRETS = ("p", "u", "token", "password")


def influx_authorization(request: HttpRequest) -> None:
    """Understand ``Authorization: Token …``, the one thing Influx clients can send.

    The token is the API key itself, or ``user:key`` as clients of 1.8 write it. No other door knows
    this scheme.
    """
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header[: len(_INFLUX_SCHEME)].lower() == _INFLUX_SCHEME:
        key = header[len(_INFLUX_SCHEME) :].strip().rpartition(":")[2]
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {key}"
        vars(request).pop("headers", None)  # Django's cached view of META


def influx_precision(request: Request, *, default: str = "ns") -> str:
    """Return the precision; refuse credentials in the address, which logs and proxies keep."""
    secrets = [name for name in _SECRETS if name in request.query_params]
    if secrets:
        raise MalformedError(
            f"{', '.join(secrets)} in the address would end up in logs: send the API key as the "
            "password of HTTP Basic or as Authorization: Token"
        )
    return request.query_params.get("precision") or default


def group_of(path: str) -> dict[str, str]:
    """Return the grouping labels of a Pushgateway's address: ``name/value`` pairs after ``job``.

    A name that ends in ``@base64`` has its value in URL-safe base64, as clients write values with
    slashes; a lone ``=`` is an empty value. Raise MalformedError.
    """
    words = path.split("/")
    if len(words) % 2:
        raise MalformedError("the address must be metrics/job/JOB and then name/value pairs")
    group: dict[str, str] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        plain = name.removesuffix("@base64")
        if not plain or plain in group:
            raise MalformedError(f"grouping label {plain!r} is empty or there twice")
        group[plain] = value if plain == name else _decoded(value)
    if not group.get("job"):
        raise MalformedError("the job must not be empty")
    return group


def _decoded(value: str) -> str:
    bare = value.rstrip("=")
    try:
        return base64.b64decode(
            bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True
        ).decode()
    except ValueError as error:
        raise MalformedError(f"{value[:80]!r} is no URL-safe base64 of a text") from error
