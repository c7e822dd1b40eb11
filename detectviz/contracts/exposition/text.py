"""Prometheus text 0.0.4 and OpenMetrics 1.0, by lines.

Semantics as Prometheus' ``model/textparse``: lines stand alone, families need not be together, a
type that comes after its samples still counts. OpenMetrics must end with ``# EOF``.
"""

from collections.abc import Iterable, Sequence
from itertools import compress
from operator import ne
from typing import Final

import numpy as np

from detectviz.contracts.exposition.cache import Comment, Layout, SeriesCache
from detectviz.contracts.exposition.lines import VALUE_BYTES, read_comment, read_sample
from detectviz.contracts.exposition.result import (
    NO_TIMESTAMP,
    Exemplar,
    Exposition,
    ExpositionError,
    FamilyMetadata,
    Float64Array,
    MetricType,
)
from detectviz.contracts.exposition.starts import start_times

_EOF: Final = b"# EOF"
_NEVER: Final = b"\n"  # no line begins with it


def parse_text(body: bytes, cache: SeriesCache | None = None) -> Exposition:
    """Read Prometheus text 0.0.4; raise ExpositionError with line and column.

    ``cache`` is what is known of the source; each source should have its own.
    """
    return _parse(body, SeriesCache() if cache is None else cache, is_openmetrics=False)


def parse_openmetrics(body: bytes, cache: SeriesCache | None = None) -> Exposition:
    """Read OpenMetrics 1.0 text; raise ExpositionError with line and column.

    ``_created`` samples stay samples and also become the start times of their family.
    """
    content = body.removesuffix(b"\n")
    if content != _EOF and not content.endswith(b"\n" + _EOF):
        raise ExpositionError("expected # EOF at the end", line=body.count(b"\n") + 1, column=1)
    return _parse(
        content[: -len(_EOF)], SeriesCache() if cache is None else cache, is_openmetrics=True
    )


def _parse(body: bytes, cache: SeriesCache, *, is_openmetrics: bool) -> Exposition:
    cache.trim()
    dialect = "openmetrics" if is_openmetrics else "text"
    lines = body.split(b"\n")
    if is_openmetrics:
        lines.pop()  # what stands between the last line end and # EOF
    known = cache.layouts.get(dialect)
    if known is None or len(known.prefixes) != len(lines):
        reading = _Reading(
            lines, cache, _empty_layout(body, len(lines)), is_openmetrics=is_openmetrics
        )
        reading.read(range(len(lines)))
    else:
        reading = _Reading(lines, cache, _copy(known, body), is_openmetrics=is_openmetrics)
        before = known.body.split(b"\n")
        changed = list(map(ne, lines, before))
        reading.read_alike(list(compress(range(len(lines)), changed)))
    cache.layouts[dialect] = reading.layout
    return reading.result()


class _Reading:
    """One body being read into a layout."""

    def __init__(
        self, lines: list[bytes], cache: SeriesCache, layout: Layout, *, is_openmetrics: bool
    ) -> None:
        self._lines = lines
        self._cache = cache
        self._is_openmetrics = is_openmetrics
        self._has_new_owners = False
        self.layout = layout

    def read_alike(self, changed: list[int]) -> None:
        """Read the changed lines, expecting the series they had before."""
        lines = [self._lines[place] for place in changed]
        prefixes = [self.layout.prefixes[place] for place in changed]
        alike = list(map(bytes.startswith, lines, prefixes))
        places: Sequence[int] = changed
        if not all(alike):
            places = list(compress(changed, alike))
            lines, prefixes = list(compress(lines, alike)), list(compress(prefixes, alike))
        texts = [line[len(prefix) :] for line, prefix in zip(lines, prefixes, strict=True)]
        values = _values(texts)
        if values is None:
            self.read(changed)
            return
        self.layout.values[np.asarray(places, dtype=np.int64)] = values
        if len(places) != len(changed):
            self.read(
                [place for place, is_alike in zip(changed, alike, strict=True) if not is_alike]
            )

    def read(self, places: Iterable[int]) -> None:
        """Read the lines at ``places``, whatever they were before."""
        self._has_new_owners = True
        known, lines = self._cache.known.get, self._lines
        plain: list[int] = []
        owners: list[int] = []
        texts: list[bytes] = []
        others: list[int] = []
        for place in places:
            line = lines[place]
            cut = line.rfind(b" ") + 1
            number = known(line[:cut])
            if number is None:
                others.append(place)
            else:
                plain.append(place)
                owners.append(number)
                texts.append(line[cut:])
        values = _values(texts)
        if values is None:
            others = sorted([*others, *plain])
        else:
            self._take(plain, owners, values)
        for place in others:
            self._read_line(place)

    def _take(self, places: list[int], owners: list[int], values: Float64Array) -> None:
        layout, tokens = self.layout, self._cache.tokens
        where = np.asarray(places, dtype=np.int64)
        layout.owners[where] = owners
        layout.values[where] = values
        layout.timestamps_ms[where] = NO_TIMESTAMP
        for place, owner in zip(places, owners, strict=True):
            layout.prefixes[place] = tokens[owner]
        if layout.exemplars or layout.comments:
            for place in places:
                layout.exemplars.pop(place, None)
                layout.comments.pop(place, None)

    def _read_line(self, place: int) -> None:
        layout, line = self.layout, self._lines[place]
        layout.prefixes[place], layout.owners[place] = _NEVER, -1
        layout.exemplars.pop(place, None)
        layout.comments.pop(place, None)
        try:
            if line.startswith(b"#"):
                comment = read_comment(line, is_openmetrics=self._is_openmetrics)
                if comment is not None:
                    layout.comments[place] = comment
            elif self._is_openmetrics or line.strip(b" \t"):
                self._read_sample(place, line)
        except ExpositionError as error:
            raise ExpositionError(error.reason, line=place + 1, column=error.column) from None

    def _read_sample(self, place: int, line: bytes) -> None:
        layout = self.layout
        found = read_sample(line, is_openmetrics=self._is_openmetrics)
        layout.owners[place] = self._cache.number(found.token)
        layout.values[place] = found.value
        layout.timestamps_ms[place] = found.timestamp_ms
        if found.exemplars:
            layout.exemplars[place] = found.exemplars
        if found.is_plain:
            layout.prefixes[place] = self._cache.tokens[layout.owners[place]]

    def result(self) -> Exposition:
        """Return the columns of what was read."""
        layout = self.layout
        if self._has_new_owners:
            self._arrange()
        timestamps_ms = layout.timestamps_ms[layout.mask]
        has_times = bool((timestamps_ms != NO_TIMESTAMP).any())
        starts = start_times(self._cache, layout) if self._is_openmetrics else None
        return Exposition(
            series=layout.series,
            owners=layout.places,
            values=layout.values[layout.mask],
            timestamps_ms=timestamps_ms if has_times else None,
            start_times_ms=starts,
            exemplars=self._exemplars(),
            metadata=layout.metadata,
        )

    def _arrange(self) -> None:
        """Work out what stays the same as long as no line names another series."""
        layout, tokens = self.layout, self._cache.tokens
        layout.mask = layout.owners >= 0
        numbers, layout.places = np.unique(layout.owners[layout.mask], return_inverse=True)
        layout.series = tuple([tokens[number] for number in numbers.tolist()])
        layout.metadata = _metadata(layout.comments)

    def _exemplars(self) -> dict[int, tuple[Exemplar, ...]]:
        if not self.layout.exemplars:
            return {}
        rank = np.cumsum(self.layout.mask) - 1
        return {int(rank[place]): found for place, found in sorted(self.layout.exemplars.items())}


def _values(texts: list[bytes]) -> Float64Array | None:
    """Return what ``texts`` say, None when one is no number alone."""
    if b"".join(texts).translate(None, VALUE_BYTES):
        return None
    try:
        return np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
    except ValueError:
        return None


def _metadata(comments: dict[int, Comment]) -> dict[str, FamilyMetadata]:
    said: dict[str, dict[str, str]] = {}
    for _, comment in sorted(comments.items()):
        said.setdefault(comment.family, {}).setdefault(comment.keyword, comment.text)
    return {
        family: FamilyMetadata(
            type=MetricType(each.get("TYPE", MetricType.UNKNOWN)),
            help=each.get("HELP", ""),
            unit=each.get("UNIT", ""),
        )
        for family, each in said.items()
    }


def _empty_layout(body: bytes, count: int) -> Layout:
    return Layout(
        body=body,
        prefixes=[_NEVER] * count,
        owners=np.full(count, -1, dtype=np.int64),
        values=np.zeros(count),
        timestamps_ms=np.full(count, NO_TIMESTAMP, dtype=np.int64),
        exemplars={},
        comments={},
        mask=np.zeros(count, dtype=np.bool_),
        series=(),
        places=np.zeros(0, dtype=np.int64),
        metadata={},
    )


def _copy(layout: Layout, body: bytes) -> Layout:
    """Return a layout to change; the one before stays what it is if the body is refused."""
    return Layout(
        body=body,
        prefixes=layout.prefixes.copy(),
        owners=layout.owners.copy(),
        values=layout.values.copy(),
        timestamps_ms=layout.timestamps_ms.copy(),
        exemplars=dict(layout.exemplars),
        comments=dict(layout.comments),
        mask=layout.mask,
        series=layout.series,
        places=layout.places,
        metadata=layout.metadata,
    )
