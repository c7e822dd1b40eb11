"""Unpacking request bodies without ever holding more than the limit."""

import zlib
from collections.abc import Callable

import cramjam
from backports import zstd

from detectviz.ingest.errors import MalformedError, TooLargeError, UnsupportedError

_GZIP = 16 + zlib.MAX_WBITS


def unpack(data: bytes, encoding: str, *, limit: int, allowed: frozenset[str]) -> bytes:
    """Return the content of ``data``, at most ``limit`` bytes of it.

    ``encoding`` is the Content-Encoding header (empty or ``identity``: as it is), ``allowed`` what
    the door speaks. Raise UnsupportedError, TooLargeError or MalformedError.
    """
    name = encoding.strip().lower() or "identity"
    if name == "x-gzip":
        name = "gzip"
    if name not in allowed:
        names = ", ".join(sorted(allowed))
        raise UnsupportedError(f"content encoding {name[:40]!r} is not supported; use {names}")
    content = _DECODERS[name](data, limit)
    if len(content) > limit:
        raise _too_large(limit)
    return content


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the body unpacks to more than {limit} bytes; send smaller batches")


def _identity(data: bytes, limit: int) -> bytes:
    return data


def _snappy(data: bytes, limit: int) -> bytes:
    """Undo the block format; the promised length is looked at before anything is allocated."""
    try:
        if cramjam.snappy.decompress_raw_len(data) > limit:
            raise _too_large(limit)
        return bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise MalformedError(f"the body is no snappy block: {error}") from error


def _inflate(data: bytes, limit: int, window: int, name: str) -> bytes:
    content, rest = b"", data
    try:
        while rest:  # gzip allows several members after one another
            inflater = zlib.decompressobj(window)
            content += inflater.decompress(rest, limit + 1 - len(content))
            if len(content) > limit:
                raise _too_large(limit)
            if not inflater.eof:
                raise MalformedError(f"the {name} body is cut off")
            rest = inflater.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise MalformedError(f"the body is not {name}: {error}") from error
    return content


def _gzip(data: bytes, limit: int) -> bytes:
    return _inflate(data, limit, _GZIP, "gzip")


def _deflate(data: bytes, limit: int) -> bytes:
    return _inflate(data, limit, zlib.MAX_WBITS, "deflate")


def _zstd(data: bytes, limit: int) -> bytes:
    decoder = zstd.ZstdDecompressor()
    try:
        content = decoder.decompress(data, max_length=limit + 1)
    except zstd.ZstdError as error:
        raise MalformedError(f"the body is not zstd: {error}") from error
    if len(content) > limit:
        raise _too_large(limit)
    if not decoder.eof or decoder.unused_data:
        raise MalformedError("the zstd body is cut off or followed by something else")
    return content


_DECODERS: dict[str, Callable[[bytes, int], bytes]] = {
    "identity": _identity,
    "snappy": _snappy,
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
