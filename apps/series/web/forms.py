"""From an address to what is asked: every view of the Explore pages is its address."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from django.http import QueryDict

from apps.series.selectors.exploring import Window
from detectviz.contracts.durations import parse_duration_ms

RANGES = ("5m", "15m", "1h", "3h", "6h", "12h", "1d", "2d", "7d", "30d")
DEFAULT_RANGE = "1h"
VIEWS = ("chart", "table")
MOST_QUERIES = 10
LONGEST_QUERY = 10_000
POINTS = 250
SMALLEST_STEP_MS = 1000
MOST_POINTS = 11_000
MINUTE = "%Y-%m-%dT%H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Expressions, window and view of an address; ``problems`` by the name of the field."""

    queries: tuple[str, ...] = ()
    range: str = DEFAULT_RANGE
    until: str = ""
    step: str = ""
    view: str = VIEWS[0]
    window: Window
    problems: dict[str, str] = field(default_factory=dict)


def asked(query: QueryDict, *, now: datetime, views: tuple[str, ...] = VIEWS) -> Asked:
    """Read an address; what cannot be read is named and replaced by its default."""
    problems: dict[str, str] = {}
    texts = [text.strip()[:LONGEST_QUERY] for text in query.getlist("q")[:MOST_QUERIES]]
    chosen = query.get("range", DEFAULT_RANGE).strip()
    until, step, view = (query.get(name, "").strip() for name in ("until", "step", "view"))
    range_ms = _duration(chosen, "range", problems) or parse_duration_ms(DEFAULT_RANGE)
    step_ms = _duration(step, "step", problems) if step else None
    if step_ms and range_ms // step_ms >= MOST_POINTS:
        problems["step"] = "That makes too many points; take a larger step."
        step_ms = None
    return Asked(
        queries=tuple(text.replace("\x00", "") for text in texts if text),
        range=chosen,
        until=until,
        step=step,
        view=view if view in views else views[0],
        window=Window(
            end=_moment(until, problems) or now,
            range_ms=range_ms,
            step_ms=step_ms or max(SMALLEST_STEP_MS, range_ms // POINTS // 1000 * 1000),
        ),
        problems=problems,
    )


def _duration(text: str, name: str, problems: dict[str, str]) -> int | None:
    try:
        found = parse_duration_ms(text)
    except ValueError as error:
        problems[name] = str(error)
        return None
    if found < SMALLEST_STEP_MS:
        problems[name] = "It must be at least 1s."
        return None
    return found


def _moment(text: str, problems: dict[str, str]) -> datetime | None:
    if not text:
        return None
    try:
        found = datetime.strptime(text, MINUTE).replace(tzinfo=UTC)
    except ValueError:
        problems["until"] = "Write it as 2026-01-31T23:59, in UTC."
        return None
    return found
