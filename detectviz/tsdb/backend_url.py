"""``DETECTVIZ_TSDB_URL`` taken apart: where the server is, and the options behind the ``?``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from detectviz.contracts.durations import parse_duration_ms
from detectviz.tsdb.interface import StoreError

QUEUE_OPTIONS = frozenset({"queue_bytes", "queue_age", "timeout"})
_QUEUE_BYTES = 1 << 30
_QUEUE_AGE_S = 2 * 86_400.0
_SIZES = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_PLAIN = frozenset({"http", "https"})


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """How much may wait for a backend, and for how long."""

    max_bytes: int
    max_age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendUrl:
    """A server's address as ``http`` or ``https`` URL without query, and the options given."""

    server: SplitResult
    options: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        """Return an option as it is."""
        return self.options.get(name, default)

    def seconds(self, name: str, default: float) -> float:
        """Return an option that is a duration such as ``30s``.

        Raises:
            StoreError: it is none, or zero.

        """
        try:
            found = (
                parse_duration_ms(self.options[name]) / 1000 if name in self.options else default
            )
        except ValueError:
            found = 0.0
        if found <= 0:
            raise _wrong(f"{name}={self.options[name]!r} is no duration such as 30s or 2d")
        return found

    def size(self, name: str, default: int) -> int:
        """Return an option that is a number of bytes such as ``512MiB``.

        Raises:
            StoreError: it is none, or zero.

        """
        text = self.options.get(name, str(default))
        unit = next((unit for unit in _SIZES if text.endswith(unit)), "")
        number = text.removesuffix(unit)
        if not number.isdecimal() or int(number) == 0:
            raise _wrong(f"{name}={text!r} is no size such as 512MiB")
        return int(number) * _SIZES.get(unit, 1)

    def queue_limits(self) -> QueueLimits:
        """Return the queue's bounds.

        Raises:
            StoreError: one of them is not understood.

        """
        return QueueLimits(
            max_bytes=self.size("queue_bytes", _QUEUE_BYTES),
            max_age_s=self.seconds("queue_age", _QUEUE_AGE_S),
        )

    def flag(self, name: str) -> bool:
        """Return an option that is ``yes`` or ``no`` (what it is when missing).

        Raises:
            StoreError: it is neither.

        """
        text = self.options.get(name, "no")
        if text not in {"yes", "no"}:
            raise _wrong(f"{name}={text!r} is neither yes nor no")
        return text == "yes"

    def path(self, name: str, default: str) -> str:
        """Return an option that is a path, without a slash at its end.

        Raises:
            StoreError: it does not start with a slash.

        """
        text = self.options.get(name, default)
        if text and not text.startswith("/"):
            raise _wrong(f"{name}={text!r} is no path such as {default or '/prometheus'}")
        return text.rstrip("/")

    def other_server(self, name: str) -> SplitResult:
        """Return an option that is the URL of another server, else this one.

        Raises:
            StoreError: it is no http or https URL.

        """
        if name not in self.options:
            return self.server
        parts = urlsplit(self.options[name])
        if parts.scheme not in _PLAIN or not parts.hostname:
            raise _wrong(f"{name}={self.options[name]!r} is no http:// or https:// URL")
        return parts._replace(query="", fragment="")


def backend_url(url: str, *, options: Collection[str]) -> BackendUrl:
    """Read ``kind+http[s]://[user:password@]host[:port][/prefix][?option=value&…]``.

    Raises:
        StoreError: it names no host, or an option that the kind does not have.

    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise _wrong(str(error)) from None
    if not parts.hostname:
        raise _wrong("the URL names no host")
    given = parse_qsl(parts.query, keep_blank_values=True)
    known = QUEUE_OPTIONS.union(options)
    for name, _ in given:
        if name not in known:
            raise _wrong(f"there is no option {name!r}; there are {', '.join(sorted(known))}")
    if parts.fragment:
        raise _wrong("a URL of a series store has no #fragment")
    scheme = parts.scheme.partition("+")[2]
    server = parts._replace(scheme=scheme, query="", fragment="")
    return BackendUrl(server=server, options=dict(given))


def _wrong(reason: str) -> StoreError:
    return StoreError(f"DETECTVIZ_TSDB_URL: {reason}", retryable=False)
